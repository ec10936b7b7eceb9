"""Our engine beside others, under the same load in the same run, in turns; versions and settings of all are printed.

A peer that is missing, fails or lies is named, and only what was measured of it is void: it is a guest here. See
`bench.peer_turns` for who takes part.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from itertools import count
from typing import Any, NamedTuple

from rich.console import Console

from bench import bars, dbos_venv
from bench import peer_turns as turns
from bench.completions import Herd
from bench.contestants import BATCHERS, CONNECTIONS, Turn
from bench.engine import EngineProcess
from bench.flow import CLAIM, STEPS, definition
from bench.flows import FLOWS
from bench.peer_turns import BATCHED, DBOS, DBOS_TWICE, REFERENCE, SINGLE, Figures, Peer, name_of
from bench.results import interpreter
from bench.sidebyside import Effort, Entry, figures_of, in_turns, table_of
from bench.stores import Environment, Stores

_FASTEST_PER_S = 12_000
_POSTGRES = "postgres"
_TOLD = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size", "max_connections")
TITLE = "Beside others: workflows of three steps in a row, starting included unless it says reports; durable commits"


class Wanted(NamedTuple):
    """Whom to measure: engines of the contract, DBOS or not; and how long."""

    peers: tuple[Peer, ...] = ()
    dbos: bool = False
    effort: Effort = Effort(3, 0.5, 2.5)

    @property
    def herd_size(self) -> int:
        """Return how many instances wait where reports alone are measured: enough for the fastest."""
        return round((self.effort.warm_s + self.effort.measure_s + 0.5) * _FASTEST_PER_S)


def measure(console: Console, places: Sequence[Stores], wanted: Wanted) -> dict[str, Any]:
    """Run all rounds; return the figures by store and name, versions and settings, and who failed of what."""
    herd, labels = Herd.born_before(wanted.herd_size), (f"peer_{number}" for number in count())
    given = Turn({}, herd, *wanted.effort[1:])
    entries = [entry for place in places for entry in _entries(place, wanted, given, labels)]
    with_dbos = wanted.dbos and any(place.name == _POSTGRES for place in places)
    if with_dbos:
        [place] = [place for place in places if place.name == _POSTGRES]
        entries += _beside_dbos(console, place, given, labels)
    rounds, failed = in_turns(console, entries, wanted.effort.rounds)
    settings = {"connections": CONNECTIONS, "batchers": BATCHERS, "claim": CLAIM, "steps": STEPS}
    settings |= {"in_flight": FLOWS["linear"].in_flight, **wanted.effort._asdict()}
    about = {"versions": _versions(places, with_dbos=with_dbos), "failed": failed}
    return figures_of(rounds, REFERENCE, settings) | about | {"peers": [peer._asdict() for peer in wanted.peers]}


def _entries(place: Stores, wanted: Wanted, given: Turn, labels: Iterator[str]) -> Iterator[Entry]:
    """Yield ours and the peers, one after the other, by transport."""
    doors = [transport for transport in ("rest", "grpc") if transport == "rest" or any(p.grpc for p in wanted.peers)]
    for transport in doors:
        fresh = _on(place, partial(place.empty), turns.ours(transport), given, labels)
        yield Entry(place.name, name_of(turns.OURS, transport), fresh)
        for peer in wanted.peers:
            if transport in peer.doors:
                yield Entry(place.name, name_of(peer.name, transport), partial(peer.turn, transport, given), guest=True)


def _beside_dbos(console: Console, place: Stores, given: Turn, labels: Iterator[str]) -> Iterator[Entry]:
    console.print(f"{place.name}: {given.herd.size:,} instances are made to wait …", highlight=False)
    filled = place.empty("peers")
    with EngineProcess(filled) as engine:
        engine.upload(definition())
    place.pour(filled, given.herd.waiting())
    copy = partial(place.copy, filled)
    yield Entry(place.name, SINGLE, _on(place, copy, turns.single, given, labels))
    yield Entry(place.name, BATCHED, _on(place, copy, turns.batched, given, labels))
    for processes, name in enumerate((DBOS, DBOS_TWICE), start=1):
        yield Entry(place.name, name, _on(place, place.empty, turns.dbos(processes), given, labels), guest=True)


def _on(
    place: Stores,
    make: Callable[[str], Environment],
    turn: Callable[[Turn], Figures],
    given: Turn,
    labels: Iterator[str],
) -> Callable[[], Figures]:
    def run() -> Figures:
        store = make(next(labels))
        try:
            return turn(given._replace(store=store))
        finally:
            place.drop(store)

    return run


def _versions(places: Sequence[Stores], *, with_dbos: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"rochallor": version("rochallor"), "python": interpreter()}
    told |= {name: version(name) for name in ("grpcio", "uvloop", "asyncpg")}
    for place in places:
        if place.name == _POSTGRES:
            store = place.empty("about")
            told["postgres"] = asyncio.run(_shown(store["WE_POSTGRES_DSN"]))
            place.drop(store)
        else:
            told[place.name] = {"version": sqlite3.sqlite_version, "journal_mode": "WAL", "synchronous": "FULL"}
    if with_dbos:
        told["dbos"] = _dbos()
    return told


async def _shown(dsn: str) -> dict[str, str]:
    import asyncpg  # noqa: PLC0415  # SQLite's figures need no driver

    connection = await asyncpg.connect(dsn)
    try:
        return {name: await connection.fetchval(f"SHOW {name}") for name in _TOLD}
    finally:
        await connection.close()


def _dbos() -> dict[str, object]:
    try:
        found = dbos_venv.version(dbos_venv.interpreter())
    except RuntimeError as error:
        return {"version": "", "missing": str(error)}
    return {"version": found, "threads of a process": turns.DBOS_THREADS, "others": "defaults"}


def report(console: Console, measured: dict[str, Any]) -> None:
    """Print the table, who failed, and the versions and settings of all."""
    rounds = measured["rounds"]
    console.print(table_of(TITLE, rounds, bars.judge(rounds), REFERENCE))
    for name, why in measured["failed"].items():
        console.print(f"[red]void: {name}: {why}[/red]", highlight=False)
    console.print(f"A step of {DBOS} counts as a job.", highlight=False)
    for line in _about(measured):
        console.print(f"  {line}", highlight=False, markup=False)


def _about(measured: dict[str, Any]) -> Iterator[str]:
    """Yield the versions, the settings, where peers are, and how long everybody's polls waited."""
    for name, value in measured["versions"].items():
        yield f"{name}: {_listed(value) if isinstance(value, dict) else value}"
    yield f"load: {_listed(measured['settings'])}"
    for peer in measured["peers"]:
        doors = {transport: "{}:{}".format(*peer[transport]) for transport in ("rest", "grpc") if peer[transport]}
        yield f"peer {peer['name']}: {_listed(doors)}"
    for store, seen in measured["rounds"].items():
        waits = {name: f"{runs[0]['wait_ms']} ms" for name, runs in seen.items() if "wait_ms" in runs[0]}
        yield f"long polls on {store}: {_listed(waits)}; 0 is an engine that does not know them"


def _listed(values: dict[str, Any]) -> str:
    return " · ".join(f"{name} {value}" for name, value in values.items())
