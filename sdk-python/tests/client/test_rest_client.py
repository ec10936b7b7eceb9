"""The REST client on a real socket: what it sends, what it makes of two generations of answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from workflow_sdk import errors
from workflow_sdk.client.rest import RestEngineClient
from workflow_sdk.retry.policy import ONCE

if TYPE_CHECKING:
    from ..conftest import FakeEngine

Call = Callable[[RestEngineClient], object]
BIG = 2**60 + 1


@pytest.fixture
def client(engine: FakeEngine) -> Iterator[RestEngineClient]:
    with RestEngineClient(engine.url, retries=ONCE) as client:
        yield client


SENT: list[tuple[Call, str, object]] = [
    # call, request line, body
    (
        lambda c: c.upload_definition({"id": "d", "name": "n", "steps": []}),
        "POST /v1/definitions",
        {"id": "d", "name": "n", "steps": []},
    ),
    (lambda c: c.get_definition("LOS::loan"), "GET /v1/definitions/LOS%3A%3Aloan", None),
    (lambda c: c.get_definition("d", version=3), "GET /v1/definitions/d/versions/3", None),
    (lambda c: c.list_definitions("a b"), "GET /v1/definitions?keyword=a+b&page=0&pageSize=20", None),
    (lambda c: c.start_instance("d"), "POST /v1/instances", {"definitionId": "d"}),
    (
        lambda c: c.start_instance("d", {"n": BIG, "none": None}, 2, "key"),
        "POST /v1/instances",
        {"definitionId": "d", "variables": {"n": BIG, "none": None}, "definitionVersion": 2, "businessKey": "key"},
    ),
    (lambda c: c.get_instance("a/b"), "GET /v1/instances/a%2Fb", None),
    (lambda c: c.list_instances(status="FAILED", page=1), "GET /v1/instances?status=FAILED&page=1&pageSize=20", None),
    (lambda c: c.get_instance_history("i"), "GET /v1/instances/i/history", None),
    (lambda c: c.get_instance_audit("i"), "GET /v1/instances/i/audit", None),
    (
        lambda c: c.await_instance("i", wait_ms=5, until=["FAILED", "WAITING"]),
        "GET /v1/instances/i/await?waitMs=5&until=FAILED&until=WAITING",
        None,
    ),
    (lambda c: c.cancel_instance("i", "why"), "POST /v1/instances/i/cancel", {"reason": "why"}),
    (lambda c: c.retry_step("i", "s", {"x": 1}), "POST /v1/instances/i/steps/s/retry", {"variables": {"x": 1}}),
    (
        lambda c: c.complete_user_task_step("i", "s", "ada", {"ok": False}),
        "POST /v1/instances/i/user-tasks/s/complete",
        {"completedBy": "ada", "result": {"ok": False}},
    ),
    (lambda c: c.list_user_tasks(status="OPEN"), "GET /v1/user-tasks?status=OPEN&page=0&pageSize=20", None),
    (lambda c: c.signal_wait("i", "w", {"x": 1}), "POST /v1/instances/i/signals/w", {"x": 1}),
    (lambda c: c.poll_jobs("w", ["a"], 2), "POST /v1/jobs/poll", {"workerId": "w", "jobTypes": ["a"], "maxJobs": 2}),
    (lambda c: c.complete_job("j", "w", {}), "POST /v1/jobs/j/complete", {"workerId": "w", "variables": {}}),
    (
        lambda c: c.complete_job("j", "w", lease_token="t"),
        "POST /v1/jobs/j/complete",
        {"workerId": "w", "variables": {}, "leaseToken": "t"},
    ),
    (
        lambda c: c.fail_job("j", "w", "m", False),
        "POST /v1/jobs/j/fail",
        {"workerId": "w", "errorMessage": "m", "retryable": False},
    ),
    (
        lambda c: c.report_jobs("w", [{"jobId": "j", "completed": {}}], poll={"jobTypes": ["a"]}),
        "POST /v1/jobs/report",
        {"workerId": "w", "outcomes": [{"jobId": "j", "completed": {}}], "poll": {"workerId": "w", "jobTypes": ["a"]}},
    ),
]


@pytest.mark.parametrize(("call", "line", "body"), SENT, ids=[line for _, line, _ in SENT])
def test_request(engine: FakeEngine, client: RestEngineClient, call: Call, line: str, body: object) -> None:
    """Each operation sends the contract's method, path and body, and leaves out what is absent."""
    engine.answer(line.split()[1], 200, {"id": "x", "instance": {}})
    call(client)
    sent = engine.exchanges[0]
    assert (f"{sent.method} {sent.path}", sent.body) == (line, body)


