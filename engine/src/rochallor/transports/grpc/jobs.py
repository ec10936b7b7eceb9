"""The hot path: polls, results and batches of results, as messages. Every line here is paid per job."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Raw
from rochallor_proto import engine_pb2 as pb

from rochallor.shell.requests import JobCompleted, JobFailed, JobOutcome, LeaseExtension, Poll, Report
from rochallor.shell.views import JobView, OutcomeResult
from rochallor.transports.grpc.enums import OUTCOME_STATUSES
from rochallor.transports.grpc.moments import timestamp
from rochallor.transports.grpc.struct_json import fill_struct, struct_to_json

if TYPE_CHECKING:
    from google.protobuf.internal.containers import RepeatedCompositeFieldContainer as Messages

ANSWER_MS = 200
"""How long before the caller's deadline a waiting call gives up, so that its answer still arrives."""


def poll_of(request: pb.PollJobsRequest, remaining_s: float | None, worker_id: str = "") -> Poll:
    """Return a poll, waiting no longer than the caller will; `worker_id` stands in for an empty one."""
    return Poll(
        worker_id=request.worker_id or worker_id,
        job_types=list(request.job_types),
        max_jobs=request.max_jobs,
        lease_seconds=request.lease_seconds,
        wait_ms=patience_ms(request.wait_ms, remaining_s),
    )


def patience_ms(wait_ms: int, remaining_s: float | None) -> int:
    """Return how long a call may wait: as asked, but not past the caller's deadline (None = it has none)."""
    if not wait_ms or remaining_s is None:
        return wait_ms
    return max(0, min(wait_ms, int(remaining_s * 1000) - ANSWER_MS))


def add_jobs(messages: Messages[pb.Job], views: Iterable[JobView], *, as_json: bool) -> None:
    """Add jobs to an answer, their variables as JSON text or as a Struct.

    A message that is filled where it will stay costs a third of one that is made with its fields and then copied.
    """
    for view in views:
        message = messages.add()
        message.id = view.id
        message.job_type = view.job_type
        message.instance_id = view.instance_id
        message.step_id = view.step_id
        message.step_execution_id = view.step_execution_id
        message.retries_remaining = view.retries_remaining
        message.lock_expires_at.CopyFrom(_shared_timestamp(view.lock_expires_at))
        message.lease_token = view.lease_token
        message.attempt = view.attempt
        message.business_key = view.business_key or ""
        message.definition_id = view.definition_id
        message.definition_version = view.definition_version
        message.created_at.CopyFrom(_shared_timestamp(view.created_at))
        message.traceparent = view.traceparent or ""
        if as_json:
            message.variables_json = bytes(view.variables)
        else:
            fill_struct(message.variables, view.variables)


@lru_cache(maxsize=4_096)
def _shared_timestamp(moment: str) -> Timestamp:
    """Return a time to be copied, not changed: what one commit made has one time, so the same ones come again."""
    found = timestamp(moment)
    assert found is not None
    return found


def completion_variables(request: pb.CompleteJobRequest) -> bytes | None:
    """Return the variables of a completion as JSON.

    `variables_json` wins over the Struct: a client that does not know which engine it talks to may send both, and only
    the text is exact.
    """
    if request.variables_json:
        return request.variables_json
    if request.HasField("variables_to_set"):
        return struct_to_json(request.variables_to_set, "/variablesToSet")
    return None


def report_of(request: pb.ReportJobsRequest, remaining_s: float | None) -> Report:
    """Return a batch of outcomes with the poll that may follow it."""
    poll = poll_of(request.poll, remaining_s, request.worker_id) if request.HasField("poll") else None
    return Report(worker_id=request.worker_id, outcomes=[_outcome(each) for each in request.outcomes], poll=poll)


def _outcome(message: pb.JobOutcome) -> JobOutcome:
    outcome = JobOutcome(job_id=message.job_id, lease_token=message.lease_token)
    kind = message.WhichOneof("result")
    if kind == "completed":
        variables = message.completed.variables_json
        outcome.completed = JobCompleted(variables=Raw(variables) if variables else None)
    elif kind == "failed":
        failed = message.failed
        outcome.failed = JobFailed(
            error_message=failed.error_message,
            retryable=failed.retryable,
            retry_after_ms=failed.retry_after_ms or None,
            error_code=failed.error_code,
        )
    elif kind == "extend":
        outcome.extend = LeaseExtension(lease_seconds=message.extend.lease_seconds)
    return outcome


def add_results(messages: Messages[pb.JobOutcomeResult], views: Iterable[OutcomeResult]) -> None:
    """Add to an answer what became of each outcome."""
    for view in views:
        message = messages.add()
        message.job_id = view.job_id
        message.status = OUTCOME_STATUSES.number(view.status)  # type: ignore[assignment]  # the stubs want the enum's own type
        message.message = view.message or ""
        if view.lock_expires_at is not None:
            message.lock_expires_at.CopyFrom(_shared_timestamp(view.lock_expires_at))


def room(poll_bytes: int, *, as_json: bool) -> int:
    """Return how many bytes of JSON a poll may carry so that clients, who refuse messages over 4 MiB, can read it.

    A Struct of the same variables takes up to 5.5 times as many bytes (measured on maps of small numbers).
    """
    return poll_bytes if as_json else poll_bytes // _STRUCT_GROWTH


_STRUCT_GROWTH = 6
