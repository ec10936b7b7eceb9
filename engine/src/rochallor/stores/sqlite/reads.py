"""Answers from committed rows, beside the writer.

Two connections, because a write-ahead log lets readers see the last commit while the writer is at work. Look-ups by
key run on the loop's thread: they take microseconds. Lists and counts may walk a million rows, so a thread does that.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import astuple

from rochallor.core.errors import Unavailable
from rochallor.core.events import Committed, decode_events
from rochallor.core.ids import JobRef
from rochallor.core.model import Instance, Lease
from rochallor.ports import Backlog, Dossier, InstanceFilter, JobEntry, StoredDefinition, UserTaskFilter, UserTaskRow
from rochallor.stores.projections import instance_of
from rochallor.stores.sqlite.connect import connect_reader, translated
from rochallor.stores.sqlite.writes import SQL

T = TypeVar("T")


class SqliteReads:
    """See `rochallor.ports.Reads`."""

    def __init__(self) -> None:
        self._points: sqlite3.Connection | None = None
        self._lists: sqlite3.Connection | None = None
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="sqlite-reads")

    def open(self, path: Path) -> None:
        """Connect both readers."""
        self._points, self._lists = connect_reader(path), connect_reader(path)
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="sqlite-reads")

    def close(self) -> None:
        """Finish the list being read, and disconnect."""
        self._helper.shutdown()
        for connection in (self._points, self._lists):
            if connection is not None:
                connection.close()
        self._points = self._lists = None

    def rows(self, name: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Return the rows of a named statement, read at once."""
        return _rows(self._points, SQL[name], parameters)

    async def instance(self, instance_id: str) -> Instance | None:
        """Return the committed state of one instance."""
        rows = self.rows("load_instance", (instance_id,))
        return instance_of(*rows[0]) if rows else None

    async def history(self, instance_id: str, after_revision: int = 0) -> list[Committed]:
        """Return an instance's events after a revision, in order."""
        rows = self.rows("history", (instance_id, after_revision))
        return [_committed(row) for row in rows]

    async def definition(self, definition_id: str, version: int | None) -> StoredDefinition | None:
        """Return a version of a definition, None for the newest."""
        if version is None:
            rows = self.rows("latest_definition", (definition_id,))
        else:
            rows = self.rows("definition_version", (definition_id, version))
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
        page, count = (SQL["definitions"], (folded, limit, offset)), (SQL["count_definitions"], (folded,))
        rows, [[total]] = await self._aside(lambda lists: _at_one_moment(lists, page, count))
        return [StoredDefinition(*row) for row in rows], total

    async def backlog(self, now_ms: int) -> list[Backlog]:
        """Return what waits to be claimed, by type."""
        rows = await self._aside(lambda lists: _rows(lists, SQL["backlog"], (now_ms,)))
        return [Backlog(*row) for row in rows]

    async def leases(self, jobs: Collection[JobRef]) -> dict[JobRef, Lease]:
        """Return who holds those of the jobs that are locked now."""
        found = ((job, self.rows("load_lease", astuple(job))) for job in jobs)
        return {job: Lease(*rows[0]) for job, rows in found if rows}

    async def instance_ids(self, after: str, limit: int) -> list[str]:
        """Return the ids that follow `after`."""
        rows = await self._aside(lambda lists: _rows(lists, SQL["instance_ids"], (after, limit)))
        return [row[0] for row in rows]

    async def dossiers(self, instance_ids: Sequence[str]) -> list[Dossier]:
        """Return all that is stored about instances, from one snapshot."""
        return await self._aside(lambda lists: _dossiers(lists, tuple(instance_ids)))

    async def strays(self, limit: int) -> list[tuple[str, str]]:
        """Return rows whose instance does not exist."""
        return await self._aside(lambda lists: _rows(lists, SQL["strays"], (limit,)))

    async def _page(
        self, name: str, where: InstanceFilter | UserTaskFilter, limit: int, offset: int
    ) -> tuple[list[Any], int]:
        filters = {column: value for column, value in where._asdict().items() if value}
        condition = " AND ".join(f"{column} = ?" for column in filters) or "true"
        page, count = (SQL[query].replace("{where}", condition) for query in (name, f"count_{name}"))
        values = tuple(filters.values())
        asked = (page, (*values, limit, offset)), (count, values)
        rows, [[total]] = await self._aside(lambda lists: _at_one_moment(lists, *asked))
        return rows, total

    async def _aside(self, read: Callable[[sqlite3.Connection | None], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._helper, read, self._lists)


def _committed(row: tuple[str, int, int, str, str, str]) -> Committed:
    instance_id, revision, at_ms, actor, command, events = row
    return Committed(instance_id, revision, at_ms, actor, command, decode_events(events.encode()))


_PARTS = ("history", "jobs", "timers", "tasks", "keys", "chains")


def _dossiers(connection: sqlite3.Connection | None, instance_ids: tuple[str, ...]) -> list[Dossier]:
    named = (json.dumps(instance_ids),)
    asked = [(SQL[f"dossier_{part}"], named) for part in ("instances", *_PARTS)]
    instances, *found = _at_one_moment(connection, *asked)
    parts: dict[str, list[Any]] = dict(zip(_PARTS, found, strict=True))
    parts["history"] = [(row[0], _committed(row)) for row in parts["history"]]
    parts["jobs"] = [(row[0], JobEntry(*row[1:])) for row in parts["jobs"]]
    for part in ("timers", "tasks", "keys", "chains"):
        parts[part] = [(row[0], row[1:]) for row in parts[part]]
    by_owner = {part: _grouped(rows) for part, rows in parts.items()}
    return [
        Dossier(instance_of(*row[3:]), row[1:3], **{part: tuple(rows[row[0]]) for part, rows in by_owner.items()})
        for row in instances
    ]


def _grouped(rows: list[tuple[str, Any]]) -> defaultdict[str, list[Any]]:
    groups: defaultdict[str, list[Any]] = defaultdict(list)
    for owner, row in rows:
        groups[owner].append(row)
    return groups


def _at_one_moment(connection: sqlite3.Connection | None, *asked: tuple[str, tuple[Any, ...]]) -> list[list[Any]]:
    """Return the rows of each statement; a commit that comes between two of them is in none."""
    _rows(connection, "BEGIN", ())
    try:
        return [_rows(connection, statement, parameters) for statement, parameters in asked]
    finally:
        _rows(connection, "COMMIT", ())


def _rows(connection: sqlite3.Connection | None, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
    if connection is None:
        raise Unavailable("the store is not open")
    with translated():
        return connection.execute(statement, parameters).fetchall()
