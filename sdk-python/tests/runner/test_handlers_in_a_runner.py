# `_dispatch` is what users of the first SDK call in their own tests.
# pyright: reportPrivateUsage=false
"""What the registry knows of a handler reaches the job that a runner dispatches."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import httpx
import pytest
from workflow_sdk import HandlerRegistry, JobContext, RetryAfter, Runner
from workflow_sdk.client.rest import RestEngineClient
from workflow_sdk.handler.registry import CallNext

JOB = {"id": "j", "jobType": "greet", "variables": {"name": "Ada"}, "leaseToken": "t"}


def test_middleware_stands_around_a_dispatched_handler() -> None:
    """Middleware of the registry sees the context and may change the result."""
    registry, client = HandlerRegistry(), MagicMock()
    seen: list[str] = []

    @registry.use
    async def note(call_next: CallNext, ctx: JobContext) -> dict[str, Any]:
        seen.append(ctx.variables["name"])
        return {**await call_next(ctx), "noted": True}

    @registry.register("greet")
    def greet(ctx: JobContext) -> dict[str, Any]:
        return {"greeting": f"Hello, {ctx.variables['name']}"}

    Runner(client, registry, "w")._dispatch(JOB)
    client.complete_job.assert_called_once_with("j", "w", {"greeting": "Hello, Ada", "noted": True})
    assert seen == ["Ada"]


def later(_ctx: JobContext) -> None:
    raise RetryAfter(2.5, "the bank is closed")


def test_wish_to_be_tried_later_goes_to_an_engine_that_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of ours sends `retryAfterMs`."""
    bodies: list[bytes] = []

    def answer(_self: object, request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        return httpx.Response(204)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", answer)
    registry = HandlerRegistry()
    registry.register("greet", later)
    Runner(RestEngineClient("http://engine.test"), registry, "w")._dispatch(JOB)
    assert b'"retryAfterMs":2500' in bodies[0]


def test_wish_to_be_tried_later_is_a_plain_failure_for_others() -> None:
    """A client with the published methods only is told that it failed, and may be tried again."""
    registry, client = HandlerRegistry(), MagicMock()
    registry.register("greet", later)
    Runner(client, registry, "w")._dispatch(JOB)
    client.fail_job.assert_called_once_with("j", "w", "the bank is closed", True)
