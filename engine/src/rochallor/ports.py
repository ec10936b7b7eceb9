"""The seam between the engine and the world: a store, a clock, a source of chance. Its neighbours are in `news.py`.

By meaning, never by query: a store can load open state, save changes, hand out jobs, say what is due, answer
reads. What a store has to get right is written down as the *store exam* (`engine/tests/stores`), which every store
passes; a port is right when its memory version is short and boring.

All times are milliseconds since the epoch, UTC. All methods may raise `rochallor.core.errors.Unavailable` when the
store cannot be reached; nothing has been changed then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

import msgspec

from rochallor.core.events import Committed
from rochallor.core.ids import JobRef
from rochallor.core.model import Instance, Lease


class StoreConflict(Exception):
    """The store refused the batch as a whole because of one change in it (a key taken elsewhere, a lost race)."""


class Wanted(NamedTuple):
    """What a batch of commands needs to see, by name.

    `reported`: jobs of which lease and instance are read at one moment, and the instance is not locked: what is made of
    it is refused if another writer comes first.
    """

    instances: frozenset[str] = frozenset()
    jobs: frozenset[JobRef] = frozenset()
    keys: frozenset[tuple[str, str]] = frozenset()
    latest: frozenset[str] = frozenset()
    reported: frozenset[JobRef] = frozenset()


class Loaded(NamedTuple):
    """What of it exists. The instances that were named are locked against other writers until the transaction ends.

    `leases`: of those jobs that are locked now. `keys`: (definition id, business key) -> holder in flight.
    `latest`: definition id -> its newest version, maybe from memory: what is started by one that is the newest no more
    is not saved, and whoever refuses a start by it has to ask `Transaction.newest_version`.
    """

    instances: dict[str, Instance]
    leases: dict[JobRef, Lease]
    keys: dict[tuple[str, str], str]
    latest: dict[str, int]


class Change(msgspec.Struct, frozen=True, gc=False):
    """One command's effect: its events, and the state after them. Changes of one instance come in revision order."""

    committed: Committed
    after: Instance


class ClaimRequest(NamedTuple):
    """One worker's wish for jobs; `lease_token` is fresh and will fence the jobs it gets.

    `max_bytes` of variables is about what its answer may carry; what does not fit stays queued.
    """

    worker_id: str
    job_types: tuple[str, ...]
    max_jobs: int
    lease_ms: int
    lease_token: str
    max_bytes: int


class ClaimedJob(msgspec.Struct, frozen=True, gc=False):
    """A job as it is handed out. `variables` is the instance's map at this moment, as JSON.

    `created_at_ms`: when this delivery was queued; `ready_at_ms`: from when on it could be had. `traceparent` is the
    instance's. `revision` and `instance` are its state at this moment, decoded when it is asked for: whoever works on
    the job is likely to report soon.
    """

    job: JobRef
    job_type: str
    step_id: str
    definition_id: str
    definition_version: int
    business_key: str | None
    retries_remaining: int
    created_at_ms: int
    ready_at_ms: int
    traceparent: str | None
    locked_at_ms: int
    lease_expires_at_ms: int
    worker_id: str
    lease_token: str
    variables: bytes
    revision: int
    instance: Callable[[], Instance]


class StoredDefinition(NamedTuple):
    """One version of a definition. `source` is the JSON text as its author ordered it."""

    id: str
    version: int
    name: str
    description: str
    source: bytes
    uploaded_at_ms: int


class Due(NamedTuple):
    """What time has made due, oldest first and bounded; `next_at_ms` is when to ask again (None: never).

    `timers`: (instance id, seq, index). `leases`: jobs whose lease ran out. `chains`: (parent id, next workflow,
    business key) still to be started. `ripe`: whether delayed jobs have become ready.
    """

    timers: tuple[tuple[str, int, int], ...] = ()
    leases: tuple[JobRef, ...] = ()
    chains: tuple[tuple[str, str, str | None], ...] = ()
    ripe: bool = False
    next_at_ms: int | None = None


