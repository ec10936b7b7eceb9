"""The kinds of work a batch is made of: what each needs to see, and what it does at the desk.

A new kind of write is a new class here; the executor knows only this shape.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from rochallor.access import Caller
from rochallor.core import commands as cmd
from rochallor.core.errors import WorkflowError
from rochallor.core.events import ChainRequested
from rochallor.core.ids import JobRef
from rochallor.core.machine import Outcome
from rochallor.core.model import Lease
from rochallor.ports import ClaimedJob, Loaded, Transaction, Wanted
from rochallor.shell import checks
from rochallor.shell.desk import Desk
from rochallor.shell.known import Memory

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_REPORTS = (cmd.CompleteJob, cmd.FailJob)
_FIRST_CHAIN_RETRY_MS = 100
_LAST_CHAIN_RETRY_MS = 5_000
_NOBODY_KNOWS_HOW_MANY = 1 << 32


class Wishes:
    """Collects what a batch has to see. For `reports` the job's instance and lease may come from memory.

    `locking` says that a work will lock what it does not name.
    """

    def __init__(self) -> None:
        self.instances: set[str] = set()
        self.jobs: set[JobRef] = set()
        self.keys: set[tuple[str, str]] = set()
        self.latest: set[str] = set()
        self.reports: set[JobRef] = set()
        self.locking = False

    def without(self, memory: Memory, *, locked: bool) -> tuple[Wanted, Loaded]:
        """Return what has to be loaded, and what is remembered instead.

        What reports are about is remembered or only read, unless it has to be `locked`; and not only read where the
        batch locks something else, because all instances are to be locked in one go. An instance that has to be loaded
        for one work of the batch is not remembered for another.
        """
        recalled = Loaded({}, {}, {}, {})
        reported: set[JobRef] = set()
        mixed = bool(self.instances) or self.locking
        for job in self.reports:
            if not locked and (known := memory.recall(job)):
                recalled.instances[job.instance_id], recalled.leases[job] = known
            elif locked or mixed:
                self.instances.add(job.instance_id)
                self.jobs.add(job)
            else:
                reported.add(job)
        for instance_id in (*self.instances, *(job.instance_id for job in reported)):
            recalled.instances.pop(instance_id, None)
        wanted = Wanted(
            frozenset(self.instances),
            frozenset(self.jobs),
            frozenset(self.keys),
            frozenset(self.latest),
            frozenset(reported),
        )
        return wanted, recalled


class Work(Protocol[T_co]):
    """One submission: says what it needs, then does it."""

    def wish(self, wishes: Wishes) -> None:
        """Name what has to be loaded."""
        ...

    async def perform(self, desk: Desk) -> T_co:
        """Do it, on what the works before it left behind; raises `WorkflowError` to refuse."""
        ...


class Do:
    """A command on an existing instance."""

    __slots__ = ("command",)

    def __init__(self, command: cmd.Command) -> None:
        self.command = command

    def wish(self, wishes: Wishes) -> None:
        """The instance, and the lease of the job it is about."""
        command = self.command
        if isinstance(command, _REPORTS):
            wishes.reports.add(command.job)
            return
        wishes.instances.add(command.instance_id)
        if isinstance(command, cmd.ExpireLease):
            wishes.jobs.add(command.job)

    async def perform(self, desk: Desk) -> Outcome:
        """Do it; the outcome may carry an error although it changed something."""
        return await desk.do(self.command)


class Start:
    """A new instance of a definition, by version or of the newest."""

    __slots__ = ("command", "definition_id", "version")

    def __init__(self, definition_id: str, version: int | None, command: cmd.StartInstance) -> None:
        self.definition_id = definition_id
        self.version = version
        self.command = command

    def wish(self, wishes: Wishes) -> None:
        """The newest version, and who holds the key."""
        if self.version is None:
            wishes.latest.add(self.definition_id)
        if self.command.business_key is not None:
            wishes.keys.add((self.definition_id, self.command.business_key))

    async def perform(self, desk: Desk) -> Outcome:
        """Start it."""
        return await desk.start(self.definition_id, self.version, self.command)


class Chain:
    """The next workflow of a completed parent: started and linked in one go, or put off.

    Only the parent's request row makes this happen, and the row goes in the same transaction: so once.
    """

    __slots__ = ("child_id", "key", "parent_id", "target")

    def __init__(self, parent_id: str, target: str, key: str | None, child_id: str) -> None:
        self.parent_id = parent_id
        self.target = target
        self.key = key
        self.child_id = child_id

    def wish(self, wishes: Wishes) -> None:
        """The parent, the target's newest version, and who holds the key there."""
        wishes.instances.add(self.parent_id)
        wishes.latest.add(self.target)
        if self.key is not None:
            wishes.keys.add((self.target, self.key))

    async def perform(self, desk: Desk) -> bool:
        """Return whether the chain is done with (now, or by somebody before)."""
        parent = desk.loaded.instances.get(self.parent_id)
        attempts = await desk.tx.chain_attempts(self.parent_id)
        if parent is None or parent.child_instance_id is not None or attempts is None:
            return True
        start = cmd.StartInstance(
            instance_id=self.child_id,
            actor=cmd.SYSTEM,
            variables=parent.variables,
            business_key=parent.business_key,
            parent_instance_id=parent.id,
            traceparent=parent.traceparent,
        )
        try:
            await desk.start(self.target, None, start)
        except WorkflowError:
            delay_ms = min(_FIRST_CHAIN_RETRY_MS * 2 ** min(attempts, 10), _LAST_CHAIN_RETRY_MS)
            await desk.tx.postpone_chain(self.parent_id, desk.now_ms + delay_ms)
            desk.plans.append(desk.now_ms + delay_ms)
            return False
        link = cmd.LinkChild(instance_id=parent.id, actor=cmd.SYSTEM, child_instance_id=self.child_id)
        await desk.do(link)
        return True


