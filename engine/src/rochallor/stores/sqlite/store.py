"""The embedded store: one file, one writer, readers beside it.

Write-ahead log with `synchronous=FULL`: a COMMIT that returned is on the disk. Transactions take turns; that costs
nothing, because SQLite has one writer anyway and the engine gathers what waits into the next transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rochallor.core.errors import Unavailable
from rochallor.core.ids import JobRef
from rochallor.ports import ClaimedJob, ClaimRequest, Due
from rochallor.stores.sqlite.checkpoints import Checkpoints
from rochallor.stores.sqlite.connect import connect_checkpointer, connect_writer, translated
from rochallor.stores.sqlite.lock import FileLock
from rochallor.stores.sqlite.reads import SqliteReads
from rochallor.stores.sqlite.writes import SQL, SqliteTransaction

MEMORY = ":memory:"


class SqliteStore:
    """See `rochallor.ports.Store`. `path` is a file, created when missing, or `:memory:`.

    `:memory:` is a temporary file that is never synced and is gone after `close`: SQLite's own memory databases have no
    second connection that sees committed rows only. Without `unique_keys` business keys are labels that nobody holds.
    """

    claims_apart = False

    def __init__(self, path: str, *, unique_keys: bool = True) -> None:
        self.reads = SqliteReads()
        self._path = path
        self.unique_keys = unique_keys
        self._turn = asyncio.Lock()
        self._writer: sqlite3.Connection | None = None
        self._lock = FileLock()
        self._scratch: TemporaryDirectory[str] | None = None
        self._checkpoints: Checkpoints | None = None
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-commit")

    async def open(self) -> None:
        """Lock the file and open it; raises `Unavailable` when it is in use or not a database of this engine."""
        path = self._resolved()
        self._lock.acquire(path)
        try:
            self._writer = connect_writer(path, durable=self._path != MEMORY)
            self.reads.open(path)
            with translated():
                self._writer.execute(SQL["adopt_keys" if self.unique_keys else "forget_keys"])
        except BaseException:
            self._release()
            raise
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-commit")
        self._checkpoints = Checkpoints(partial(connect_checkpointer, path))
        self._checkpoints.start()

    async def close(self) -> None:
        """Let the transaction at work end, then give the file back; a second call does nothing."""
        async with self._turn:
            self._release()

    def _release(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.stop()
            self._checkpoints = None
        self.reads.close()
        self._committer.shutdown()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._lock.release()
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    async def ping(self) -> None:
        """Return when the file can be read."""
        self.reads.rows("chain_attempts", ("",))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqliteTransaction]:
        """Begin a write when the one before has ended."""
        async with self._turn:
            writer = self._writer
            if writer is None:
                raise Unavailable("the store is not open")
            with translated():
                writer.execute("BEGIN IMMEDIATE")
            before = writer.total_changes
            try:
                yield SqliteTransaction(writer, unique_keys=self.unique_keys)
                await self._commit(writer, synced=writer.total_changes != before)
            except BaseException:
                _roll_back(writer)
                raise

    async def claim(self, requests: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
        """Lock ready jobs in a transaction of its own."""
        if not requests:
            return []
        async with self.transaction() as tx:
            return await tx.claim(requests, now_ms)

    async def due(self, now_ms: int, limit: int) -> Due:
        """Return what has become due; each answer comes from an index over what waits."""
        rows = self.reads.rows
        timers = tuple((row[0], row[1], row[2]) for row in rows("due_timers", (now_ms, limit)))
        leases = tuple(JobRef(*row) for row in rows("due_leases", (now_ms, limit)))
        chains = tuple((row[0], row[1], row[2]) for row in rows("due_chains", (now_ms, limit)))
        ripe_at_ms = rows("next_ripe")[0][0]
        ripe = ripe_at_ms is not None and ripe_at_ms <= now_ms
        if limit in {len(timers), len(leases), len(chains)}:
            return Due(timers, leases, chains, ripe, now_ms)
        later = [rows(name, (now_ms,))[0][0] for name in ("next_timer", "next_lease", "next_chain")]
        planned = [at_ms for at_ms in (*later, None if ripe else ripe_at_ms) if at_ms is not None]
        return Due(timers, leases, chains, ripe, min(planned, default=None))

    async def _commit(self, writer: sqlite3.Connection, *, synced: bool) -> None:
        """Commit, in a thread when the disk has to be waited for, and see it through even if nobody waits any more."""
        with translated():
            if not synced:
                writer.execute("COMMIT")
                return
            running = self._committer.submit(writer.execute, "COMMIT")
            try:
                await asyncio.shield(asyncio.wrap_future(running))
                self._copy_soon()
            except asyncio.CancelledError:
                await _ended(running)
                raise

    def _copy_soon(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.committed()

    def _resolved(self) -> Path:
        if self._path == MEMORY:
            self._scratch = TemporaryDirectory(prefix="rochallor-", ignore_cleanup_errors=True)
            return Path(self._scratch.name).resolve() / "ephemeral.db"
        return Path(self._path).expanduser().resolve()


async def _ended(running: Future[Any]) -> None:
    """Wait for the thread, whatever happens: the next transaction must not begin inside this one."""
    while not running.done():
        try:
            await asyncio.wait([asyncio.wrap_future(running)])
        except asyncio.CancelledError:
            continue


def _roll_back(writer: sqlite3.Connection) -> None:
    """Undo what is open; SQLite may have done so itself when the disk failed."""
    if writer.in_transaction:
        with translated():
            writer.execute("ROLLBACK")
