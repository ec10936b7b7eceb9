"""What happened: past tense, frozen, total.

The list of events is the machine's only output; the new state, the rows of every store, history, audit and live views
are all made from it. So an event carries whatever any of those needs (a closing step says when it was entered), and a
fact is never refused. Time is on the envelope (`Committed`), once for all events of a command.

Tags are stored for ever: a new event gets a new class, a new field gets a default.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from rochallor.core.definition.model import StepType
from rochallor.core.model import Pending, Token
from rochallor.core.variables import Variables


class Event(msgspec.Struct, frozen=True, omit_defaults=True, tag=True, tag_field="event", gc=False):
    """The base of all events; the tag is the class name."""


class InstanceStarted(Event, frozen=True):
    """A run began with these variables, in the trace of whoever started it."""

    definition_id: str
    definition_version: int
    variables: Variables
    business_key: str | None = None
    parent_instance_id: str | None = None
    traceparent: str | None = None


class StepEntered(Event, frozen=True):
    """A token entered a step; `waits_for` is the activation a join gathers."""

    seq: int
    step_id: str
    step_type: StepType
    attempt: int
    token: Token = Token()
    waits_for: int | None = None
    input: Variables | None = None


class JobCreated(Event, frozen=True):
    """A service task has a job to be worked, from `ready_at_ms` on."""

    seq: int
    step_id: str
    job_type: str
    retries_remaining: int
    ready_at_ms: int
    delivery: int = 1


class JobRetried(Event, frozen=True):
    """A worker failed this delivery and another try is left: the job is queued again as the next delivery."""

    seq: int
    step_id: str
    job_type: str
    delivery: int
    retries_remaining: int
    ready_at_ms: int
    message: str
    error_code: str = ""


class JobExpired(Event, frozen=True):
    """A lease ran out: the job is queued again as the next delivery, its retries untouched."""

    seq: int
    step_id: str
    job_type: str
    delivery: int
    retries_remaining: int
    ready_at_ms: int


class UserTaskOpened(Event, frozen=True):
    """A user task waits for a person."""

    seq: int
    step_id: str


class TimerScheduled(Event, frozen=True):
    """A boundary timer will fire at `due_ms` unless its step closes first."""

    seq: int
    index: int
    due_ms: int


class TimerFired(Event, frozen=True):
    """A boundary timer was due while its step was open. Not interrupting: `activation` expects one more token."""

    seq: int
    index: int
    step_id: str
    interrupting: bool
    activation: int | None = None
    due_ms: int = 0


class StepClosed(Event, frozen=True):
    """A step execution ended, with its job, user task and timers.

    `outcome`: COMPLETED or FAILED (with `reason`); CANCELLED with the instance; ABANDONED when an END closed it.
    `delivery` is the last one of its job, 0 when it never had one; `timers` are those that had not fired.
    """

    seq: int
    step_id: str
    step_type: StepType
    entered_at_ms: int
    outcome: Literal["COMPLETED", "FAILED", "CANCELLED", "ABANDONED"] = "COMPLETED"
    attempt: int = 1
    output: Variables = {}
    reason: str | None = None
    by: str = ""
    delivery: int = 0
    timers: int = 0


class GatewayFired(Event, frozen=True):
    """A parallel gateway made an activation of `branches` tokens, to be gathered at step `join`."""

    activation: int
    join: str
    branches: int
    parent: Token


class TokenArrived(Event, frozen=True):
    """A token of an activation reached its join."""

    activation: int


class TokensExpected(Event, frozen=True):
    """An activation has `change` more (or fewer) tokens than before."""

    activation: int
    change: int


class ActivationEnded(Event, frozen=True):
    """All tokens of an activation are accounted for: its join fired, or none is left."""

    activation: int


class InstanceCompleted(Event, frozen=True):
    """The run reached its end; `end_step_id` is None when the last token ran out instead."""

    end_step_id: str | None = None


class InstanceFailed(Event, frozen=True):
    """A step failed the run; what is open at this moment is kept for a manual retry."""

    reason: str
    seq: int
    pending: tuple[Pending, ...] = ()


class InstanceCancelled(Event, frozen=True):
    """Somebody stopped the run."""

    reason: str


class InstanceReopened(Event, frozen=True):
    """A manual retry brought a failed run back, with these variables merged."""

    step_id: str
    variables: Variables = {}


class ChainRequested(Event, frozen=True):
    """The next workflow is to be started with this run's variables and key."""

    next_workflow_id: str


class ChildStarted(Event, frozen=True):
    """The next workflow has been started."""

    child_instance_id: str


AnyEvent = (
    InstanceStarted
    | StepEntered
    | JobCreated
    | JobRetried
    | JobExpired
    | UserTaskOpened
    | TimerScheduled
    | TimerFired
    | StepClosed
    | GatewayFired
    | TokenArrived
    | TokensExpected
    | ActivationEnded
    | InstanceCompleted
    | InstanceFailed
    | InstanceCancelled
    | InstanceReopened
    | ChainRequested
    | ChildStarted
)


class Committed(msgspec.Struct, frozen=True, gc=False):
    """One command's events, as stored: one append-only row per (instance, revision). `at_ms` is since the epoch."""

    instance_id: str
    revision: int
    at_ms: int
    actor: str
    command: str
    events: tuple[AnyEvent, ...]


_decode = msgspec.json.Decoder(tuple[AnyEvent, ...]).decode


def encode_events(events: tuple[AnyEvent, ...]) -> bytes:
    """Return the events as one JSON array."""
    return msgspec.json.encode(events)


def decode_events(data: bytes) -> tuple[AnyEvent, ...]:
    """Return the events of one row; raises `msgspec.MsgspecError` when the bytes are damaged."""
    return _decode(data)
