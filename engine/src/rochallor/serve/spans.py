"""Which spans a committed batch has finished: pure, and the same in every engine.

An instance has a span, each of its step executions one under it, each delivery of a job one under its step; what the
worker does belongs under that. Nobody remembers an open span: its id follows from the id of the thing it is about, its
beginning is in the state, and so any engine can finish what another one began, also after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

from rochallor.core import events as ev
from rochallor.core.ids import JobRef, step_execution_id
from rochallor.core.model import Instance
from rochallor.ports import Change
from rochallor.shell.desk import Cause

_CROCKFORD = {digit: value for value, digit in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}


class Span(NamedTuple):
    """A finished span, in a trace that is the instance's. Ids are numbers of 64 bits; times are epoch milliseconds.

    `error` is why it failed, None if it did not. `link` is the traceparent of the request that finished it.
    """

    name: str
    span_id: int
    parent_id: int | None
    start_ms: int
    end_ms: int
    attributes: dict[str, str | int]
    error: str | None = None
    link: str | None = None


class Trace(NamedTuple):
    """The trace of an instance: as its starter said, else one of its own, whose id is the instance's."""

    trace_id: int
    parent_id: int | None
    sampled: bool | None


def trace_of(instance_id: str, traceparent: str | None) -> Trace:
    """Return an instance's trace; `sampled` is None where nobody has decided that."""
    if traceparent is None:
        return Trace(_number_of(instance_id), None, None)
    _, trace_id, parent_id, flags = traceparent.split("-")
    return Trace(int(trace_id, 16), int(parent_id, 16), flags == "01")


def span_id(thing: str) -> int:
    """Return the span id of an instance, a step execution or a delivery, given its id."""
    return int.from_bytes(blake2b(thing.encode(), digest_size=8).digest()) or 1


def spans_of(change: Change, cause: Cause) -> Iterator[Span]:
    """Return the spans that a change has finished, inner ones first; the first is linked to who asked for it."""
    link = cause.command.traceparent
    for event in change.committed.events:
        finish = _FINISHED.get(type(event))
        if finish is None:
            continue
        for span in finish(change, cause.before, event):
            # A start has its caller as the parent already.
            yield span if cause.before is None else span._replace(link=link)
            link = None


def _number_of(instance_id: str) -> int:
    """Return the 128 bits that a ULID writes."""
    number = 0
    for digit in instance_id:
        number = number * 32 + _CROCKFORD[digit]
    return number


def _instance(
    change: Change, _before: Instance | None, event: ev.InstanceCompleted | ev.InstanceFailed | ev.InstanceCancelled
) -> Iterator[Span]:
    after = change.after
    yield Span(
        f"instance {after.definition_id}",
        span_id(after.id),
        trace_of(after.id, after.traceparent).parent_id,
        after.started_at_ms,
        change.committed.at_ms,
        {**_whose(after), "rochallor.outcome": after.status.value},
        event.reason if isinstance(event, ev.InstanceFailed) else None,
    )


def _step(change: Change, before: Instance | None, event: ev.StepClosed) -> Iterator[Span]:
    after, at_ms = change.after, change.committed.at_ms
    error = (event.reason or event.outcome) if event.outcome == "FAILED" else None
    if event.delivery:
        yield _delivery(change, before, event, event.delivery, error)
    execution_id = step_execution_id(after.id, event.seq)
    attributes: dict[str, str | int] = {
        **_whose(after),
        "rochallor.step_id": event.step_id,
        "rochallor.step_type": event.step_type.value,
        "rochallor.step_execution_id": execution_id,
        "rochallor.attempt": event.attempt,
        "rochallor.outcome": event.outcome,
    }
    name = f"step {event.step_id}"
    yield Span(name, span_id(execution_id), span_id(after.id), event.entered_at_ms, at_ms, attributes, error)


def _retried(change: Change, before: Instance | None, event: ev.JobRetried) -> Iterator[Span]:
    yield _delivery(change, before, event, event.delivery - 1, event.message)


def _expired(change: Change, before: Instance | None, event: ev.JobExpired) -> Iterator[Span]:
    yield _delivery(change, before, event, event.delivery - 1, "the worker's lease ran out")


def _delivery(
    change: Change,
    before: Instance | None,
    event: ev.StepClosed | ev.JobRetried | ev.JobExpired,
    delivery: int,
    error: str | None,
) -> Span:
    after, at_ms = change.after, change.committed.at_ms
    step = before.open.get(event.seq) if before else None
    job = step.job if step else None
    job_id = str(JobRef(after.id, event.seq, delivery))
    attributes: dict[str, str | int] = {
        **_whose(after),
        "rochallor.step_id": event.step_id,
        "rochallor.job_id": job_id,
        "rochallor.job_type": job.job_type if job else "",
        "rochallor.delivery": delivery,
    }
    # What the same command opened and closed is not in the state before it, and took no time.
    start_ms = min(job.ready_at_ms, at_ms) if job else at_ms
    parent_id = span_id(step_execution_id(after.id, event.seq))
    name = f"job {job.job_type}" if job else f"job of {event.step_id}"
    return Span(name, span_id(job_id), parent_id, start_ms, at_ms, attributes, error)


def _whose(after: Instance) -> dict[str, str | int]:
    return {
        "rochallor.instance_id": after.id,
        "rochallor.definition_id": after.definition_id,
        "rochallor.definition_version": after.definition_version,
    }


_FINISHED: dict[type, Callable[[Change, Instance | None, Any], Iterator[Span]]] = {
    ev.InstanceCompleted: _instance,
    ev.InstanceFailed: _instance,
    ev.InstanceCancelled: _instance,
    ev.StepClosed: _step,
    ev.JobRetried: _retried,
    ev.JobExpired: _expired,
}