class UserTaskRow(NamedTuple):
    """A user task as people list it. `status`: OPEN, COMPLETED or CANCELLED."""

    instance_id: str
    seq: int
    step_id: str
    definition_id: str
    definition_version: int
    business_key: str | None
    status: str
    created_at_ms: int
    closed_at_ms: int | None
    completed_by: str


class InstanceFilter(NamedTuple):
    """Which instances to list; empty fields do not filter."""

    definition_id: str = ""
    status: str = ""
    business_key: str = ""


class UserTaskFilter(NamedTuple):
    """Which user tasks to list; empty fields do not filter."""

    instance_id: str = ""
    definition_id: str = ""
    status: str = ""


class Backlog(NamedTuple):
    """How much work of one type waits to be claimed, and since when the oldest of it."""

    job_type: str
    waiting: int
    oldest_created_at_ms: int


class JobEntry(NamedTuple):
    """A job's row, as `doctor` compares it with the step that it belongs to; `lease_expires_at_ms` while locked."""

    seq: int
    delivery: int
    job_type: str
    retries_remaining: int
    ready_at_ms: int
    lease_expires_at_ms: int | None


class Dossier(NamedTuple):
    """Everything stored about one instance, all of it from one moment.

    `listed`: status and revision as lists and locks read them. `timers`: (seq, index, due_ms). `tasks`: (seq, status).
    `keys`: (definition id, business key) it holds. `chains`: (next workflow, business key) it still asks for.
    """

    instance: Instance
    listed: tuple[str, int]
    history: tuple[Committed, ...]
    jobs: tuple[JobEntry, ...] = ()
    timers: tuple[tuple[int, int, int], ...] = ()
    tasks: tuple[tuple[int, str], ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    chains: tuple[tuple[str, str | None], ...] = ()


class Transaction(Protocol):
    """One atomic, durable write. Leaving the context commits; an exception rolls everything back."""

    async def load(self, wanted: Wanted) -> Loaded:
        """Return what exists of `wanted`, the instances it names locked."""
        ...

    async def save(
        self,
        changes: Sequence[Change],
        *,
        last: bool = False,
        waiting: Sequence[ClaimRequest] = (),
        now_ms: int = 0,
    ) -> list[list[ClaimedJob]]:
        """Write changes with all rows that follow from their events; raises `StoreConflict`.

        Jobs that the changes make ready are handed out to the requests that are `waiting` for them, as `Store.claim`
        would, and never queued; `now_ms` is when their leases begin. With `last` nothing else is asked of this
        transaction, which may therefore have ended when this returns.
        """
        ...

    async def claim(self, requests: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
        """Lock ready jobs as `Store.claim` does, also those that were saved here; nothing, if this does not commit."""
        ...

    async def extend(self, job: JobRef, lease: Lease) -> bool:
        """Give a locked job this lease; False when the job is not locked any more."""
        ...

    async def give_back(self, jobs: Sequence[ClaimedJob]) -> Counter[str]:
        """Let those of the jobs that are still leased so be claimed again, at their old places; count them by type.

        Whoever does this has locked their instances, and knows that nobody has heard of these leases.
        """
        ...

    async def ripen(self, now_ms: int) -> list[str]:
        """Make delayed jobs whose time has come ready; return their job types."""
        ...

    async def definition(self, definition_id: str, version: int) -> StoredDefinition | None:
        """Return one version, as this transaction sees it."""
        ...

    async def newest_version(self, definition_id: str) -> int | None:
        """Return the number of the newest version that is stored now, None when there is none."""
        ...

    async def latest_definition(self, definition_id: str) -> StoredDefinition | None:
        """Return the newest version, locked against concurrent uploads of this id."""
        ...

    async def insert_definition(self, stored: StoredDefinition) -> None:
        """Add a version; raises `StoreConflict` when that version exists."""
        ...

    async def replace_layout(self, stored: StoredDefinition) -> None:
        """Replace the source of an existing version (only its layout differs)."""
        ...

    async def postpone_chain(self, parent_id: str, due_at_ms: int) -> None:
        """Try this parent's next workflow again at `due_at_ms`, one attempt more on its count."""
        ...

    async def hasten_chains(self, targets: Collection[str], now_ms: int) -> None:
        """Make waiting chains into these definitions due now: what kept them may be gone."""
        ...

    async def chain_attempts(self, parent_id: str) -> int | None:
        """Return how often starting the next workflow was tried, None when no request is waiting."""
        ...


class Reads(Protocol):
    """Answers for people and clients: committed state, no locks."""

    async def instance(self, instance_id: str) -> Instance | None:
        """Return one instance."""
        ...

    async def instances(self, where: InstanceFilter, limit: int, offset: int) -> tuple[list[Instance], int]:
        """Return a page by start time descending, then id, and how many there are in all."""
        ...

    async def history(self, instance_id: str, after_revision: int = 0) -> list[Committed]:
        """Return an instance's committed events in order."""
        ...

    async def definition(self, definition_id: str, version: int | None) -> StoredDefinition | None:
        """Return one version, None for the newest."""
        ...

    async def definitions(self, keyword: str, limit: int, offset: int) -> tuple[list[StoredDefinition], int]:
        """Return the newest version per id, by id; `keyword` is found literally, case-insensitively, in id or name."""
        ...

    async def user_tasks(self, where: UserTaskFilter, limit: int, offset: int) -> tuple[list[UserTaskRow], int]:
        """Return a page of user tasks, oldest first, and how many there are in all."""
        ...

    async def backlog(self, now_ms: int) -> list[Backlog]:
        """Return the ready jobs per type."""
        ...

    async def leases(self, jobs: Collection[JobRef]) -> dict[JobRef, Lease]:
        """Return who holds those of the jobs that are locked now."""
        ...

    async def instance_ids(self, after: str, limit: int) -> list[str]:
        """Return ids in order, for a walk over everything (doctor)."""
        ...

    async def dossiers(self, instance_ids: Sequence[str]) -> list[Dossier]:
        """Return all that is stored about those of the instances that exist, by id, each from one moment.

        Raises `msgspec.MsgspecError` when stored bytes are damaged.
        """
        ...

    async def strays(self, limit: int) -> list[tuple[str, str]]:
        """Return (table, instance id) of rows that belong to no instance, or of a key that is not its holder's."""
        ...


class Store(Protocol):
    """Where the engine's state lives."""

    @property
    def reads(self) -> Reads:
        """The way to look at it."""
        ...

    @property
    def unique_keys(self) -> bool:
        """Whether an instance in flight holds its business key; else keys are labels."""
        ...

    @property
    def claims_apart(self) -> bool:
        """Whether a claim and a transaction can be at work at the same time.

        Where not, one waits for the other, and claims are made in transactions while there are any.
        """
        ...

    async def open(self) -> None:
        """Connect and bring the schema up to date."""
        ...

    async def close(self) -> None:
        """Let go of everything; committed work is safe before this."""
        ...

    async def ping(self) -> None:
        """Return when the store answers; raises `Unavailable` when it does not."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin a write. A store may allow one at a time; the engine has one writer."""
        ...

    async def claim(self, requests: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
        """Lock ready jobs for each request durably, oldest first and fair across its types.

        A request gets no more than its `max_bytes` of variables beyond its first job. No job goes to two requests.
        Where claims are apart, whoever has saved jobs that nobody had waited for claims afterwards, if only for nobody:
        what is left is then offered to other engines. Elsewhere a transaction's end offers it.
        """
        ...

    async def due(self, now_ms: int, limit: int) -> Due:
        """Return what has become due, and when the next thing will."""
        ...


class Clock(Protocol):
    """What time it is: milliseconds since the epoch, UTC."""

    def now_ms(self) -> int:
        """Return the time."""
        ...


class Entropy(Protocol):
    """Fresh chance."""

    def bits(self, count: int) -> int:
        """Return `count` random bits as a number."""
        ...