def test_a_revision_travels_as_if_match(engine: FakeEngine, client: RestEngineClient) -> None:
    """A change on a condition names the revision it expects."""
    engine.answer("/v1/instances/i/cancel", 200, {"id": "i"})
    client.cancel_instance("i", expected_revision=7)
    assert engine.exchanges[0].headers["If-Match"] == '"7"'


def test_the_deprecated_task_route_warns(engine: FakeEngine, client: RestEngineClient) -> None:
    """Who completes a task by its own id is told what to use instead."""
    engine.answer("/v1/user-tasks/t/complete", 204)
    with pytest.warns(DeprecationWarning, match="complete_user_task_step"):
        client.complete_user_task("t")


def test_integers_come_back_exactly(engine: FakeEngine, client: RestEngineClient) -> None:
    """A number beyond 2^53 is not rounded."""
    engine.answer("/v1/instances/i", 200, {"id": "i", "variables": {"n": BIG}})
    assert client.get_instance("i")["variables"] == {"n": BIG}


def test_old_history_is_read_under_todays_names(engine: FakeEngine, client: RestEngineClient) -> None:
    """History with capitalised names and nulls reads like ours."""
    old = {
        "ID": "e",
        "InstanceID": "i",
        "StepID": "s",
        "StepType": "WAIT",
        "AttemptNumber": 1,
        "Status": "RUNNING",
        "StartedAt": "t",
        "EndedAt": None,
        "FailureReason": None,
    }
    engine.answer("/v1/instances/i/history", 200, {"items": [old]})
    assert client.get_instance_history("i") == [
        {
            "id": "e",
            "instanceId": "i",
            "stepId": "s",
            "stepType": "WAIT",
            "attemptNumber": 1,
            "status": "RUNNING",
            "startedAt": "t",
        }
    ]


Null = tuple[Call, str, object, object]
NULLS: list[Null] = [
    # call, path, answer, what it reads as
    (lambda c: c.poll_jobs("w", ["a"]), "/v1/jobs/poll", {"jobs": None}, []),
    (lambda c: c.get_instance_history("i"), "/v1/instances/i/history", {"items": None}, []),
    (lambda c: c.get_instance_history("i"), "/v1/instances/i/history", None, []),
    (
        lambda c: c.list_definitions(page=1, page_size=5),
        "/v1/definitions?page=1&pageSize=5",
        {"items": None, "total": 0},
        {"items": [], "page": 1, "pageSize": 5, "total": 0},
    ),
    (
        lambda c: c.get_instance("i"),
        "/v1/instances/i",
        {"id": "i", "variables": None, "currentStepIds": None},
        {"id": "i", "variables": {}, "currentStepIds": []},
    ),
]


@pytest.mark.parametrize("case", NULLS, ids=[str(each[1:3]) for each in NULLS])
def test_null_reads_as_empty(engine: FakeEngine, client: RestEngineClient, case: Null) -> None:
    """Where the older engine answers null, the result is an empty list or map."""
    call, path, answer, expected = case
    engine.answer(path, 200, answer)
    assert call(client) == expected


@pytest.mark.parametrize(("code", "status", "kind"), [row for row in errors.KINDS if row[0] != "business-key-in-use"])
def test_status_becomes_its_kind(
    engine: FakeEngine, client: RestEngineClient, code: str, status: int, kind: type[errors.EngineClientError]
) -> None:
    """Every status of the contract raises its own class with the contract's word."""
    engine.answer("/v1/instances/i", status, {"error": "x", "message": "a sentence", "reason": "a sentence"})
    with pytest.raises(kind) as caught:
        client.get_instance("i")
    assert (type(caught.value), caught.value.status_code, caught.value.code) == (kind, status, code)


