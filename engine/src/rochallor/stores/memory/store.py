"""The store without a disk: dicts. For tests, for the stub, and as the shortest statement of what a store is.

A transaction writes into layers over the tables and folds them in when it ends well; readers never see a layer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from rochallor.core.errors import Unavailable
from rochallor.ports import ClaimedJob, ClaimRequest, Due
from rochallor.stores.memory.reads import MemoryReads
from rochallor.stores.memory.tables import Chain, Layer, Tables
from rochallor.stores.memory.writes import MemoryTransaction


class MemoryStore:
    """See `rochallor.ports.Store`. What it holds outlives `close` and `open`, as long as the object does."""

    claims_apart = False

    def __init__(self, *, unique_keys: bool = True) -> None:
        self._tables = Tables(*({} for _ in Tables._fields))
        self._places = count(1)
        self.unique_keys = unique_keys
        self._turn = asyncio.Lock()
        self._open = False
        self.reads = MemoryReads(self._tables)

    async def open(self) -> None:
        """Be ready."""
        self._open = True

    async def close(self) -> None:
        """Refuse further work once the transaction at work has ended."""
        async with self._turn:
            self._open = False

    async def ping(self) -> None:
        """Return when open."""
        if not self._open:
            raise Unavailable("the store is not open")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryTransaction]:
        """Begin a write when the one before has ended."""
        async with self._turn:
            await self.ping()
            layers: list[Layer[Any, Any]] = [Layer(table) for table in self._tables]  # type: ignore[arg-type]  # dicts
            yield MemoryTransaction(Tables(*layers), self._places, unique_keys=self.unique_keys)
            for layer in layers:
                layer.fold_in()

    async def claim(self, requests: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
        """Lock ready jobs in a transaction of its own."""
        if not requests:
            return []
        async with self.transaction() as tx:
            return await tx.claim(requests, now_ms)

    async def due(self, now_ms: int, limit: int) -> Due:
        """Return what has become due, and when the next thing will."""
        await self.ping()
        tables = self._tables
        timers = sorted((due_ms, place) for place, due_ms in tables.timers.items())
        leases = sorted((job.lease.expires_at_ms, job.order, job.ref) for job in tables.jobs.values() if job.lease)
        chains = sorted((chain.due_at_ms, parent_id) for parent_id, chain in tables.chains.items())
        delayed = sorted(job.row.ready_at_ms for job in tables.jobs.values() if job.delayed)
        due = Due(
            timers=tuple(place for due_ms, place in timers if due_ms <= now_ms)[:limit],
            leases=tuple(job for due_ms, _, job in leases if due_ms <= now_ms)[:limit],
            chains=tuple(_asked(tables.chains[parent]) for due_ms, parent in chains if due_ms <= now_ms)[:limit],
            ripe=any(ready_at_ms <= now_ms for ready_at_ms in delayed),
        )
        if limit in {len(due.timers), len(due.leases), len(due.chains)}:
            return due._replace(next_at_ms=now_ms)
        later = [] if due.ripe else delayed  # whoever lets the ripe ones ripen asks again for the rest
        planned = [*later, *(row[0] for row in timers), *(row[0] for row in leases), *(row[0] for row in chains)]
        return due._replace(next_at_ms=min((at_ms for at_ms in planned if at_ms > now_ms), default=None))


def _asked(chain: Chain) -> tuple[str, str, str | None]:
    return chain.row.parent_id, chain.row.next_workflow_id, chain.row.business_key
