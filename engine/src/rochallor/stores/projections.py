"""Which rows follow from which event: one table, the same for every store.

Belongs here: the meaning of events as rows, and the netting inside a batch. An instance is written once, as its last
change leaves it; a job or timer that comes and goes within the batch needs no row at all. So a store only ever sees
what is left to do, and may run all deletes before all inserts.

What would break it: reading a clock, asking a store, or deciding anything. An event is a fact; a row is its shadow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple, replace

from rochallor.core import events as ev
from rochallor.core.events import Committed
from rochallor.core.model import Instance, StepType
from rochallor.core.variables import Variables, encode_variables
from rochallor.ports import Change


class JobRow(msgspec.Struct, frozen=True, gc=False):
    """A job that can be claimed (`delayed`: from `ready_at_ms` on), with what a worker is told about it."""

    instance_id: str
    step_seq: int
    delivery: int
    step_id: str
    job_type: str
    definition_id: str
    definition_version: int
    business_key: str | None
    retries_remaining: int
    created_at_ms: int
    ready_at_ms: int
    delayed: bool
    traceparent: str | None


class LeasedRow(NamedTuple):
    """A job that is somebody's from the outset."""

    job: JobRow
    worker_id: str
    lease_token: str
    locked_at_ms: int
    lease_expires_at_ms: int


class TaskRow(NamedTuple):
    """A user task that was opened, and closed again if `status` says so."""

    instance_id: str
    seq: int
    step_id: str
    definition_id: str
    definition_version: int
    business_key: str | None
    created_at_ms: int
    status: str = "OPEN"
    closed_at_ms: int | None = None
    completed_by: str = ""


class TaskClosing(NamedTuple):
    """The end of a user task that an earlier batch opened."""

    status: str
    closed_at_ms: int
    completed_by: str
    instance_id: str
    seq: int


class TimerRow(NamedTuple):
    """A boundary timer that waits for its time."""

    instance_id: str
    seq: int
    position: int
    due_ms: int


class KeyRow(NamedTuple):
    """An instance in flight holds a business key of its definition."""

    definition_id: str
    key: str
    instance_id: str


class ChainRow(NamedTuple):
    """A completed instance asks for its next workflow."""

    parent_id: str
    next_workflow_id: str
    business_key: str | None
    due_at_ms: int


class Write(msgspec.Struct, frozen=True, gc=False):
    """An instance after its last change; `before` is the revision the store must still have, 0 for a new one."""

    before: int
    after: Instance


COMING = ("insert_job", "insert_leased_job", "insert_key")
"""The statements that may need a place which others of the batch have to make free."""


