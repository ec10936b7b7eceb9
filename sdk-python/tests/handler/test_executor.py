"""What becomes of a handler's return value or exception."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from workflow_sdk import JobContext
from workflow_sdk.errors import NonRetryableError
from workflow_sdk.handler.outcome import Outcome
from workflow_sdk.runner.executor import Completed, Failed, execute

KEYS = {"id", "jobType", "instanceId", "stepId", "stepExecutionId", "retriesRemaining", "variables", "lockExpiresAt"}


def _raise(error: BaseException) -> Callable[[JobContext], object]:
    def handler(_: JobContext) -> None:
        raise error

    return handler


async def _greet(ctx: JobContext) -> dict[str, Any]:
    return {"greeting": ctx["variables"]["name"]}


OUTCOMES: list[tuple[str, Callable[[JobContext], object] | None, Outcome]] = [
    ("a dict", lambda _: {"x": 1}, Completed({"x": 1})),
    ("None", lambda _: None, Completed(None)),
    ("a coroutine function", _greet, Completed({"greeting": "Ada"})),
    ("any exception", _raise(KeyError("x")), Failed("'x'", retryable=True)),
    ("an exception without words", _raise(TimeoutError()), Failed("TimeoutError", retryable=True)),
    ("a hopeless job", _raise(NonRetryableError("no", code="C")), Failed("no", retryable=False, code="C")),
    ("an exit", lambda _: sys.exit("bye"), Failed("bye", retryable=True)),
    (
        "a list",
        lambda _: [1],
        Failed(
            "the handler for 'greet' returned a list; return a dict of variables or None",
            retryable=False,
            code="invalid-result",
        ),
    ),
    ("no handler", None, Failed("no handler registered for 'greet'", retryable=False)),
]


@pytest.mark.parametrize(("handler", "outcome"), [each[1:] for each in OUTCOMES], ids=[each[0] for each in OUTCOMES])
def test_outcome(job: dict[str, Any], handler: Callable[[JobContext], object] | None, outcome: Outcome) -> None:
    """What a handler does decides the outcome, and nothing it raises escapes."""
    assert execute(handler, job) == outcome


def test_a_handler_sees_every_key_whatever_the_engine_left_out() -> None:
    """A job of an older engine has no stepId and null variables; the handler's dict has all keys."""
    seen: list[JobContext] = []
    execute(seen.append, {"id": "1", "jobType": "greet", "variables": None})
    assert (isinstance(seen[0], dict), set(seen[0]), seen[0]["variables"]) == (True, KEYS, {})


def test_the_lease_token_is_not_shown(job: dict[str, Any]) -> None:
    """A handler that logs its context does not log the right to report the job."""
    seen: list[JobContext] = []
    execute(seen.append, {**job, "leaseToken": "secret", "attempt": 2})
    assert ("leaseToken" in seen[0], seen[0]["attempt"]) == (False, 2)


def test_a_handler_may_change_its_variables(job: dict[str, Any]) -> None:
    """The variables are the handler's own copy."""

    def handler(ctx: JobContext) -> None:
        ctx.variables.clear()

    execute(handler, job)
    assert job["variables"] == {"name": "Ada"}
