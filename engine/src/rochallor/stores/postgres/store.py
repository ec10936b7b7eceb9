"""The store of many engines: one PostgreSQL database; each engine has a writer, a connection that claims, and readers.

Transactions take turns at the writer, claims at their own connection if there is one (`turn.py`). One that is lost
loses the turn and nothing else: the caller hears `Unavailable`, and the next one connects again. When it is lost during
a commit nobody knows if that happened; the answer is the same, because a request that is repeated does no harm.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from rochallor.core.ids import JobRef
from rochallor.ports import ClaimedJob, ClaimRequest, Due
from rochallor.stores.postgres.claims import SQL, Claims, Watermark
from rochallor.stores.postgres.clock import DatabaseClock
from rochallor.stores.postgres.connect import KEEPER, READER, WRITER, Line, connect, translated
from rochallor.stores.postgres.dsn import parse_dsn
from rochallor.stores.postgres.keeper import Keeper
from rochallor.stores.postgres.migrate import bring_up_to_date
from rochallor.stores.postgres.newest import Newest
from rochallor.stores.postgres.reads import PostgresReads
from rochallor.stores.postgres.signals import PostgresSignals
from rochallor.stores.postgres.turn import Seat
from rochallor.stores.postgres.writes import PostgresTransaction

BESIDE_READERS = 3
"""Connections of an engine that are not for reading: the writer, the signals, the keeper. The claims' comes on top."""


class PostgresStore:
    """See `rochallor.ports.Store` and `Shared`. `dsn` is a libpq connection string in either form.

    `max_conns` bounds all connections of this engine (4 at least, by default four per core; where there are only four,
    claims ride with the writer's transactions), `min_conns` readers stay connected while idle. Without `unique_keys`
    business keys are labels that nobody holds. `clock` is the database's time, to be used by the engine; `warnings` are
    sentences about the DSN. Raises `ValueError` for a DSN that is none.
    """

    def __init__(
        self,
        dsn: str,
        *,
        unique_keys: bool = True,
        max_conns: int | None = None,
        min_conns: int = 0,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dsn = parse_dsn(dsn)
        self.warnings = self._dsn.warnings
        self.reads = PostgresReads()
        self.clock = DatabaseClock(monotonic_s, time.time() * 1000)
        spare = (max_conns or 4 * (os.cpu_count() or 1)) - BESIDE_READERS
        self.claims_apart = spare > 1
        self._readers = max(spare - self.claims_apart, 1)
        self._kept_readers = min(min_conns, self._readers)
        self.unique_keys = unique_keys
        self._writer = Seat(self._line(WRITER, "writer"))
        self._claimer = Seat(self._line(WRITER, "claims")) if self.claims_apart else self._writer
        self._keeper = Keeper(self._line(KEEPER, "keeper"), self.clock)
        self.signals = PostgresSignals(self._line(KEEPER, "signals"), secrets.token_hex(8))
        self._watermark = Watermark()
        self._newest = Newest()
        self._queued: Counter[str] = Counter()

    def _line(self, session: dict[str, str], purpose: str) -> Line:
        return Line(lambda: connect(self._dsn, session, purpose))

    async def open(self) -> None:
        """Connect and bring the schema up to date, whoever else does so now; raises `Unavailable`."""
        try:
            writer = await self._writer.open()
            await bring_up_to_date(writer)
            await self._agree_on_keys(writer)
            await self._claimer.open()
            await self.reads.open(self._reader, smallest=self._kept_readers, largest=self._readers)
            await self._keeper.start()
            await self.signals.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let the transaction at work end, then disconnect; a second call does nothing."""
        await self._writer.close()
        await self._claimer.close()
        await self.signals.stop()
        await self._keeper.stop()
        await self.reads.close()

    async def ping(self) -> None:
        """Return when the database answers."""
        await self.reads.rows("chain_attempts", "")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """Begin a write when the one before has ended."""
        async with self._at(self._writer) as tx:
            yield tx
        self._queued.update(tx.queued)
        self._watermark.forget(tx.ripened)
        self.signals.publish(job_types=(), instances=tx.changed)
        if not self.claims_apart:
            self._offer(tx.claims, Counter(self._queued))

    async def claim(self, requests: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
        """Lock ready jobs that no other engine is looking at; what is left, other engines hear of."""
        if not requests:
            self._offer(None, Counter(self._queued))
            return []
        saved_before = Counter(self._queued)
        async with self._at(self._claimer) as tx:
            claimed = await tx.claim(requests, now_ms)
        self._offer(tx.claims, saved_before)
        return claimed

    @asynccontextmanager
    async def _at(self, seat: Seat) -> AsyncIterator[PostgresTransaction]:
        async with seat.turn() as turn:
            claims = Claims(turn, self._watermark, asyncio.get_running_loop().time())
            tx = PostgresTransaction(turn, claims, self._newest, unique_keys=self.unique_keys)
            try:
                yield tx
            except BaseException:
                self._newest.forget(tx.relied_on)
                raise
        self._watermark.move(claims.places)
        self._keeper.dirt += tx.touched_jobs + claims.taken.total()

    def _offer(self, claims: Claims | None, saved_before: Counter[str]) -> None:
        """Tell other engines of the jobs that a claim left, and of those saved before it that it did not take.

        What was saved while it was under way the next sees to. Whoever is told only looks, so it may be too much.
        """
        left, taken = (claims.left, claims.taken) if claims else (set(), Counter())
        unclaimed = saved_before - taken
        self._queued -= saved_before
        self.signals.publish(job_types=left | unclaimed.keys(), instances=())

    async def due(self, now_ms: int, limit: int) -> Due:
        """Return what has become due; each answer comes from an index over what waits."""
        rows = self.reads.rows
        timers = tuple((row[0], row[1], row[2]) for row in await rows("due_timers", now_ms, limit))
        leases = tuple(JobRef(*row) for row in await rows("due_leases", now_ms, limit))
        chains = tuple((row[0], row[1], row[2]) for row in await rows("due_chains", now_ms, limit))
        [[ripe_at_ms]] = await rows("next_ripe")
        ripe = ripe_at_ms is not None and ripe_at_ms <= now_ms
        if limit in {len(timers), len(leases), len(chains)}:
            return Due(timers, leases, chains, ripe, now_ms)
        [[later_ms]] = await rows("next_due", now_ms)
        planned = [at_ms for at_ms in (later_ms, None if ripe else ripe_at_ms) if at_ms is not None]
        return Due(timers, leases, chains, ripe, min(planned, default=None))

    async def _reader(self, *_: Any, **pool: Any) -> Any:
        return await connect(self._dsn, READER, "reader", **pool)

    async def _agree_on_keys(self, writer: Any) -> None:
        """Let instances in flight hold their keys, or nobody, when that differs from how it was so far."""
        wish = "held" if self.unique_keys else "free"
        with translated():
            if await writer.fetchval(SQL["agreed_keys"]) == wish:
                return
            async with writer.transaction():
                await writer.execute(SQL["lock_keys"])
                await writer.execute(SQL["adopt_keys" if self.unique_keys else "forget_keys"])
                await writer.execute(SQL["agree_keys"], wish)
