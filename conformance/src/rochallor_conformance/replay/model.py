"""A small engine in memory, to hold a real one against: what a definition of plain steps does, and nothing else.

Steps follow each other and END. There are service tasks with a number of retries, user tasks and waits; no time, no
branches, no expressions. The model knows no transport and no ids of its own: it is told those the engine made up.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

Json = dict[str, Any]
ASK, PARK = "U", "W"
WORK = {"S0": 0, "S1": 1, "S2": 2}
"""Kinds of service task, with the retries of each."""
KINDS = (*WORK, ASK, PARK)
END = "end"
OPEN = ("ACTIVE", "WAITING")


class Told(NamedTuple):
    """How a session ended: `problem` is "" when engine and model agreed; `steps` is the shortest story otherwise."""

    problem: str = ""
    steps: str = ""


class Definition(msgspec.Struct, frozen=True):
    """A definition by the kinds of its steps, one after the other."""

    id: str
    kinds: tuple[str, ...]

    @property
    def document(self) -> Json:
        """What is uploaded."""
        steps = [self._step(index, kind) for index, kind in enumerate(self.kinds)]
        return {"id": self.id, "name": self.id, "steps": [*steps, {"id": END, "name": END, "type": "END"}]}

    @property
    def job_type(self) -> str:
        """The type of its jobs, of every step the same."""
        return f"job-{self.id}"

    def _step(self, index: int, kind: str) -> Json:
        after = step_id(index + 1) if index + 1 < len(self.kinds) else END
        step: Json = {"id": step_id(index), "name": kind, "nextStep": after}
        if kind in WORK:
            return {**step, "type": "SERVICE_TASK", "jobType": self.job_type, "retryCount": WORK[kind]}
        return {**step, "type": "USER_TASK" if kind == ASK else "WAIT"}


def step_id(index: int) -> str:
    """Return the name of the n-th step."""
    return f"step-{index}"


class Job(msgspec.Struct, eq=False):
    """A job that was handed out. `is_live` ends with the first report about it, or with its instance."""

    id: str
    token: str
    instance: Instance
    is_live: bool = True


class Instance(msgspec.Struct, eq=False):
    """An instance as it should be. `at` is the index of its open step; `waits_for_worker` while its job is not held."""

    id: str
    definition: Definition
    variables: Json
    at: int = 0
    status: str = "ACTIVE"
    retries: int = 0
    waits_for_worker: bool = False
    held: Job | None = None
    entered: list[str] = []

    def __post_init__(self) -> None:
        self._enter(self.at)

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.status in OPEN

    @property
    def kind(self) -> str:
        """The kind of its open step, "" once it has ended."""
        return self.definition.kinds[self.at] if self.is_open else ""

    @property
    def seen(self) -> Json:
        """What reading it should show."""
        return {
            "status": self.status,
            "currentStepIds": [step_id(self.at)] if self.is_open else [],
            "variables": self.variables,
        }

    def hand_out(self, job_id: str, token: str) -> Job:
        """Give its waiting job to a worker."""
        self.waits_for_worker, self.held = False, Job(job_id, token, self)
        return self.held

    def go_on(self, variables: Json) -> None:
        """Its open step was done with these results."""
        self.variables = {**self.variables, **variables}
        self._drop()
        self._enter(self.at + 1)

    def fail(self, *, retryable: bool) -> None:
        """Its job failed."""
        self._drop()
        if retryable and self.retries:
            self.retries -= 1
            self.waits_for_worker = True
        else:
            self.status = "FAILED"

    def cancel(self) -> None:
        """Somebody cancelled it."""
        self._drop()
        self.status, self.waits_for_worker = "CANCELLED", False

    def retry(self, variables: Json) -> None:
        """Somebody brought it back after it failed."""
        self.variables = {**self.variables, **variables}
        self._enter(self.at)

    def _drop(self) -> None:
        if self.held:
            self.held.is_live = False
        self.held = None

    def _enter(self, index: int) -> None:
        if index == len(self.definition.kinds):
            self.status, self.entered = "COMPLETED", [*self.entered, END]
            return
        self.at, self.entered = index, [*self.entered, step_id(index)]
        kind = self.definition.kinds[index]
        self.status = "ACTIVE" if kind in WORK else "WAITING"
        self.retries, self.waits_for_worker = WORK.get(kind, 0), kind in WORK
