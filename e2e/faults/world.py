"""One round: a fresh store, its engines, a load on them, and what is looked at after every fault."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from rochallor.config import Config
from rochallor.ports import InstanceFilter, Reads
from rochallor.serve.visit import visit
from rochallor.shell.clocks import SystemClock
from rochallor.shell.doctor import Doctor

from e2e.faults.ledger import Ledger, verify
from e2e.faults.load import Load
from e2e.faults.places import Place, variables_of
from e2e.faults.process import Engine
from e2e.faults.wire import Client, Lost

SETTLE_S = 40.0
READY_S = 30.0
QUIET = 4
"""How many looks in a row have to find nothing in flight: between a parent's end and its child's start is a moment."""


class Tally:
    """What a store's rounds add up to. The three lists, and `unsound`, are sentences; empty is what is wanted."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.kills = 0
        self.in_flight = 0
        self.instances = 0
        self.visits = 0
        self.lost: list[str] = []
        self.doubled: list[str] = []
        self.stuck: list[str] = []
        self.unsound: list[str] = []
        self.skipped: list[str] = []

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong, each with its kind."""
        kinds = ("lost", "doubled", "stuck", "unsound")
        return [f"{kind}: {sentence}" for kind in kinds for sentence in getattr(self, kind)]


class World:
    """Engines on one fresh store under load. `async with` it; leaving it settles and verifies."""

    def __init__(self, place: Place, config: Config, folder: Path, tally: Tally, *, seed: int, per_s: float) -> None:
        self.place = place
        self.tally = tally
        self.ledger = Ledger()
        self.clock_moved = False
        self._config = config
        log = folder / f"engine-{seed}.log"
        self.engines = [Engine(variables_of(config), log) for _ in range(place.engines)]
        self.ports = [engine.port for engine in self.engines]
        self.load = Load(self.ports, self.ledger, seed=seed, per_s=per_s)

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(engine.start() for engine in self.engines))
        await self.load.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self.revive()
                await self.settle()
        finally:
            await self.load.stop() if error is None else await asyncio.gather(self.load.stop(), return_exceptions=True)
            await asyncio.gather(*(engine.kill() if error else engine.stop() for engine in self.engines))
        if error is None:
            await self.judge()

    async def restart(self, number: int, trap: str = "") -> None:
        """Start an engine again, with the doctor looking on: it may not be in the engine's way."""
        await asyncio.gather(self.engines[number].start(trap), self.survey())

    async def revive(self) -> None:
        """Have all engines running and ready, none with a trap."""
        for engine in self.engines:
            await engine.kill()
        await asyncio.gather(*(engine.start() for engine in self.engines))
        await self.ready()

    async def ready(self) -> None:
        """Return when every engine says it is ready."""
        for port in self.ports:
            client = Client(port)
            async with asyncio.timeout(READY_S):
                while not await _is_ready(client):  # noqa: ASYNC110 - another process becomes ready
                    await asyncio.sleep(0.05)
            client.close()

    async def survey(self) -> None:
        """Let the doctor look at everything as it is now, and count what is in flight."""
        async with self.reads() as reads:
            await self._examine(reads)
            self.tally.in_flight += await in_flight(reads)

    async def settle(self) -> None:
        """Start nothing new and let everything end; what has not ended in time is found by `judge`."""
        self.load.starting = False
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE_S
        async with self.reads() as reads:
            quiet = 0
            while quiet < QUIET and loop.time() < deadline:
                quiet = 0 if await in_flight(reads) else quiet + 1
                await asyncio.sleep(0.1)

    async def judge(self) -> None:
        """Compare the record with what was promised."""
        async with self.reads() as reads:
            verdict = await verify(reads, self.ledger, clock_moved=self.clock_moved)
            self.tally.instances += await self._examine(reads)
        self.tally.lost += verdict.lost
        self.tally.doubled += verdict.doubled
        self.tally.stuck += verdict.stuck

    @asynccontextmanager
    async def reads(self) -> AsyncIterator[Reads]:
        """Look into the store beside the engines."""
        async with visit(self._config, SystemClock()) as there:
            yield there.reads

    async def _examine(self, reads: Reads) -> int:
        doctor = Doctor(reads, unique_keys=True, now_ms=SystemClock().now_ms())
        async for finding in doctor.findings():
            if finding.grave:
                self.tally.unsound.append(f"{finding.instance_id} {finding.check}: {finding.message}")
        self.tally.visits += 1
        return doctor.seen


async def in_flight(reads: Reads) -> int:
    """Count the instances that are not at their end."""
    counts = [await reads.instances(InstanceFilter(status=status), 1, 0) for status in ("ACTIVE", "WAITING")]
    return sum(total for _, total in counts)


async def _is_ready(client: Client) -> bool:
    try:
        return (await client.call("GET", "/readyz")).ok
    except Lost:
        return False
