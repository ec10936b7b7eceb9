"""One batch at work: the state its commands see, and the changes they make.

Commands of a batch run in order, each on what the ones before it left behind. A command that is refused leaves nothing
on the desk, so its batch-mates never notice it.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec

from rochallor.core.commands import Command, CompleteJob, ExpireLease, FailJob, RetryStep, StartInstance
from rochallor.core.context import Context, Rules
from rochallor.core.definition.model import Definition
from rochallor.core.errors import NotFound, WorkflowError
from rochallor.core.events import Committed, JobCreated, JobExpired, JobRetried, TimerScheduled
from rochallor.core.ids import JobRef
from rochallor.core.machine import Outcome, step
from rochallor.core.model import Instance
from rochallor.core.reports import Verdict
from rochallor.ports import Change, Loaded, StoreConflict, Transaction, Wanted
from rochallor.shell.definitions import Definitions

_ABOUT_A_JOB = (CompleteJob, FailJob, ExpireLease)
_QUEUED = (JobCreated, JobRetried, JobExpired)


class Moment(NamedTuple):
    """The time and chance of one batch."""

    now_ms: int
    entropy: int


class Cause(msgspec.Struct, frozen=True, gc=False):
    """Why a change was made: its command, and the state before it (None for a start)."""

    command: Command
    before: Instance | None


class Desk:
    """State by name, the transaction it came from, and the changes so far, each with its cause beside it.

    `ready` counts the new claimable jobs by type, `ripened` those that were there and can be claimed only now; `plans`
    are the times at which something of this batch falls due; `released` are the definitions of which a business key
    became free.
    """

    def __init__(
        self,
        tx: Transaction,
        loaded: Loaded,
        *,
        definitions: Definitions,
        rules: Rules,
        moment: Moment,
        unique_keys: bool,
    ) -> None:
        self.tx = tx
        self.loaded = loaded
        self.now_ms = moment.now_ms
        self.changes: list[Change] = []
        self.causes: list[Cause] = []
        self.ready: Counter[str] = Counter()
        self.ripened: Counter[str] = Counter()
        self.plans: list[int] = []
        self.released: set[str] = set()
        self.step = step
        self._entropy = moment.entropy
        self._definitions = definitions
        self._rules = rules
        self._unique_keys = unique_keys

    async def do(self, command: Command) -> Outcome:
        """Do one command on an existing instance; raises `WorkflowError`."""
        instance = self.loaded.instances.get(command.instance_id)
        job = command.job if isinstance(command, _ABOUT_A_JOB) else None
        if instance is None:
            if job is not None:
                return Outcome(_NOBODY, (), Verdict.NOT_FOUND)
            raise NotFound(f"no instance has the id '{command.instance_id}'")
        if isinstance(command, RetryStep) and instance.business_key is not None:
            await self._see_key((instance.definition_id, instance.business_key))
        definition = await self._definitions.pinned(self.tx, instance.definition_id, instance.definition_version)
        return self._step(definition, instance, command, job)

    async def start(self, definition_id: str, version: int | None, command: StartInstance) -> Outcome:
        """Start an instance of a version (None: the newest); raises `WorkflowError`, `StoreConflict` to try again."""
        number = version or self.loaded.latest.get(definition_id)
        if number is None:
            raise NotFound(f"no definition has the id '{definition_id}'; upload it first")
        try:
            definition = await self._definitions.pinned(self.tx, definition_id, number)
            return self._step(definition, None, command, None)
        except WorkflowError:
            if version is None and await self.tx.newest_version(definition_id) != number:
                raise StoreConflict("a start was refused by a version that is the newest no more") from None
            raise

    def _step(self, definition: Definition, instance: Instance | None, command: Command, job: JobRef | None) -> Outcome:
        context = Context(
            now_ms=self.now_ms,
            entropy=self._entropy,
            rules=self._rules,
            lease=self.loaded.leases.get(job) if job is not None else None,
            key_holder=self._key_holder(definition.id, instance, command),
        )
        outcome = self.step(definition, instance, command, context)
        if outcome.events:
            self._record(Cause(command, instance), outcome)
        return outcome

    def _key_holder(self, definition_id: str, instance: Instance | None, command: Command) -> str | None:
        key = command.business_key if isinstance(command, StartInstance) else instance and instance.business_key
        holder = self.loaded.keys.get((definition_id, key)) if key else None
        return holder if holder != command.instance_id else None

    def _record(self, cause: Cause, outcome: Outcome) -> None:
        command, after = cause.command, outcome.instance
        committed = Committed(
            after.id, after.revision, self.now_ms, command.actor, type(command).__name__, outcome.events
        )
        self.changes.append(Change(committed, after))
        self.causes.append(cause)
        self.loaded.instances[after.id] = after
        if after.business_key is not None:
            self._track_key(after, (after.definition_id, after.business_key))
        self._track_work(outcome)

    async def _see_key(self, key: tuple[str, str]) -> None:
        """Look up who holds a key that nobody could name before the instance was there."""
        if key in self.loaded.keys:
            return
        holder = (await self.tx.load(Wanted(keys=frozenset({key})))).keys.get(key)
        known = self.loaded.instances.get(holder) if holder else None
        if holder and (known is None or not known.status.terminal):  # it may have ended in this very batch
            self.loaded.keys[key] = holder

    def _track_key(self, after: Instance, key: tuple[str, str]) -> None:
        if not after.status.terminal:
            if self._unique_keys:
                self.loaded.keys[key] = after.id
        else:
            self.released.add(after.definition_id)
            if self.loaded.keys.get(key) == after.id:
                del self.loaded.keys[key]

    def _track_work(self, outcome: Outcome) -> None:
        for event in outcome.events:
            if isinstance(event, _QUEUED):
                if event.ready_at_ms <= self.now_ms:
                    self.ready[event.job_type] += 1
                else:
                    self.plans.append(event.ready_at_ms)
            elif isinstance(event, TimerScheduled):
                self.plans.append(event.due_ms)


_NOBODY = Instance(id="", definition_id="", definition_version=0, started_at_ms=0)
