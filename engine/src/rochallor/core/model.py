"""The state of one instance: what is open now, and what is needed to go on.

Belongs here: plain structs and how they are copied. A closed step is not here, it is in the events; so the state
stays as small as the work that is open, however long the instance has lived. Everything is JSON by construction.

`gc=False`, here and wherever a struct holds nothing but values: it cannot lead back to itself, so the garbage collector
need not look, which is a twentieth of what a job costs. What may hold an error is left to the collector.

Words. A *token* is a point of control: each open step holds one. An *activation* is one firing of a parallel gateway;
the tokens it made carry its number, and its join counts tokens of that activation, never rows or branches.
"""

from __future__ import annotations

from enum import Enum

import msgspec
from msgspec.structs import replace

from rochallor.core.definition.model import StepType
from rochallor.core.variables import Variables

__all__ = [
    "Activation",
    "Frozen",
    "Instance",
    "InstanceStatus",
    "Lease",
    "OpenJob",
    "OpenStep",
    "OpenTimer",
    "Pending",
    "StepType",
    "Token",
]


class InstanceStatus(str, Enum):
    """Where an instance is in its life; the last three are final."""

    ACTIVE = "ACTIVE"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    __hash__ = str.__hash__  # an enum's own is written in Python

    @property
    def terminal(self) -> bool:
        """Tell whether nothing moves any more."""
        return self in _TERMINAL


_TERMINAL = frozenset({InstanceStatus.COMPLETED, InstanceStatus.FAILED, InstanceStatus.CANCELLED})


class Token(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A point of control. `extra` marks one that a non-interrupting timer added to its activation."""

    activation: int | None = None
    extra: bool = False


class Activation(msgspec.Struct, omit_defaults=True, gc=False):
    """One firing of a parallel gateway: how many tokens belong to it, and how many wait at its join."""

    id: int
    join: str
    expected: int
    parent: Token
    arrived: int = 0


class OpenJob(msgspec.Struct, omit_defaults=True, gc=False):
    """The job of an open service task, without its lease: who holds it is the store's business, not history's."""

    job_type: str
    delivery: int
    retries_remaining: int
    ready_at_ms: int
    failures: int = 0
    expiries: int = 0


class OpenTimer(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A boundary timer that has not fired. `index` is its place in the step's definition."""

    index: int
    due_ms: int


class OpenStep(msgspec.Struct, omit_defaults=True, gc=False):
    """A step execution that has not closed. `seq` counts the instance's step executions from 1, in entry order."""

    seq: int
    step_id: str
    step_type: StepType
    attempt: int
    entered_at_ms: int
    token: Token = Token()
    waits_for: int | None = None
    job: OpenJob | None = None
    timers: tuple[OpenTimer, ...] = ()


class Pending(msgspec.Struct, frozen=True, gc=False):
    """A token that had left one step and not yet entered the next when the instance failed."""

    step_id: str
    token: Token


class Frozen(msgspec.Struct, gc=False):
    """What was open when the instance failed: what a manual retry brings back."""

    failed: int
    steps: tuple[OpenStep, ...]
    activations: tuple[Activation, ...]
    pending: tuple[Pending, ...] = ()


class Lease(msgspec.Struct, frozen=True, gc=False):
    """Who holds a job. Kept on the job's row only; claims and extensions make no history."""

    worker_id: str
    token: str
    expires_at_ms: int


class Instance(msgspec.Struct, omit_defaults=True, gc=False):
    """One run of a definition: its open state.

    `open` keeps entry order. `visits` counts executions per step id, `task_outcomes` says how the latest execution of
    each user task ended (`completed` by a caller or `closed` otherwise). `traceparent` is its starter's, in the form of
    the W3C.
    """

    id: str
    definition_id: str
    definition_version: int
    started_at_ms: int
    variables: Variables = {}
    status: InstanceStatus = InstanceStatus.ACTIVE
    business_key: str | None = None
    parent_instance_id: str | None = None
    child_instance_id: str | None = None
    traceparent: str | None = None
    completed_at_ms: int | None = None
    failure_reason: str | None = None
    revision: int = 0
    last_seq: int = 0
    parked: int = 0
    open: dict[int, OpenStep] = {}
    activations: dict[int, Activation] = {}
    visits: dict[str, int] = {}
    task_outcomes: dict[str, str] = {}
    frozen: Frozen | None = None

    def copy(self) -> Instance:
        """Return a state that can be changed without touching this one."""
        return replace(
            self,
            variables=self.variables.copy(),
            open={seq: replace(step) for seq, step in self.open.items()},
            activations={key: replace(activation) for key, activation in self.activations.items()},
            visits=self.visits.copy(),
            task_outcomes=self.task_outcomes.copy(),
        )

    @property
    def current_step_ids(self) -> list[str]:
        """Return the distinct ids of the open steps, in entry order."""
        return list(dict.fromkeys(step.step_id for step in self.open.values()))
