"""The suite: rounds of faults per store, and the table of what came of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from e2e.faults import kills, races, surroundings
from e2e.faults.places import Place, PostgresPlace, SqlitePlace
from e2e.faults.world import Tally, World

PER_S = 40.0
Say = Callable[[str], None]


class Size(NamedTuple):
    """How much of it: rounds of kills per store, kills per round, and how often each fault of the surroundings."""

    rounds: int
    kills: int
    others: int


FULL = Size(rounds=5, kills=22, others=3)


async def sqlite(folder: Path, seed: int, size: Size, say: Say) -> Tally:
    """Play everything on SQLite."""
    place, tally = SqlitePlace(folder), Tally()
    await _killing(place, folder, tally, seed=seed, size=size, say=say)
    await _peaceful(place, folder, tally, seed, say)
    await _full_disk(folder, tally, seed, say)
    return tally


async def postgres(folder: Path, seed: int, size: Size, say: Say) -> Tally:
    """Play everything on PostgreSQL, with two engines."""
    place, tally = PostgresPlace(), Tally()
    try:
        await place.start()
        await _killing(place, folder, tally, seed=seed, size=size, say=say)
        await _peaceful(place, folder, tally, seed, say)
        await _database(place, folder, tally, seed=seed, size=size, say=say)
    finally:
        await place.close()
    return tally


STORES = {"sqlite": sqlite, "postgres": postgres}


async def _world(place: Place, folder: Path, tally: Tally, seed: int) -> World:
    return World(place, await place.fresh(), folder, tally, seed=seed, per_s=PER_S)


async def _killing(place: Place, folder: Path, tally: Tally, *, seed: int, size: Size, say: Say) -> None:
    """Kill engines; no two rounds of a suite have the same schedule."""
    for number in range(size.rounds):
        own_seed = seed * 1000 + number
        say(f"{place.name}: {size.kills} kills, round {number + 1} of {size.rounds}, seed {own_seed}")
        async with await _world(place, folder, tally, own_seed) as world:
            await kills.play(world, kills.schedule(Random(own_seed), size.kills))  # noqa: S311 - a schedule


async def _peaceful(place: Place, folder: Path, tally: Tally, seed: int, say: Say) -> None:
    """Races, and clocks that jump: nobody dies."""
    say(f"{place.name}: races and clocks")
    async with await _world(place, folder, tally, seed * 1000 + 100) as world:
        for race in (races.duplicates, races.two_workers, races.contests):
            await race(world)
            await world.survey()
        for jump in (surroundings.clock_back, surroundings.clock_forth, surroundings.clock_forth_at_rest):
            await jump(world)
            await world.survey()


async def _full_disk(folder: Path, tally: Tally, seed: int, say: Say) -> None:
    say("sqlite: disk full")
    with surroundings.small_disk(folder / "disk") as mounted:
        place = SqlitePlace(folder / "disk")
        async with await _world(place, folder, tally, seed * 1000 + 200) as world:
            if mounted:
                await surroundings.disk_full(world, folder / "disk")
            else:
                tally.skipped.append("disk full: only root may mount a small disk; a limit on files stands in for it")
            await surroundings.file_limit(world, folder / "disk" / "round-1.db")


async def _database(place: PostgresPlace, folder: Path, tally: Tally, *, seed: int, size: Size, say: Say) -> None:
    say("postgres: server killed, sessions killed, connections cut")
    own_seed = seed * 1000 + 300
    random = Random(own_seed)  # noqa: S311 - a schedule
    async with await _world(place, folder, tally, own_seed) as world:
        for _ in range(size.others):
            await surroundings.connections_cut(world, place, random)
            await surroundings.backend_killed(world, place, random)
            await surroundings.server_killed(world, place, random)


async def play(stores: list[str], seed: int, size: Size, say: Say) -> dict[str, Tally]:
    """Play the suite on these stores; returns what came of it per store."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        return {store: await STORES[store](Path(name), seed, size, say) for store in stores}


COLUMNS = ("store", "faults", "kills", "instances", "in flight", "doctor", "lost", "doubled", "stuck", "unsound")


def table(tallies: dict[str, Tally]) -> str:
    """Return the table; `in flight` adds up what was at work at each fault, `doctor` counts its visits."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for store, tally in tallies.items():
        figures = (tally.faults.total(), tally.kills, tally.instances, tally.in_flight, tally.visits)
        problems = (len(tally.lost), len(tally.doubled), len(tally.stuck), len(tally.unsound))
        rows.append((store, *map(str, (*figures, *problems))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
