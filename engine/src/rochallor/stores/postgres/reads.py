"""Answers from committed rows, over a pool of sessions that can only read.

A statement that takes too long is cancelled by the server. A connection that turns out to be dead is replaced, and the
question asked once more: reading twice does no harm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import asyncpg
from msgspec.structs import astuple

from rochallor.core.errors import Unavailable
from rochallor.core.events import Committed
from rochallor.core.ids import JobRef
from rochallor.core.model import Instance, Lease
from rochallor.ports import Backlog, Dossier, InstanceFilter, StoredDefinition, UserTaskFilter, UserTaskRow
from rochallor.stores.postgres.claims import SQL
from rochallor.stores.postgres.connect import translated
from rochallor.stores.postgres.dossiers import committed, read_dossiers
from rochallor.stores.postgres.snapshot import at_one_moment
from rochallor.stores.projections import instance_of

_ACQUIRE_S = 10.0


class PostgresReads:
    """See `rochallor.ports.Reads`."""

    def __init__(self) -> None:
        self._pool: Any = None

    async def open(self, connect: Callable[..., Awaitable[Any]], *, smallest: int, largest: int) -> None:
        """Be ready; connections are made when they are needed, beyond `smallest`."""
        with translated():
            self._pool = await asyncpg.create_pool(
                connect=connect,
                reset=_keep_settings,
                min_size=smallest,
                max_size=largest,
                max_inactive_connection_lifetime=60,
            )

    async def close(self) -> None:
        """Let running statements end, and disconnect."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                with translated():
                    await pool.close()
            except Unavailable:
                pool.terminate()

    async def rows(self, name: str, *parameters: Any) -> list[Any]:
        """Return the rows of a named statement."""
        return await self.fetch(SQL[name], *parameters)

    async def fetch(self, statement: str, *parameters: Any) -> list[Any]:
        """Return the rows of a statement; raises `Unavailable`."""
        return await self._with(lambda connection: connection.fetch(statement, *parameters))

    async def _with(self, read: Callable[[Any], Awaitable[list[Any]]]) -> list[Any]:
        if self._pool is None:
            raise Unavailable("the store is not open")
        try:
            return await self._once(read)
        except Unavailable as error:
            if not isinstance(error.__cause__, asyncpg.PostgresConnectionError | asyncpg.AdminShutdownError):
                raise
        return await self._once(read)

    async def _once(self, read: Callable[[Any], Awaitable[list[Any]]]) -> list[Any]:
        with translated():
            async with self._pool.acquire(timeout=_ACQUIRE_S) as connection:
                return await read(connection)

    async def instance(self, instance_id: str) -> Instance | None:
        """Return the committed state of one instance."""
        rows = await self.rows("read_instance", instance_id)
        return instance_of(*rows[0]) if rows else None

    async def history(self, instance_id: str, after_revision: int = 0) -> list[Committed]:
        """Return an instance's events after a revision, in order."""
        return [committed(row) for row in await self.rows("history", instance_id, after_revision)]

    async def definition(self, definition_id: str, version: int | None) -> StoredDefinition | None:
        """Return a version of a definition, None for the newest."""
        if version is None:
            rows = await self.rows("latest_definition", definition_id)
        else:
            rows = await self.rows("definition_version", definition_id, version)
        return StoredDefinition(*rows[0]) if rows else None

    async def instances(self, where: InstanceFilter, limit: int, offset: int) -> tuple[list[Instance], int]:
        """Return a page of instances, the latest start first, and how many match."""
        rows, total = await self._page("instances", where, limit, offset)
        return [instance_of(*row) for row in rows], total

    async def user_tasks(self, where: UserTaskFilter, limit: int, offset: int) -> tuple[list[UserTaskRow], int]:
        """Return a page of user tasks, the oldest first, and how many match."""
        rows, total = await self._page("user_tasks", where, limit, offset)
        return [UserTaskRow(*row) for row in rows], total

    async def definitions(self, keyword: str, limit: int, offset: int) -> tuple[list[StoredDefinition], int]:
        """Return a page of newest versions whose id or name holds `keyword`, and how many do."""
        folded = keyword.lower()
        page, count = (SQL["definitions"], folded, limit, offset), (SQL["count_definitions"], folded)
        rows, [[total]] = await self._with(lambda connection: at_one_moment(connection, page, count))
        return [StoredDefinition(*row) for row in rows], total

    async def backlog(self, now_ms: int) -> list[Backlog]:
        """Return what waits to be claimed, by type."""
        return [Backlog(*row) for row in await self.rows("backlog", now_ms)]

    async def leases(self, jobs: Collection[JobRef]) -> dict[JobRef, Lease]:
        """Return who holds those of the jobs that are locked now."""
        rows = await self.rows("load_lease", *zip(*map(astuple, jobs), strict=True)) if jobs else []
        return {JobRef(*row[:3]): Lease(*row[3:]) for row in map(tuple, rows)}

    async def instance_ids(self, after: str, limit: int) -> list[str]:
        """Return the ids that follow `after`."""
        return [row[0] for row in await self.rows("instance_ids", after, limit)]

    async def dossiers(self, instance_ids: Sequence[str]) -> list[Dossier]:
        """Return all that is stored about instances, from one snapshot."""
        return await self._with(lambda connection: read_dossiers(connection, list(instance_ids)))

    async def strays(self, limit: int) -> list[tuple[str, str]]:
        """Return rows whose instance does not exist."""
        return [(row[0], row[1]) for row in await self.rows("strays", limit)]

    async def _page(
        self, name: str, where: InstanceFilter | UserTaskFilter, limit: int, offset: int
    ) -> tuple[list[Any], int]:
        filters = {column: value for column, value in where._asdict().items() if value}
        values = tuple(filters.values())
        page = SQL[name].replace("{where}", _condition(filters, first=3)), limit, offset, *values
        count = SQL[f"count_{name}"].replace("{where}", _condition(filters, first=1)), *values
        rows, [[total]] = await self._with(lambda connection: at_one_moment(connection, page, count))
        return rows, total


async def _keep_settings(_connection: Any) -> None:
    """Leave a session as it is: the driver's own way takes a round trip and forgets our timeouts."""


def _condition(filters: dict[str, str], *, first: int) -> str:
    """Return the WHERE of a list, its values being the parameters from number `first` on."""
    return " AND ".join(f"{column} = ${number}" for number, column in enumerate(filters, first)) or "true"
