"""What tests written against the first SDK rely on: mocks for clients, `_dispatch`, and exactly these calls."""

# pyright: reportPrivateUsage=false
# `_dispatch` is part of what the first SDK's users test against; a metric's `_value` is how prometheus_client is read.

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import MagicMock

import httpx
import pytest
from prometheus_client import CollectorRegistry
from workflow_sdk.client.rest import RestEngineClient
from workflow_sdk.errors import EngineClientError, NonRetryableError
from workflow_sdk.handler.registry import HandlerRegistry
from workflow_sdk.metrics.metrics import Metrics
from workflow_sdk.runner.runner import Runner

JOB = {
    "id": "job-1",
    "jobType": "charge",
    "instanceId": "inst-1",
    "stepId": "step-1",
    "stepExecutionId": "exec-1",
    "retriesRemaining": 3,
    "variables": {"orderId": "ORD-1"},
    "lockExpiresAt": "2099-01-01T00:00:00Z",
}


def dispatched(handler: Callable[[dict[str, Any]], object] | None = None) -> MagicMock:
    """Return the mock after one job of a registry with `handler`."""
    client, registry = MagicMock(), HandlerRegistry()
    if handler is not None:
        registry.register("charge", handler)
    runner = Runner(client=client, registry=registry, worker_id="w", parallelism=4, poll_interval=0.02)
    runner._dispatch(dict(JOB))
    return client


@pytest.mark.parametrize(("result", "reported"), [({"paid": True}, {"paid": True}), ({}, {}), (None, {})])
def test_result_is_reported_with_three_positional_arguments(
    result: dict[str, Any] | None, reported: dict[str, Any]
) -> None:
    """A handler that returns nothing completes with an empty dict, as a mock's assertion sees it."""
    client = dispatched(lambda _ctx: result)
    client.complete_job.assert_called_once_with("job-1", "w", reported)
    client.fail_job.assert_not_called()


@pytest.mark.parametrize(
    ("error", "retryable"), [(NonRetryableError("card stolen"), False), (ValueError("no network"), True)]
)
def test_failure_is_reported_with_four_positional_arguments(error: Exception, retryable: bool) -> None:
    """The error's text and whether to retry are the third and fourth positional argument, and the last."""

    def fail(_ctx: dict[str, Any]) -> None:
        raise error

    client = dispatched(fail)
    client.fail_job.assert_called_once_with("job-1", "w", str(error), retryable)
    client.complete_job.assert_not_called()


def test_job_nobody_serves_fails_for_good() -> None:
    """Without a handler the job is failed and not retried."""
    assert dispatched().fail_job.call_args[0][3] is False


def test_empty_job_type_is_called_empty() -> None:
    """Registering under an empty job type raises a ValueError whose text says so."""
    with pytest.raises(ValueError, match="empty"):
        HandlerRegistry().register("", print)


def test_poll_names_types_and_number() -> None:
    """The loop polls with (worker id, list of types, max_jobs=n), so a stand-in with that signature is enough."""
    stop = threading.Event()
    seen: list[tuple[str, list[str], int]] = []

    def poll_jobs(worker_id: str, job_types: list[str], max_jobs: int) -> list[dict[str, Any]]:
        seen.append((worker_id, sorted(job_types), max_jobs))
        stop.set()
        return []

    client, registry = MagicMock(), HandlerRegistry()
    client.poll_jobs.side_effect = poll_jobs
    for job_type in ("b", "a"):
        registry.register(job_type, print)
    Runner(client, registry, "w", 4, 0.01).run(stop_event=stop)
    assert seen == [("w", ["a", "b"], 4)]


def test_every_empty_poll_counts_as_a_lock_conflict() -> None:
    """`lock_conflicts` goes up by one with each poll that brings nothing."""
    stop = threading.Event()
    polls: list[int] = []
    client, registry = MagicMock(), HandlerRegistry()

    def poll_jobs(worker_id: str, job_types: list[str], max_jobs: int) -> list[dict[str, Any]]:  # noqa: ARG001 - the published signature
        polls.append(1)
        if len(polls) == 3:
            stop.set()
        return []

    client.poll_jobs.side_effect = poll_jobs
    registry.register("charge", print)
    metrics = Metrics(registry=CollectorRegistry())
    Runner(client, registry, "w", poll_interval=0.01, metrics=metrics).run(stop_event=stop)
    assert metrics.lock_conflicts._value.get() == 3


@dataclass
class Sent:
    """What httpx was asked to send, and what it is to answer next."""

    requests: list[httpx.Request] = field(default_factory=list)
    answers: list[httpx.Response] = field(default_factory=list)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Every request that httpx is asked to send, with the answer that a test gives: patched as test plugins do."""
    made = Sent()

    def handle_request(_self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        request.read()
        made.requests.append(request)
        return made.answers.pop(0) if made.answers else httpx.Response(204)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle_request)
    return made


def test_completing_with_nothing_sends_an_empty_map(sent: Sent) -> None:
    """`complete_job(id, worker)` sends `variables: {}`, whichever httpx transport a test has put in place."""
    RestEngineClient("http://engine.test").complete_job("job-1", "w")
    [request] = sent.requests
    assert (request.url.path, request.content) == ("/v1/jobs/job-1/complete", b'{"workerId":"w","variables":{}}')


def test_definitions_are_listed_with_both_page_parameters(sent: Sent) -> None:
    """`list_definitions()` asks for page 0 of 20 by name."""
    sent.answers.append(httpx.Response(200, json={"items": [], "page": 0, "pageSize": 20, "total": 0}))
    assert RestEngineClient("http://engine.test").list_definitions()["total"] == 0
    assert str(sent.requests[0].url) == "http://engine.test/v1/definitions?page=0&pageSize=20"


@pytest.mark.parametrize("status", [400, 404, 500])
def test_refused_poll_raises_at_once(sent: Sent, status: int) -> None:
    """A poll is not repeated by the client: one request, one `EngineClientError` with its status."""
    sent.answers.append(httpx.Response(status))
    with pytest.raises(EngineClientError) as refused:
        RestEngineClient("http://engine.test").poll_jobs("w", ["charge"])
    assert (refused.value.status_code, len(sent.requests)) == (status, 1)