class Batch:
    """All rows of a list of changes, netted. The dicts are keyed by what identifies a row, in the order of events."""

    def __init__(self, *, unique_keys: bool) -> None:
        self.unique_keys = unique_keys
        self.writes: dict[str, Write] = {}
        self.events: list[Committed] = []
        self.jobs: dict[tuple[str, int], JobRow] = {}
        self.jobs_leased: dict[tuple[str, int], LeasedRow] = {}
        self.jobs_gone: dict[tuple[str, int], None] = {}
        self.timers: dict[tuple[str, int], dict[int, TimerRow]] = {}
        self.timers_gone: dict[tuple[str, int, int], None] = {}
        self.timer_steps_gone: dict[tuple[str, int], None] = {}
        self.tasks: dict[tuple[str, int], TaskRow] = {}
        self.tasks_closed: list[TaskClosing] = []
        self.keys: dict[KeyRow, None] = {}
        self.keys_gone: dict[KeyRow, None] = {}
        self.chains: dict[str, ChainRow] = {}
        self.chains_gone: dict[str, None] = {}

    def add(self, change: Change) -> None:
        """Take in one command's effect."""
        committed, after = change.committed, change.after
        self.events.append(committed)
        earlier = self.writes.get(after.id)
        self.writes[after.id] = Write(earlier.before if earlier else committed.revision - 1, after)
        for event in committed.events:
            _ROWS[type(event)](self, change, event)

    def replaces(self) -> bool:
        """Tell whether a row goes and another comes at its place, so that what is `COMING` has to wait.

        Only jobs and keys do that: a step that is entered again has a new number, and an instance asks for its next
        workflow once.
        """
        gone = self.jobs_gone.keys()
        keys = {key[:2] for key in self.keys_gone} & {key[:2] for key in self.keys}
        return bool(keys) or not (gone.isdisjoint(self.jobs) and gone.isdisjoint(self.jobs_leased))

    def statements(self) -> Iterator[tuple[str, Sequence[tuple[Any, ...]]]]:
        """Return the SQL statements' names with their rows, in an order in which no row is in another's way.

        Instances that move come by id: two writers that lock the same ones do so in the same order.
        """
        yield "insert_instance", [_new_row(write.after) for write in self.writes.values() if not write.before]
        yield "update_instance", [_changed_row(write) for _, write in sorted(self.writes.items()) if write.before]
        yield "insert_event", [event_row(committed) for committed in self.events]
        yield "delete_job", list(self.jobs_gone)
        yield "insert_job", [astuple(job) for job in self.jobs.values()]
        yield "insert_leased_job", [(*astuple(row.job), *row[1:]) for row in self.jobs_leased.values()]
        yield "delete_step_timers", list(self.timer_steps_gone)
        yield "delete_timer", list(self.timers_gone)
        yield "insert_timer", [timer for timers in self.timers.values() for timer in timers.values()]
        yield "insert_user_task", list(self.tasks.values())
        yield "close_user_task", self.tasks_closed
        yield "delete_key", list(self.keys_gone)
        yield "insert_key", list(self.keys)
        yield "delete_chain", [(parent_id,) for parent_id in self.chains_gone]
        yield "insert_chain", list(self.chains.values())


def project(changes: Sequence[Change], *, unique_keys: bool) -> Batch:
    """Return the rows that follow from `changes`; without `unique_keys` nobody holds a business key."""
    batch = Batch(unique_keys=unique_keys)
    for change in changes:
        batch.add(change)
    return batch


def _start(batch: Batch, change: Change, _event: ev.InstanceStarted | ev.InstanceReopened) -> None:
    after = change.after
    if batch.unique_keys and after.business_key is not None:
        batch.keys[KeyRow(after.definition_id, after.business_key, after.id)] = None


def _end(batch: Batch, change: Change, _event: object) -> None:
    after = change.after
    if not batch.unique_keys or after.business_key is None:
        return
    held = KeyRow(after.definition_id, after.business_key, after.id)
    if held in batch.keys:
        del batch.keys[held]
    else:
        batch.keys_gone[held] = None


def _queue(batch: Batch, change: Change, event: ev.JobCreated | ev.JobRetried | ev.JobExpired) -> None:
    committed, after = change.committed, change.after
    place = (after.id, event.seq)
    if batch.jobs.pop(place, None) is None and not isinstance(event, ev.JobCreated):
        batch.jobs_gone[place] = None
    batch.jobs[place] = JobRow(
        instance_id=after.id,
        step_seq=event.seq,
        delivery=event.delivery,
        step_id=event.step_id,
        job_type=event.job_type,
        definition_id=after.definition_id,
        definition_version=after.definition_version,
        business_key=after.business_key,
        retries_remaining=event.retries_remaining,
        created_at_ms=committed.at_ms,
        ready_at_ms=event.ready_at_ms,
        delayed=event.ready_at_ms > committed.at_ms,
        traceparent=after.traceparent,
    )


def _open_task(batch: Batch, change: Change, event: ev.UserTaskOpened) -> None:
    committed, after = change.committed, change.after
    batch.tasks[after.id, event.seq] = TaskRow(
        instance_id=after.id,
        seq=event.seq,
        step_id=event.step_id,
        definition_id=after.definition_id,
        definition_version=after.definition_version,
        business_key=after.business_key,
        created_at_ms=committed.at_ms,
    )


def _schedule(batch: Batch, change: Change, event: ev.TimerScheduled) -> None:
    timers = batch.timers.setdefault((change.after.id, event.seq), {})
    timers[event.index] = TimerRow(change.after.id, event.seq, event.index, event.due_ms)


