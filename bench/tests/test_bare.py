"""The bare loops: what they leave in a store is what an engine leaves there, so they are a floor and no illusion."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rochallor.ports import Dossier, Store, StoredDefinition
from rochallor.shell.clocks import SystemEntropy
from rochallor.shell.doctor import Doctor
from rochallor.shell.engine import Engine
from rochallor.stores.postgres import PostgresStore
from rochallor.stores.sqlite import SqliteStore

from bench import bare
from bench.bare_stores import Stopwatch, connected
from bench.callers import Inside
from bench.completions import Completion, Herd
from bench.fill import BORN_MS
from bench.flow import CLAIM, DEFINITION, STEPS, definition
from bench.stores import Environment, PostgresStores, SqliteStores, Stores

PACE_MS = 1_000


class Goal:
    """Is reached after so many jobs, or when none are left."""

    def __init__(self, jobs: int = 10**9) -> None:
        self.done = asyncio.Event()
        self.count = 0
        self._jobs = jobs

    def finished(self, jobs: int, _began_s: float) -> None:
        self.count += jobs
        if self.count >= self._jobs:
            self.done.set()

    def starved(self) -> None:
        self.done.set()


class Filled(NamedTuple):
    """A store in which a herd waits."""

    store: Store
    where: str
    herd: Herd

    async def run(self, loop: str, goal: Goal) -> None:
        connection = await connected(self.where, "test")
        try:
            await bare.LOOPS[loop](connection, self.herd.completions(), goal)
        finally:
            await connection.close()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        await self.store.open()
        try:
            yield
        finally:
            await self.store.close()

    async def dossiers(self) -> list[Dossier]:
        return await self.store.reads.dossiers([member.instance_id for member in self.herd.members()])

    async def findings(self) -> list[Any]:
        doctor = Doctor(self.store.reads, unique_keys=True, now_ms=BORN_MS)
        findings = [finding async for finding in doctor.findings()]
        assert doctor.seen == self.herd.size
        return findings


async def fill(place: Stores, named: Environment, store: Store, herd: Herd) -> Filled:
    """Let a herd wait in a new store, which stays open for reading."""
    await store.open()
    async with store.transaction() as tx:
        await tx.insert_definition(StoredDefinition(DEFINITION, 1, "Linear", "", definition(), BORN_MS))
    await store.close()
    await asyncio.to_thread(place.pour, named, herd.waiting())
    [where] = named.values()
    return Filled(store, where, herd)


@pytest.fixture(params=["sqlite", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Give a function from a herd to a filled store of this kind."""

    async def filled(herd: Herd) -> Filled:
        if request.param == "sqlite":
            place = SqliteStores(tmp_path)
            named = place.empty("bare")
            return await fill(place, named, SqliteStore(named["WE_SQLITE_PATH"]), herd)
        named = {"WE_POSTGRES_DSN": dsn}
        return await fill(PostgresStores(dsn), named, PostgresStore(dsn), herd)

    dsn = request.getfixturevalue("postgres_database") if request.param == "postgres" else ""
    return filled


@pytest.mark.parametrize(
    ("make", "loop"),
    [("sqlite", "floor"), ("postgres", "floor"), ("postgres", "lean"), ("postgres", "chatty")],
    indirect=["make"],
)
async def test_a_loop_leaves_a_sound_store_behind(make, loop):
    """Worked to the end by any loop, every instance is completed and `doctor` finds nothing wrong."""
    filled = await make(Herd(CLAIM + 7, BORN_MS))
    goal = Goal()
    await filled.run(loop, goal)
    assert goal.count == filled.herd.size * STEPS
    async with filled.opened():
        assert {dossier.listed for dossier in await filled.dossiers()} == {("COMPLETED", STEPS + 1)}
        assert await filled.findings() == []


async def test_a_floor_that_is_cut_off_leaves_a_sound_store_behind(make):
    """Stopped half-way, some jobs are done, none is lost, and `doctor` finds nothing wrong."""
    filled = await make(Herd(CLAIM + 7, BORN_MS))
    await filled.run("floor", Goal(CLAIM))
    async with filled.opened():
        assert "ACTIVE" in {dossier.listed[0] for dossier in await filled.dossiers()}
        assert await filled.findings() == []


async def test_the_floor_writes_what_an_engine_writes(make, tmp_path):
    """An engine that gets the same reports at the same times leaves the very same dossier: state, history, rows."""
    filled = await make(Herd(1, BORN_MS))
    await filled.run("floor", Goal())
    async with filled.opened():
        by_the_floor = await filled.dossiers()

    beside = SqliteStores(tmp_path)
    named = beside.empty("engine")
    other = await fill(beside, named, SqliteStore(named["WE_SQLITE_PATH"]), filled.herd)
    now = Now()
    engine = Engine(other.store, clock=now, entropy=SystemEntropy())
    await engine.start()
    worker = Inside(engine)
    for number in range(1, STEPS + 1):
        [job_id] = await worker.claim(CLAIM)
        now.ms = BORN_MS + number * PACE_MS
        await worker.complete(job_id)
    by_the_engine = await other.dossiers()
    await engine.stop()
    assert by_the_floor == by_the_engine


class Now:
    """A clock that is set by hand."""

    ms = BORN_MS

    def now_ms(self) -> int:
        return self.ms


class Recorder:
    """A store that counts what it is asked to do, and has two jobs."""

    def __init__(self) -> None:
        self.watch = Stopwatch()
        self.statements: Counter[str] = Counter()
        self._jobs = [*Herd(2, BORN_MS).completions()][:2]

    async def begin(self) -> None:
        self.statements["begin"] += 1

    async def commit(self) -> None:
        self.statements["commit"] += 1

    async def claim(self) -> list[tuple[str, int]]:
        jobs, self._jobs = self._jobs, []
        return jobs

    async def write(self, done: Sequence[Completion]) -> None:
        self.statements.update(name for each in done for name, row in each._asdict().items() if row)

    async def ask(self, name: str, *_parameters: Any) -> None:
        self.statements[name] += 1

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(("loop", "statements"), [("lean", 6), ("chatty", 16)])
async def test_a_completion_by_itself_is_a_transaction_of_so_many_statements(loop, statements):
    """Lean takes 6 statements for a job that queues the next one, chatty 16, BEGIN and COMMIT included."""
    recorder = Recorder()
    await bare.LOOPS[loop](recorder, Herd(2, BORN_MS).completions(), Goal())
    assert recorder.statements["begin"] == recorder.statements["commit"] == 2
    assert sum(recorder.statements.values()) == 2 * statements


@pytest.mark.parametrize("jobs", [1, STEPS])
def test_completions_are_there_for_every_job(jobs):
    """Each step of each instance has its rows; the last one queues nothing."""
    herd = Herd(jobs, BORN_MS)
    ready_made = herd.completions()
    assert len(ready_made) == jobs * STEPS
    assert sum(done.insert_job is None for done in ready_made.values()) == jobs
