"""What has to be done about once a second beside the work: vacuum the job table, compare clocks.

Vacuum is throughput. Every finished job leaves dead rows in the index that claims walk, and autovacuum comes once a
minute; an engine that vacuums after itself keeps a claim as quick after a million jobs as after ten.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg
import structlog

from rochallor.core.errors import Unavailable
from rochallor.stores.postgres.claims import SQL
from rochallor.stores.postgres.clock import DatabaseClock
from rochallor.stores.postgres.connect import Line, translated

log = structlog.get_logger("rochallor.postgres")

EVERY_S = 1.0
CLOCK_EVERY = 15
WORTH_IT = 200
TENTH = 10
"""Of a large table a tenth has to have changed: a vacuum writes to pages all over its indexes, and what it writes to
the log has to be synced by whoever commits next. Until then the watermark keeps claims from walking over dead rows."""
SHARE = 20
"""A vacuum that took a second is followed by twenty without one: with a million jobs waiting it is not cheap."""


class Keeper:
    """One task on one connection. `dirt` is how many job rows this engine has changed since the last vacuum."""

    def __init__(self, line: Line, clock: DatabaseClock) -> None:
        self.dirt = 0
        self._line = line
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Measure the clock, then keep house; raises `Unavailable`."""
        await self._clock.measure(await self._line.get())
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop, also in the middle of a vacuum."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._line.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        rounds, not_before_s = 0, 0.0
        while True:
            await asyncio.sleep(EVERY_S)
            rounds += 1
            began_s = loop.time()
            try:
                if began_s >= not_before_s and await self.is_due():
                    await self.vacuum()
                    not_before_s = loop.time() + SHARE * (loop.time() - began_s)
                if rounds % CLOCK_EVERY == 0:
                    await self._clock.measure(await self._line.get())
            except Unavailable:
                self._line.drop()
            except asyncpg.PostgresError as error:
                log.warning("the job table was not vacuumed; claims get slower", why=str(error))

    async def is_due(self) -> bool:
        """Tell whether enough has changed, for as many jobs as the last vacuum has counted."""
        if self.dirt < WORTH_IT:
            return False
        connection = await self._line.get()
        with translated():
            rows: float = await connection.fetchval(SQL["job_rows"])
        return self.dirt >= rows / TENTH

    async def vacuum(self) -> bool:
        """Vacuum the job table unless another engine is at it; return whether this one did."""
        connection = await self._line.get()
        with translated():
            if not await connection.fetchval(SQL["try_vacuum_lock"]):
                return False
            try:
                self.dirt = 0
                await connection.execute(SQL["vacuum_jobs"])
            finally:
                await connection.fetchval(SQL["leave_vacuum_lock"])
        return True