def test_an_error_carries_all_the_engine_said(engine: FakeEngine, client: RestEngineClient) -> None:
    """Sentence, details and the time to wait arrive with the error."""
    details = [{"code": "NAME_REQUIRED", "pointer": "/name", "message": "a name"}]
    engine.answer("/v1/definitions", 429, {"error": "x", "message": "slow down", "details": details}, Retry_After="3")
    with pytest.raises(errors.TooManyRequests) as caught:
        client.upload_definition({})
    assert (caught.value.message, caught.value.details, caught.value.retry_after) == ("slow down", details, 3.0)


def test_a_key_in_use_is_told_from_other_conflicts(engine: FakeEngine, client: RestEngineClient) -> None:
    """REST says `conflict` for both; the sentence tells which."""
    engine.answer("/v1/instances", 409, {"error": "conflict", "reason": "business key already in use: k"})
    with pytest.raises(errors.BusinessKeyInUse):
        client.start_instance("d", business_key="k")


@pytest.mark.parametrize("body", ["404 page not found\n", ["odd"], None, {"error": "not-found"}])
def test_an_answer_that_is_no_error_body_is_still_an_error(
    engine: FakeEngine, client: RestEngineClient, body: object
) -> None:
    """A proxy's or a router's plain text becomes the typed error of its status."""
    engine.answer("/v1/instances/i", 404, body)
    with pytest.raises(errors.NotFound):
        client.get_instance("i")


def test_an_answer_that_is_not_json_is_an_error(engine: FakeEngine, client: RestEngineClient) -> None:
    """A web page with status 200 is no result."""
    engine.answer("/v1/instances/i", 200, "<html>")
    with pytest.raises(errors.EngineClientError, match="workflow engine at this URL"):
        client.get_instance("i")


_ITSELF: dict[str, object] = {}
_ITSELF["x"] = [_ITSELF, _ITSELF]


def _deep(levels: int) -> dict[str, object]:
    inner: dict[str, object] = {}
    for _ in range(levels):
        inner = {"x": inner}
    return inner


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"x": float("nan")}, "/variables/x: NaN and infinities are not JSON"),
        ({"ok": 1, "x": object()}, "/variables/x: a object is not JSON"),
        ({"x": [{"y": {1, 2}}]}, "/variables/x/0/y: a set is not JSON"),
        ({"x": "\ud800"}, "cannot be sent as JSON: text that is not Unicode"),
        (_ITSELF, "cannot be sent as JSON: Circular reference detected"),
        (_deep(100_000), "cannot be sent as JSON: nested too deeply; flatten it"),
    ],
    ids=["nan", "object", "set", "surrogate", "itself", "deep"],
)
def test_what_is_not_json_does_not_leave(
    engine: FakeEngine, client: RestEngineClient, variables: dict[str, object], message: str
) -> None:
    """Variables that are not JSON are refused before anything is sent, naming the place without showing the value."""
    with pytest.raises(errors.InvalidVariables, match=f"^{message}$"):
        client.complete_job("j", "w", variables)
    assert engine.exchanges == []


def test_a_refused_connection_was_never_sent() -> None:
    """When nobody listens, the error says that the request did not leave."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        client = RestEngineClient(f"http://127.0.0.1:{closed.getsockname()[1]}")
        with client, pytest.raises(errors.ConnectionFailed) as caught:
            client.get_instance("i")
    assert (caught.value.sent, caught.value.status_code) == (False, 0)


def test_a_lost_answer_may_have_been_sent(engine: FakeEngine, client: RestEngineClient) -> None:
    """When the connection breaks after the request, the error says that it may have arrived."""
    engine.hang_up("/v1/instances/i")
    with pytest.raises(errors.ConnectionFailed) as caught:
        client.get_instance("i")
    assert caught.value.sent


def test_waiting_does_not_count_against_the_timeout(engine: FakeEngine) -> None:
    """A held poll lasts as long as it was allowed to, however short the timeout."""
    with RestEngineClient(engine.url, timeout=0.2) as client:
        began = time.monotonic()
        assert client.poll_jobs("w", ["a"], wait_ms=300) == []
    assert time.monotonic() - began >= 0.3
