"""What else can break: the clock, the disk, the database server. Each fault leaves engines that have to go on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from e2e.faults.places import PostgresPlace
from e2e.faults.wire import Client
from e2e.faults.world import World

HOLD_S = 1.0
DISK_MIB = 48
CUTS = 5
WAKE_S = 2.5
"""How long an engine may take to notice that its clock was turned."""

PATIENT: dict[str, Any] = {
    "id": "patient",
    "name": "patient",
    "steps": [
        {
            "id": "wait",
            "name": "wait",
            "type": "WAIT",
            "nextStep": "end",
            "boundaryEvents": [{"type": "TIMER", "duration": "PT30M", "interrupting": True, "targetStepId": "end"}],
        },
        {"id": "end", "name": "end", "type": "END"},
    ],
}


async def clock_back(world: World) -> None:
    """The clock goes back an hour under load, and forward again: what had been timed is done then."""
    await _turn(world, signal.SIGUSR2, signal.SIGUSR1)
    world.tally.faults["clock an hour back and forth"] += 1


async def clock_forth(world: World) -> None:
    """The clock goes forward an hour under load and, when all that was timed meanwhile is done, back again."""
    world.clock_moved = True
    for engine in world.engines:
        engine.signal(signal.SIGUSR1)
    await asyncio.sleep(HOLD_S)
    await world.settle()
    for engine in world.engines:
        engine.signal(signal.SIGUSR2)
    world.load.starting = True
    await asyncio.sleep(HOLD_S)
    world.tally.faults["clock an hour forth and back"] += 1


async def _turn(world: World, there: signal.Signals, back: signal.Signals) -> None:
    world.clock_moved = True
    for number in (there, back):
        for engine in world.engines:
            engine.signal(number)
        await asyncio.sleep(HOLD_S)


async def clock_forth_at_rest(world: World) -> None:
    """A sleeping host wakes an hour later: a timer that is due then fires, although nobody calls the engine."""
    world.clock_moved = True
    await world.settle()
    client = Client(world.ports[0])
    await client.call("POST", "definitions", PATIENT)
    instance_id = (await client.call("POST", "instances", {"definitionId": PATIENT["id"]})).body["id"]
    await asyncio.sleep(HOLD_S / 2)  # whatever the start has set in motion is over
    for engine in world.engines:
        engine.signal(signal.SIGUSR1)
    await asyncio.sleep(WAKE_S)
    async with world.reads() as reads:
        instance = await reads.instance(instance_id)
    if instance is None or not instance.status.terminal:
        world.tally.stuck.append(f"{instance_id}: its timer came due in a jump of the clock and did not fire")
        await client.call("POST", f"instances/{instance_id}/cancel", {})
    client.close()
    for engine in world.engines:
        engine.signal(signal.SIGUSR2)
    world.load.starting = True
    world.tally.faults["clock an hour forth, at rest"] += 1


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Make `folder` a disk of a few MiB; yields False where we may not (only root may mount)."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "none", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - ours
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607 - as above


async def disk_full(world: World, disk: Path) -> None:
    """The disk is full for a while: changes are refused, an engine dies meanwhile, and with room all goes on."""
    ballast = disk / "ballast"
    await asyncio.sleep(HOLD_S)
    refused = world.ledger.refused[503]
    await asyncio.to_thread(_fill, ballast)
    await asyncio.sleep(HOLD_S)
    await world.engines[0].kill()
    ballast.unlink()
    await world.restart(0)
    if world.ledger.refused[503] == refused:
        world.tally.skipped.append("disk full: nothing was refused, so it was not full")
    world.tally.kills += 1
    world.tally.faults["disk full, and an engine killed"] += 1


async def file_limit(world: World, database: Path) -> None:
    """No file may grow for a while, which to the engine is a disk that is full; with room again all goes on."""
    refused = world.ledger.refused[503]
    world.engines[0].limit_files(os.stat(database).st_size)  # noqa: PTH116 - it takes no time
    await asyncio.sleep(HOLD_S)
    world.engines[0].limit_files(-1)
    if world.ledger.refused[503] == refused:
        world.tally.skipped.append("files at their limit: nothing was refused, so they were not")
    await asyncio.sleep(HOLD_S)
    world.tally.faults["files at their limit"] += 1


def _fill(ballast: Path) -> None:
    """Write until nothing fits, then once more: the engine may have freed a page meanwhile."""
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (1024 * 1024, 4096, 512, 512):
            while _written(descriptor, size):
                pass
    finally:
        os.close(descriptor)


def _written(descriptor: int, size: int) -> bool:
    try:
        return os.write(descriptor, b"\0" * size) > 0
    except OSError:
        return False


async def server_killed(world: World, place: PostgresPlace, random: Random) -> None:
    """The database server and all its processes die under load, and come back."""
    await asyncio.sleep(random.uniform(0.1, 0.6))
    await place.kill_server()
    await asyncio.sleep(random.uniform(0, 0.5))
    await place.start_server()
    await _over(world)
    world.tally.kills += 1
    world.tally.faults["database server killed"] += 1


async def backend_killed(world: World, place: PostgresPlace, random: Random) -> None:
    """One session's process dies; the server ends all others and recovers."""
    await asyncio.sleep(random.uniform(0.1, 0.6))
    await place.kill_backend(random.randrange(100))
    await asyncio.sleep(0.5)
    await _over(world)
    world.tally.kills += 1
    world.tally.faults["database session killed"] += 1


async def connections_cut(world: World, place: PostgresPlace, random: Random) -> None:
    """All connections of all engines are cut, several times, in the middle of whatever they do."""
    for _ in range(CUTS):
        await asyncio.sleep(random.uniform(0.02, 0.3))
        world.tally.faults["database connections cut"] += await place.cut_connections()
    await _over(world)


async def _over(world: World) -> None:
    await world.ready()
    await world.survey()
