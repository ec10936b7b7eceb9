"""What else can break: the clock, the disk, the database server. Each fault leaves engines that have to go on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from e2e.faults.places import PostgresPlace
from e2e.faults.world import World

HOLD_S = 1.0
DISK_MIB = 6
CUTS = 5


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
    world.engines[0].limit_files(database.stat().st_size)
    await asyncio.sleep(HOLD_S)
    world.engines[0].limit_files(-1)
    if world.ledger.refused[503] == refused:
        world.tally.skipped.append("files at their limit: nothing was refused, so they were not")
    await asyncio.sleep(HOLD_S)
    world.tally.faults["files at their limit"] += 1


def _fill(ballast: Path) -> None:
    with ballast.open("wb") as file:
        for size in (1024 * 1024, 64 * 1024, 4096, 512):
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline:
                try:
                    file.write(b"\0" * size)
                    file.flush()
                except OSError:
                    break


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
