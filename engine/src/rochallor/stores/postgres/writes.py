"""One write transaction: array statements in one turn at the writer connection.

Locks are taken in one order everywhere, or two engines would wait for each other: first instances, by id; then
definitions; then business keys, by key; ready jobs last, and those without waiting. What a batch knows of an instance
without having locked it is locked by `save`; a batch that locks anything before that has no more of these than it
remembers. If two engines wait for each other over one of those, the database ends it after a second, with a conflict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import asyncpg
from msgspec.structs import astuple

from rochallor.core.ids import JobRef
from rochallor.core.model import Lease
from rochallor.ports import Change, ClaimedJob, ClaimRequest, Loaded, StoreConflict, StoredDefinition, Wanted
from rochallor.stores.births import lease
from rochallor.stores.postgres.arrays import arrays
from rochallor.stores.postgres.claims import SQL, Claims
from rochallor.stores.postgres.connect import OUTDATED, SUPERSEDED, translated
from rochallor.stores.postgres.newest import Newest
from rochallor.stores.postgres.together import MOVES, RELIES, together
from rochallor.stores.postgres.turn import Turn
from rochallor.stores.projections import COMING, Batch, instance_of, project

_NOBODY_KNOWS_HOW_MANY = 1 << 32


class PostgresTransaction:
    """See `rochallor.ports.Transaction`.

    `queued` (with `ripened`) and `changed` say what others may wait for, `claims` which jobs were handed out or left,
    `ripened` types of jobs that were there and can be claimed only now, `relied_on` which versions were taken for the
    newest without a look.
    """

    def __init__(self, turn: Turn, claims: Claims, newest: Newest, *, unique_keys: bool) -> None:
        self.claims = claims
        self.queued: Counter[str] = Counter()
        self.ripened: list[str] = []
        self.changed: set[str] = set()
        self.relied_on: dict[str, int] = {}
        self.touched_jobs = 0
        self._turn = turn
        self._newest = newest
        self._unique_keys = unique_keys

    async def load(self, wanted: Wanted) -> Loaded:
        """Return what exists, the instances that are named locked."""
        instances = await self._rows("load_instance", sorted(wanted.instances)) if wanted.instances else []
        leases = await self._rows("load_lease", *_columns(map(astuple, wanted.jobs))) if wanted.jobs else []
        keys = await self._look("load_key", *_columns(wanted.keys)) if wanted.keys else []
        recalled = self._newest.recall(wanted.latest)
        self.relied_on |= recalled
        unknown = wanted.latest - recalled.keys()
        found = self._newest.seen(await self._look("latest_version", list(unknown))) if unknown else {}
        reported = (
            await self._look("load_reported", *_columns(map(astuple, wanted.reported))) if wanted.reported else []
        )
        return Loaded(
            instances={
                row[0]: instance_of(*row[-2:]) for row in (*instances, *{row[0]: row for row in reported}.values())
            },
            leases={JobRef(*row[:3]): Lease(*row[3:6]) for row in (*leases, *reported) if row[3] is not None},
            keys={(row[0], row[1]): row[2] for row in keys},
            latest=recalled | found,
        )

    async def save(
        self,
        changes: Sequence[Change],
        *,
        last: bool = False,
        waiting: Sequence[ClaimRequest] = (),
        now_ms: int = 0,
    ) -> list[list[ClaimedJob]]:
        """Write the rows that follow from the changes; raises `StoreConflict`."""
        batch = project(changes, unique_keys=self._unique_keys)
        handed = lease(batch, waiting, now_ms)
        statements = {name: rows for name, rows in batch.statements() if rows}
        if "insert_instance" in statements and self.relied_on:
            statements[RELIES] = list(self.relied_on.items())
        with translated():
            if not statements:
                return handed
            if batch.replaces():
                coming = {name: statements.pop(name) for name in COMING if name in statements}
                await self._together(statements, last=False)
                await self._together(coming, last=False)
            else:
                await self._together(statements, last=last)
        self._note(batch)
        return handed

    async def claim(self, requests: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
        """Lock ready jobs that no other engine is looking at."""
        with translated():
            return await self.claims.claim(requests, now_ms)

    async def _together(self, statements: dict[str, Sequence[tuple[Any, ...]]], *, last: bool) -> None:
        parameters: list[Any] = [column for rows in statements.values() for column in arrays(rows)]
        if MOVES in statements:
            parameters += len(statements[MOVES]), OUTDATED
        if RELIES in statements:
            parameters.append(SUPERSEDED)
        connection = await (self._turn.alone() if last else self._turn.within())
        try:
            await connection.fetchval(together(tuple(statements)), *parameters)
        except asyncpg.InvalidTextRepresentationError as error:
            for conflict in (OUTDATED, SUPERSEDED):
                if conflict in str(error):
                    raise StoreConflict(conflict) from error
            raise

    async def extend(self, job: JobRef, lease: Lease) -> bool:
        """Give a locked job another lease; False when it is not locked."""
        with translated():
            status = await self._execute(
                "extend_lease", lease.worker_id, lease.token, lease.expires_at_ms, *astuple(job)
            )
        return _count(status) > 0

    async def give_back(self, jobs: Sequence[ClaimedJob]) -> Counter[str]:
        """Unlock jobs that are still locked with these tokens."""
        leases = [(job.job.instance_id, job.job.seq, job.lease_token) for job in jobs]
        freed = Counter(row[0] for row in (await self._rows("give_back", *_columns(leases)) if jobs else ()))
        self.touched_jobs += freed.total()
        self._offer_again(freed)
        return freed

    async def ripen(self, now_ms: int) -> list[str]:
        """Let the delayed jobs whose time has come be claimed; return their types."""
        ripe = [row[0] for row in await self._rows("ripen", now_ms)]
        self._offer_again(Counter(dict.fromkeys(ripe, _NOBODY_KNOWS_HOW_MANY)))
        return ripe

    async def definition(self, definition_id: str, version: int) -> StoredDefinition | None:
        """Return one version of a definition."""
        rows = await self._rows("definition_version", definition_id, version)
        return StoredDefinition(*rows[0]) if rows else None

    async def newest_version(self, definition_id: str) -> int | None:
        """Return the number of the newest version."""
        version: int | None
        [[_, version]] = await self._look("latest_version", [definition_id])
        return version

    async def latest_definition(self, definition_id: str) -> StoredDefinition | None:
        """Return the newest version of a definition; other uploads of it wait until this transaction ends."""
        await self._rows("lock_definition", definition_id)
        rows = await self._rows("latest_definition", definition_id)
        return StoredDefinition(*rows[0]) if rows else None

    async def insert_definition(self, stored: StoredDefinition) -> None:
        """Add a version; raises `StoreConflict` when it exists."""
        self._newest.forget([stored.id])
        await self._rows("insert_definition", *stored, stored.name.lower())

    async def replace_layout(self, stored: StoredDefinition) -> None:
        """Replace the source of a version."""
        await self._rows("replace_source", stored.source, stored.id, stored.version)

    async def postpone_chain(self, parent_id: str, due_at_ms: int) -> None:
        """Count an attempt and set the time of the next."""
        await self._rows("postpone_chain", due_at_ms, parent_id)

    async def hasten_chains(self, targets: Collection[str], now_ms: int) -> None:
        """Make chains into these definitions due now."""
        await self._rows("hasten_chains", now_ms, list(targets))

    async def chain_attempts(self, parent_id: str) -> int | None:
        """Return how often a chain was tried, None when none waits."""
        rows = await self._rows("chain_attempts", parent_id)
        return rows[0][0] if rows else None

    async def _look(self, name: str, *parameters: Any) -> list[Any]:
        """Return rows of which none is locked. That needs no transaction; most starts and reports read nothing else."""
        with translated():
            connection = await self._turn.alone()
            rows: list[Any] = await connection.fetch(SQL[name], *parameters)
        return rows

    async def _rows(self, name: str, *parameters: Any) -> list[Any]:
        with translated():
            connection = await self._turn.within()
            rows: list[Any] = await connection.fetch(SQL[name], *parameters)
        return rows

    async def _execute(self, name: str, *parameters: Any) -> str:
        connection = await self._turn.within()
        status: str = await connection.execute(SQL[name], *parameters)
        return status

    def _offer_again(self, jobs: Counter[str]) -> None:
        """Let claims begin where jobs lie that were there already."""
        self.ripened += jobs
        self.claims.begin_at_the_front(jobs)
        self.queued.update(jobs)

    def _note(self, batch: Batch) -> None:
        self.changed.update(batch.writes)
        self.queued.update(row.job_type for row in batch.jobs.values() if not row.delayed)
        self.touched_jobs += len(batch.jobs_gone) + len(batch.jobs) + len(batch.jobs_leased)


def _columns(rows: Iterable[Sequence[Any]]) -> zip[tuple[Any, ...]]:
    return zip(*rows, strict=True)


def _count(status: str) -> int:
    """Return how many rows a command's status (`UPDATE 5`) speaks of."""
    return int(status.rpartition(" ")[2])
