"""History and audit, read from the events: what the instance's record says, step by step.

The events are the only record, so a history can never disagree with the state that the same events add up to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Raw

from rochallor.core import events as ev
from rochallor.core.ids import JobRef, step_execution_id
from rochallor.core.variables import encode_variables
from rochallor.shell.views import AuditEntry, HistoryItem, moment

_STATUS = {"COMPLETED": "COMPLETED", "FAILED": "FAILED", "CANCELLED": "CANCELLED", "ABANDONED": "RUNNING"}


def history_of(record: Iterable[ev.Committed]) -> list[HistoryItem]:
    """Return all step executions of one instance, in entry order."""
    items: dict[int, HistoryItem] = {}
    for committed in record:
        for event in committed.events:
            tell = _TELL.get(type(event))
            if tell is not None:
                tell(items, event, committed)
    return list(items.values())


def _entered(items: dict[int, HistoryItem], event: ev.StepEntered, committed: ev.Committed) -> None:
    items[event.seq] = HistoryItem(
        id=step_execution_id(committed.instance_id, event.seq),
        instance_id=committed.instance_id,
        step_id=event.step_id,
        step_type=event.step_type.value,
        attempt_number=event.attempt,
        status="RUNNING",
        started_at=moment(committed.at_ms),
        input=None if event.input is None else Raw(encode_variables(event.input)),
    )


def _closed(items: dict[int, HistoryItem], event: ev.StepClosed, committed: ev.Committed) -> None:
    item = items[event.seq]
    item.status = _STATUS[event.outcome]
    item.failure_reason = event.reason
    if event.output:
        item.output = Raw(encode_variables(event.output))
    if event.outcome == "ABANDONED":
        item.closed_at, item.closed_by = moment(committed.at_ms), "END"
    else:
        item.ended_at = moment(committed.at_ms)


_TELL: dict[type, Callable[[dict[int, HistoryItem], Any, ev.Committed], None]] = {
    ev.StepEntered: _entered,
    ev.StepClosed: _closed,
}


def delivered(record: Iterable[ev.Committed], job: JobRef) -> bool:
    """Tell whether a closed step execution ever had this delivery of its job."""
    return any(
        event.seq == job.seq and job.delivery <= event.delivery
        for committed in record
        for event in committed.events
        if isinstance(event, ev.StepClosed)
    )


def audit_of(record: Iterable[ev.Committed]) -> list[AuditEntry]:
    """Return who did what, one entry per change."""
    return [
        AuditEntry(
            revision=committed.revision,
            instance_id=committed.instance_id,
            actor=committed.actor,
            kind=committed.command,
            at=moment(committed.at_ms),
            step_id=_concerned(committed.events),
            detail=Raw(msgspec.json.encode({"events": committed.events})),
        )
        for committed in record
    ]


def _concerned(events: Iterable[ev.AnyEvent]) -> str | None:
    """Return the step that a change was about: the first one it closed, queued again, timed or retried."""
    return next((event.step_id for event in events if isinstance(event, _ABOUT)), None)


_ABOUT = (ev.StepClosed, ev.JobRetried, ev.JobExpired, ev.TimerFired, ev.InstanceReopened)
