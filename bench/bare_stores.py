"""What bare loops ask of a store: begin, claim 50, write completions, commit. The statements are the engine's own.

One difference: PostgreSQL's claim is one statement here, where an engine takes two to be fair among its workers. So the
floor is not made higher by what is ours.
"""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rochallor.stores.postgres.arrays import arrays
from rochallor.stores.postgres.claims import SQL as POSTGRES_SQL
from rochallor.stores.postgres.connect import WRITER, connect
from rochallor.stores.postgres.dsn import parse_dsn
from rochallor.stores.sqlite.connect import connect_writer
from rochallor.stores.sqlite.writes import SQL as SQLITE_SQL

from bench.completions import Completion
from bench.flow import CLAIM, JOB_TYPE, WORKER

Key = tuple[str, int]

_LEASE_MS = 30_000
_TOKEN = "0" * 20

CLAIM_IN_ONE = f"""
UPDATE job SET worker_id = $2, lease_token = $3, locked_at_ms = $4, lease_expires_at_ms = $5, ready = false
FROM instance
WHERE job.ctid = ANY(ARRAY(
    SELECT ctid FROM job WHERE ready AND job_type = $1 AND seq > $6
    ORDER BY seq LIMIT {CLAIM} FOR UPDATE SKIP LOCKED)) AND instance.id = job.instance_id
RETURNING job.seq, job.instance_id, job.step_seq, instance.variables
"""


class Stopwatch:
    """How long was waited for what, while it is switched on."""

    def __init__(self) -> None:
        self.on = False
        self.waited_s: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def over(self, what: str) -> Iterator[None]:
        """Measure what is done inside."""
        began_s = time.perf_counter()
        yield
        if self.on:
            self.waited_s[what] += time.perf_counter() - began_s


class BareStore(Protocol):
    """One connection."""

    watch: Stopwatch

    async def begin(self) -> None:
        """Begin a transaction."""
        ...

    async def commit(self) -> None:
        """Commit it, durably."""
        ...

    async def claim(self) -> list[Key]:
        """Lock the 50 oldest ready jobs, read their variables; return their instances and steps."""
        ...

    async def write(self, done: Sequence[Completion]) -> None:
        """Complete jobs, one statement per table."""
        ...

    async def ask(self, name: str, *parameters: Any) -> None:
        """Run one of the store's statements and fetch its rows."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


def by_statement(done: Sequence[Completion]) -> Iterator[tuple[str, list[Any]]]:
    """Return each statement that there is something for, with its rows."""
    for name, rows in zip(Completion._fields, zip(*done, strict=True), strict=True):
        some = [row for row in rows if row is not None]
        if some:
            yield name, some


class PostgresBare:
    """A connection with the settings of an engine's writer."""

    def __init__(self, connection: Any) -> None:
        self.watch = Stopwatch()
        self._connection = connection
        self._after = 0

    async def begin(self) -> None:
        """BEGIN."""
        await self._run("begin", "BEGIN")

    async def commit(self) -> None:
        """COMMIT; with `synchronous_commit` on, as always, it returns when the log is on the disk."""
        await self._run("commit", "COMMIT")

    async def claim(self) -> list[Key]:
        """Claim behind the last job that was claimed here, as an engine does."""
        now_ms = time.time_ns() // 1_000_000
        lease = (JOB_TYPE, WORKER, _TOKEN, now_ms, now_ms + _LEASE_MS, self._after)
        rows = await self._run("claim", CLAIM_IN_ONE, *lease)
        self._after = max((row[0] for row in rows), default=self._after)
        return [(row[1], row[2]) for row in rows]

    async def write(self, done: Sequence[Completion]) -> None:
        """Run array statements."""
        for name, rows in by_statement(done):
            await self._run(name, POSTGRES_SQL[name], *arrays(rows))

    async def ask(self, name: str, *parameters: Any) -> None:
        """Fetch."""
        await self._run(name, POSTGRES_SQL[name], *parameters)

    async def close(self) -> None:
        """Say goodbye."""
        await self._connection.close()

    async def _run(self, name: str, statement: str, *parameters: Any) -> list[Any]:
        with self.watch.over(name):
            rows: list[Any] = await self._connection.fetch(statement, *parameters)
        return rows


class SqliteBare:
    """The file's writer. Nothing here waits for anybody else, so nothing needs a thread."""

    def __init__(self, writer: sqlite3.Connection) -> None:
        self.watch = Stopwatch()
        self._writer = writer

    async def begin(self) -> None:
        """BEGIN IMMEDIATE."""
        with self.watch.over("begin"):
            self._writer.execute("BEGIN IMMEDIATE")

    async def commit(self) -> None:
        """COMMIT, with `synchronous = FULL`."""
        with self.watch.over("commit"):
            self._writer.execute("COMMIT")

    async def claim(self) -> list[Key]:
        """Read with their instances, lock."""
        now_ms = time.time_ns() // 1_000_000
        with self.watch.over("claim"):
            rows = self._writer.execute(SQLITE_SQL["ready_jobs"], (JOB_TYPE, CLAIM)).fetchall()
            keys = [(row[1], row[2]) for row in rows]
            lease = (WORKER, _TOKEN, now_ms, now_ms + _LEASE_MS)
            self._writer.executemany(SQLITE_SQL["lock_job"], [(*lease, *key) for key in keys])
        return keys

    async def write(self, done: Sequence[Completion]) -> None:
        """Run each statement for its rows."""
        for name, rows in by_statement(done):
            with self.watch.over(name):
                self._writer.executemany(SQLITE_SQL[name], rows)

    async def ask(self, name: str, *parameters: Any) -> None:
        """Fetch."""
        with self.watch.over(name):
            self._writer.execute(SQLITE_SQL[name], parameters).fetchall()

    async def close(self) -> None:
        """Close the file."""
        self._writer.close()


async def connected(where: str, purpose: str) -> BareStore:
    """Connect to a DSN, or open a file."""
    if "://" in where:
        return PostgresBare(await connect(parse_dsn(where), WRITER, purpose))
    return SqliteBare(connect_writer(Path(where), durable=True))