def _fire(batch: Batch, change: Change, event: ev.TimerFired) -> None:
    place = (change.after.id, event.seq)
    if place in batch.timers:
        batch.timers[place].pop(event.index, None)
    else:
        batch.timers_gone[(*place, event.index)] = None


def _close(batch: Batch, change: Change, event: ev.StepClosed) -> None:
    place = (change.after.id, event.seq)
    if event.delivery and batch.jobs.pop(place, None) is None:
        batch.jobs_gone[place] = None
    if event.timers and batch.timers.pop(place, None) is None:
        batch.timer_steps_gone[place] = None
    if event.step_type is StepType.USER_TASK:
        _close_task(batch, change, event)


def _close_task(batch: Batch, change: Change, event: ev.StepClosed) -> None:
    at_ms, place = change.committed.at_ms, (change.after.id, event.seq)
    status = "COMPLETED" if event.outcome == "COMPLETED" else "CANCELLED"
    if place in batch.tasks:
        opened = batch.tasks[place]
        batch.tasks[place] = opened._replace(status=status, closed_at_ms=at_ms, completed_by=event.by)
    else:
        batch.tasks_closed.append(TaskClosing(status, at_ms, event.by, *place))


def _ask_for_next(batch: Batch, change: Change, event: ev.ChainRequested) -> None:
    committed, after = change.committed, change.after
    batch.chains[after.id] = ChainRow(after.id, event.next_workflow_id, after.business_key, committed.at_ms)


def _next_started(batch: Batch, change: Change, _event: ev.ChildStarted) -> None:
    if batch.chains.pop(change.after.id, None) is None:
        batch.chains_gone[change.after.id] = None


def _nothing(_batch: Batch, _change: Change, _event: object) -> None:
    """Only the instance's state and its history know of it."""


_ROWS: dict[type, Callable[[Batch, Change, Any], None]] = {
    ev.InstanceStarted: _start,
    ev.InstanceReopened: _start,
    ev.InstanceCompleted: _end,
    ev.InstanceFailed: _end,
    ev.InstanceCancelled: _end,
    ev.StepEntered: _nothing,
    ev.StepClosed: _close,
    ev.JobCreated: _queue,
    ev.JobRetried: _queue,
    ev.JobExpired: _queue,
    ev.UserTaskOpened: _open_task,
    ev.TimerScheduled: _schedule,
    ev.TimerFired: _fire,
    ev.GatewayFired: _nothing,
    ev.TokenArrived: _nothing,
    ev.TokensExpected: _nothing,
    ev.ActivationEnded: _nothing,
    ev.ChainRequested: _ask_for_next,
    ev.ChildStarted: _next_started,
}

_decode_state = msgspec.json.Decoder(Instance).decode
_decode_variables = msgspec.json.Decoder(Variables).decode


def state_text(instance: Instance) -> str:
    """Return an instance as JSON text without its variables, which have a column of their own."""
    return msgspec.json.encode(replace(instance, variables={})).decode()


def instance_of(state: str, variables: bytes) -> Instance:
    """Return the instance that was stored as `state_text` and its variables' JSON."""
    instance = _decode_state(state)
    instance.variables = _decode_variables(variables)
    return instance


def event_row(committed: Committed) -> tuple[str, int, int, str, str, str]:
    """Return the columns of `insert_event`."""
    events = ev.encode_events(committed.events).decode()
    return committed.instance_id, committed.revision, committed.at_ms, committed.actor, committed.command, events


def _new_row(instance: Instance) -> tuple[Any, ...]:
    return (
        instance.id,
        instance.definition_id,
        instance.definition_version,
        instance.business_key,
        instance.parent_instance_id,
        instance.started_at_ms,
        *_moving(instance),
    )


def _changed_row(write: Write) -> tuple[Any, ...]:
    return (*_moving(write.after), write.after.id, write.before)


def _moving(instance: Instance) -> tuple[Any, ...]:
    """Return the columns that steps change."""
    return (
        instance.status.value,
        instance.completed_at_ms,
        instance.failure_reason,
        instance.child_instance_id,
        instance.revision,
        state_text(instance),
        encode_variables(instance.variables),
    )
