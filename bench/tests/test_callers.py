"""The load over each transport: it works an engine's jobs to the end, and notices when it is not answered well."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from rochallor.config import Config
from rochallor.serve.visit import visit
from rochallor.shell.clocks import SystemClock
from rochallor.shell.doctor import Doctor

from bench.client import TRANSPORTS
from bench.completions import Herd
from bench.door import door_process
from bench.engine import EngineProcess
from bench.fill import BORN_MS
from bench.flow import STEPS, definition
from bench.stores import SqliteStores
from bench.workers import in_batches, one_by_one

HOST = "127.0.0.1"
HERD = Herd(20, BORN_MS)
PATIENCE_S = 60.0


class Goal:
    """Is reached after so many jobs."""

    def __init__(self, jobs: int) -> None:
        self.done = asyncio.Event()
        self.count = 0
        self._jobs = jobs

    def finished(self, jobs: int, _began_s: float) -> None:
        self.count += jobs
        if self.count >= self._jobs:
            self.done.set()

    def starved(self) -> None:
        """Go on: what is claimed is being reported."""


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_a_transport_works_every_job_to_the_end(transport, tmp_path: Path):
    """In batches, then one by one: all instances are completed, and `doctor` finds nothing wrong."""
    place = SqliteStores(tmp_path)
    named = place.empty("callers")
    with EngineProcess(named) as engine:
        engine.upload(definition())
    place.pour(named, HERD.waiting())
    with EngineProcess(named) as engine:
        port = engine.grpc_port if transport == "grpc" else engine.port
        batches, singles = asyncio.run(work(transport, str(port)))
    assert batches == 2 * HERD.size  # what came with the answer to the first batch is finished too
    assert batches + singles == HERD.size * STEPS
    assert asyncio.run(examined(named["WE_SQLITE_PATH"])) == ({"COMPLETED"}, [])


async def work(transport: str, port: str) -> tuple[int, int]:
    async with asyncio.timeout(PATIENCE_S), TRANSPORTS[transport](5, HOST, port) as callers:
        batches = Goal(HERD.size)
        await in_batches(callers[:1], batches, HERD.size)
        singles = Goal(HERD.size * STEPS - batches.count)
        await one_by_one(callers[1:4], callers[4:], singles, HERD.size)
    return batches.count, singles.count


async def examined(path: str) -> tuple[set[str], list[object]]:
    async with visit(Config(sqlite_path=path), SystemClock()) as there:
        doctor = Doctor(there.reads, unique_keys=True, now_ms=there.now_ms)
        findings: list[object] = [finding async for finding in doctor.findings()]
        dossiers = await there.reads.dossiers([member.instance_id for member in HERD.members()])
    return {dossier.listed[0] for dossier in dossiers}, findings


def test_a_door_answers_without_an_engine():
    """Its jobs are made up, and completing them changes nothing anywhere."""

    async def knock(port: int) -> int:
        goal = Goal(10)
        async with TRANSPORTS["door"](3, HOST, str(port)) as callers:
            await one_by_one(callers[1:], callers[:1], goal, 5)
        return goal.count

    with door_process() as door:
        assert asyncio.run(knock(door.port)) >= 10


async def test_a_failure_ends_the_load_and_is_told():
    """When a report is refused, nobody goes on, and what went wrong is raised."""

    class Refused(Goal):
        async def claim(self, at_once: int) -> list[str]:
            return ["job"] * at_once

        async def complete(self, _job_id: str) -> None:
            raise RuntimeError("HTTP 500")

        async def report(self, _job_ids: object, _at_once: int) -> list[str]:
            raise RuntimeError("HTTP 500")

    caller = Refused(10)
    with pytest.raises(RuntimeError, match="HTTP 500"):
        await one_by_one([caller] * 3, [caller], caller, 5)
    with pytest.raises(RuntimeError, match="HTTP 500"):
        await in_batches([caller], caller, 5)
    assert caller.count == 0
