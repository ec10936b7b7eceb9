"""What a handler is given: a dict with attributes, and a worker's half that may cancel it."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from workflow_sdk.errors import JobCancelled
from workflow_sdk.handler.context import Control, JobContext

OURS: dict[str, Any] = {
    "businessKey": "ada-1",
    "definitionId": "LOS::loan",
    "definitionVersion": 3,
    "attempt": 2,
    "createdAt": "2030-01-01T00:00:00.123456789Z",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "leaseToken": "secret",
}
FACTS: list[tuple[str, Any, Any]] = [
    # attribute, of a job of ours, of a job of an older engine
    ("id", "job-1", "job-1"),
    ("job_type", "greet", "greet"),
    ("instance_id", "instance-1", "instance-1"),
    ("step_id", "step-1", "step-1"),
    ("step_execution_id", "execution-1", "execution-1"),
    ("idempotency_key", "execution-1", "execution-1"),
    ("retries_remaining", 2, 2),
    ("variables", {"name": "Ada"}, {"name": "Ada"}),
    ("business_key", "ada-1", ""),
    ("definition_id", "LOS::loan", ""),
    ("definition_version", 3, 0),
    ("attempt", 2, 1),
    ("created_at", datetime(2030, 1, 1, microsecond=123456, tzinfo=timezone.utc), None),
    ("traceparent", OURS["traceparent"], ""),
    ("deadline", None, None),
    ("cancelled", False, False),
]


@pytest.mark.parametrize(("name", "ours", "old"), FACTS, ids=[fact[0] for fact in FACTS])
def test_facts_are_attributes(job: dict[str, Any], name: str, ours: object, old: object) -> None:
    """Every fact of the job is an attribute, and an older engine's job has a neutral value for it."""
    assert (getattr(JobContext({**job, **OURS}), name), getattr(JobContext(job), name)) == (ours, old)


def test_attributes_read_the_dict(job: dict[str, Any]) -> None:
    """What is changed in the dict is changed in the attribute: there is one truth."""
    ctx = JobContext(job)
    ctx["variables"] = {"name": "Grace"}
    assert ctx.variables == {"name": "Grace"}


def test_it_is_json(job: dict[str, Any]) -> None:
    """It is written as JSON like any dict."""
    ctx = JobContext(job)
    assert json.loads(json.dumps(ctx)) == job == ctx


def test_the_lease_token_is_nowhere(job: dict[str, Any]) -> None:
    """Neither the dict nor its text, pickle or attributes show the right to report the job."""
    ctx = JobContext({**job, **OURS})
    shown = [repr(ctx), pickle.dumps(ctx).decode("latin-1"), json.dumps(ctx), repr(vars(ctx.logger))]
    assert [each for each in shown if "secret" in each] == []


def test_it_travels_to_another_process(job: dict[str, Any]) -> None:
    """Pickled and back it is the same job with the same deadline; cancelling stays at home."""
    deadline = datetime(2030, 1, 1, tzinfo=timezone.utc)
    control = Control(deadline)
    sent = JobContext(job, control)
    sent.logger.debug("a logger that was used does not stand in the way")
    came = pickle.loads(pickle.dumps(sent))
    control.cancel()
    assert (type(came), came, came.deadline, came.cancelled) == (JobContext, sent, deadline, False)


def test_a_copy_is_cancelled_with_its_original(job: dict[str, Any]) -> None:
    """Middleware may pass a changed copy on; the worker still reaches it."""
    control = Control()
    twin = copy.copy(JobContext(job, control))
    control.cancel("lease lost")
    assert twin.cancelled


def test_check_cancelled_raises_once_cancelled(job: dict[str, Any]) -> None:
    """It does nothing until the worker cancels, then raises with the first reason."""
    control = Control()
    ctx = JobContext(job, control)
    ctx.check_cancelled()
    control.cancel("the lease is lost")
    control.cancel("the worker stops")
    with pytest.raises(JobCancelled, match="the lease is lost"):
        ctx.check_cancelled()


def test_the_key_of_an_engine_without_step_executions_is_the_job() -> None:
    """There is always something to be idempotent by."""
    assert JobContext({"id": "7"}).idempotency_key == "7"


MOMENTS: list[tuple[Any, datetime | None]] = [
    ("2030-01-01T00:00:00Z", datetime(2030, 1, 1, tzinfo=timezone.utc)),
    ("2030-01-01T01:30:00.5+01:30", datetime(2030, 1, 1, microsecond=500_000, tzinfo=timezone.utc)),
    ("2029-12-31T22:00:00-02:00", datetime(2030, 1, 1, tzinfo=timezone.utc)),
    (datetime(2030, 1, 1, tzinfo=timezone.utc), datetime(2030, 1, 1, tzinfo=timezone.utc)),
    ("soon", None),
    ("2030-13-01T00:00:00Z", None),
    (None, None),
    (5, None),
]


@pytest.mark.parametrize(("given", "moment"), MOMENTS, ids=str)
def test_times_are_read_as_utc(given: object, moment: datetime | None) -> None:
    """RFC 3339 of any engine becomes an aware time in UTC; anything else is no time and no error."""
    found = JobContext({"lockExpiresAt": given}).lock_expires_at
    assert (found, found and found.utcoffset()) == (moment, moment and timedelta(0))


def test_log_records_carry_the_job(job: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """A handler's log line can be found by job, instance and trace, keeps its own extras, and shows no variables."""
    with caplog.at_level(logging.INFO, "workflow_sdk.handler"):
        JobContext({**job, **OURS}).logger.info("paid %s", "x", extra={"bank": "B"})
    record = caplog.records[0]
    facts = ("job_id", "job_type", "instance_id", "step_id", "attempt", "trace_id", "bank")
    expected = ["job-1", "greet", "instance-1", "step-1", 2, "0af7651916cd43dd8448eb211c80319c", "B"]
    assert ([getattr(record, name) for name in facts], hasattr(record, "variables")) == (expected, False)