class Extend:
    """More time on a lease; the holder is checked as for a report."""

    __slots__ = ("job", "lease_ms", "lease_token", "worker_id")

    def __init__(self, job: JobRef, worker_id: str, lease_token: str, lease_ms: int) -> None:
        self.job = job
        self.worker_id = worker_id
        self.lease_token = lease_token
        self.lease_ms = lease_ms

    def wish(self, wishes: Wishes) -> None:
        """The instance and the lease."""
        wishes.instances.add(self.job.instance_id)
        wishes.jobs.add(self.job)

    async def perform(self, desk: Desk) -> int | None:
        """Return when the lease now ends, or None when it is not this worker's any more."""
        held = desk.loaded.leases.get(self.job)
        instance = desk.loaded.instances.get(self.job.instance_id)
        step = instance.open.get(self.job.seq) if instance else None
        current = step is not None and step.job is not None and step.job.delivery == self.job.delivery
        if held is None or not current:
            return None
        ours = held.token == self.lease_token if self.lease_token else held.worker_id == self.worker_id
        expires_at_ms = desk.now_ms + self.lease_ms
        if not ours or not await desk.tx.extend(self.job, Lease(held.worker_id, held.token, expires_at_ms)):
            return None
        desk.plans.append(expires_at_ms)
        return expires_at_ms


class OfTypes(Generic[T]):
    """Work on a job by a caller who may touch only jobs of some types.

    The type is known as long as the job's step is open; a report about a closed one changes nothing, whoever sends it.
    """

    __slots__ = ("caller", "job", "work")

    def __init__(self, work: Work[T], job: JobRef, caller: Caller) -> None:
        self.work = work
        self.job = job
        self.caller = caller

    def wish(self, wishes: Wishes) -> None:
        """What the work itself needs; the instance is in it."""
        self.work.wish(wishes)

    async def perform(self, desk: Desk) -> T:
        """Do the work; raises `Forbidden` when the job is of another type."""
        instance = desk.loaded.instances.get(self.job.instance_id)
        step = instance.open.get(self.job.seq) if instance else None
        if step is not None and step.job is not None:
            checks.allowed_types((step.job.job_type,), self.caller)
        return await self.work.perform(desk)


class Ripen:
    """Delayed jobs whose time has come."""

    def wish(self, wishes: Wishes) -> None:
        """Nothing by name."""
        wishes.locking = True

    async def perform(self, desk: Desk) -> None:
        """Make them claimable; all workers that wait for jobs of their types are served next."""
        desk.ripened.update(dict.fromkeys(await desk.tx.ripen(desk.now_ms), _NOBODY_KNOWS_HOW_MANY))


class GiveBack:
    """Jobs that were claimed for callers who had hung up by then."""

    __slots__ = ("jobs",)

    def __init__(self, jobs: Sequence[ClaimedJob]) -> None:
        self.jobs = jobs

    def wish(self, wishes: Wishes) -> None:
        """Their instances, so that nobody else has to do with the jobs meanwhile."""
        wishes.instances.update(job.job.instance_id for job in self.jobs)

    async def perform(self, desk: Desk) -> None:
        """Make them claimable again; workers that wait for jobs of their types are served next."""
        desk.ripened.update(await desk.tx.give_back(self.jobs))


class Write:
    """Anything else that needs the one writer, such as a new definition."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[Transaction, int], Awaitable[object]]) -> None:
        self.action = action

    def wish(self, wishes: Wishes) -> None:
        """Nothing by name."""
        wishes.locking = True

    async def perform(self, desk: Desk) -> object:
        """Run the action with the transaction and the time."""
        return await self.action(desk.tx, desk.now_ms)


def chained(desk: Desk) -> list[tuple[str, str, str | None]]:
    """Return (parent, next workflow, business key) of the chains a batch has asked for."""
    return [
        (change.after.id, event.next_workflow_id, change.after.business_key)
        for change in desk.changes
        for event in change.committed.events
        if isinstance(event, ChainRequested)
    ]
