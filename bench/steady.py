"""Whether an engine stays as it is: over a minute, beside a forgotten transaction, without statistics, among many.

*Drift* is one run in a closed loop, its last sixth beside its first. All else are pairs that take turns in every round:
the same load on copies of the same store, with and without what makes it hard (`bench.hindrances`).
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench import bars
from bench.cases import ANALYSED, FIRST, LAST, NONE_OPEN, OPEN, PINNED, UNANALYSED, UNPINNED, many_open, pairs
from bench.dispatching import Plan
from bench.engine import EngineProcess
from bench.floors import verdict
from bench.flow import definition
from bench.growth import Fill
from bench.hindrances import assert_never_analysed, forgotten_transaction, without_autovacuum
from bench.running import Load, run
from bench.stores import Environment, Stores
from bench.window import count

_PARTS = 6

Figures = dict[str, float]


class Effort(NamedTuple):
    """How long drift is looked for, with a warm-up before it; how many rounds of the pairs, and their load.

    `open` instances are in the stores that are not empty.
    """

    drift_s: float = 60.0
    warm_s: float = 2.0
    rounds: int = 3
    load: Load = Load(2_000, at_once=10)
    open: int = OPEN


class Part(NamedTuple):
    """A stretch of a run: jobs per second, and the standard error of that, by how its slices differ."""

    jobs_per_s: float
    error_per_s: float


def parts(slices: Sequence[int], seconds: float) -> tuple[Part, Part]:
    """Return the first and the last sixth of a run that lasted so long, given the jobs of each slice of it."""
    size = len(slices) // _PARTS
    per_s = len(slices) / seconds
    return _part(slices[:size], per_s), _part(slices[-size:], per_s)


def _part(slices: Sequence[int], per_s: float) -> Part:
    return Part(statistics.fmean(slices) * per_s, statistics.stdev(slices) / len(slices) ** 0.5 * per_s)


def measure(console: Console, stores: Stores, effort: Effort) -> dict[str, Any]:
    """Measure everything; return the figures of each round by name, and how they stand to the bars."""
    seen: dict[str, list[Figures]] = {}
    for look in _LOOKS[stores.name]:
        for name, figures in look(console, stores, effort):
            seen.setdefault(name, []).append(figures)
    settings = effort._asdict() | {"load": effort.load._asdict()}
    return {
        "settings": settings,
        "rounds": seen,
        "bars": [each._asdict() for each in bars.judge({stores.name: seen})],
    }


def _drift(console: Console, stores: Stores, effort: Effort) -> Iterator[tuple[str, Figures]]:
    console.print(f"{stores.name}: drift over {effort.drift_s:g} s …", highlight=False)
    store = stores.empty("steady_drift")
    with EngineProcess(store) as engine:
        engine.upload(definition())
        counted = count(
            [["bench.dispatching", json.dumps(Plan(engine.port, engine.port))]],
            warm_s=effort.warm_s,
            measure_s=effort.drift_s,
            clocks={"engine": engine.cpu_s},
        )
        rss_mb = engine.rss_mb()
    stores.drop(store)
    for name, part in zip((FIRST, LAST), parts(counted.told[0]["slices"], counted.seconds), strict=True):
        memory = {"engine_rss_mb": rss_mb} if name == LAST else {}
        yield name, {"jobs_per_s": round(part.jobs_per_s, 1), "error_per_s": round(part.error_per_s, 1), **memory}


def _pinned(console: Console, stores: Stores, effort: Effort) -> Iterator[tuple[str, Figures]]:
    empty = _made(stores, "steady_empty")

    def pinned(store: Environment) -> Figures:
        with forgotten_transaction(store):
            return run(store, effort.load).figures

    yield from _in_turns(console, stores, effort.rounds, {PINNED: (empty, pinned), UNPINNED: (empty, _plain(effort))})
    stores.drop(empty)


def _unanalysed(console: Console, stores: Stores, effort: Effort) -> Iterator[tuple[str, Figures]]:
    usual = _made(stores, "steady_usual")
    _pour(console, stores, usual, effort)
    strange = _made(stores, "steady_strange")
    without_autovacuum(strange)
    _pour(console, stores, strange, effort, rest=False)

    def unanalysed(store: Environment) -> Figures:
        figures = run(store, effort.load).figures
        assert_never_analysed(store)
        return figures

    pair = {UNANALYSED: (strange, unanalysed), ANALYSED: (usual, _plain(effort))}
    yield from _in_turns(console, stores, effort.rounds, pair)
    stores.drop(usual)
    stores.drop(strange)


def _memory(console: Console, stores: Stores, effort: Effort) -> Iterator[tuple[str, Figures]]:
    empty, many = _made(stores, "steady_none"), _made(stores, "steady_many")
    _pour(console, stores, many, effort)
    pair = {many_open(effort.open): (many, _plain(effort)), NONE_OPEN: (empty, _plain(effort))}
    yield from _in_turns(console, stores, 1, pair)
    stores.drop(empty)
    stores.drop(many)


_LOOKS = {"sqlite": (_drift, _pinned, _memory), "postgres": (_drift, _pinned, _unanalysed, _memory)}
"""What is looked at on which store; SQLite plans without statistics of tables, and nobody but the engine makes any."""

Turn = Callable[[Environment], Figures]


def _plain(effort: Effort) -> Turn:
    return lambda store: run(store, effort.load).figures


def _in_turns(
    console: Console, stores: Stores, rounds: int, turns: Mapping[str, tuple[Environment, Turn]]
) -> Iterator[tuple[str, Figures]]:
    for number in range(rounds):
        console.print(f"{stores.name}: {' | '.join(turns)}: round {number + 1} of {rounds} …", highlight=False)
        for name in [*turns][:: -1 if number % 2 else 1]:
            store, turn = turns[name]
            copy = stores.copy(store, "steady_copy")
            yield name, turn(copy)
            stores.drop(copy)


def _made(stores: Stores, label: str) -> Environment:
    store = stores.empty(label)
    with EngineProcess(store) as engine:
        engine.upload(definition())
    return store


def _pour(console: Console, stores: Stores, store: Environment, effort: Effort, *, rest: bool = True) -> None:
    console.print(f"{stores.name}: {effort.open:,} instances are made to wait …", highlight=False)
    stores.pour(store, Fill("open", waiting=effort.open).batches(time.time_ns() // 1_000_000), rest=rest)


def report(console: Console, name: str, measured: Mapping[str, Any]) -> None:
    """Print ratios and promises, then the figures: medians of the rounds."""
    judged, seen = [bars.Judged(**each) for each in measured["bars"]], measured["rounds"]
    table = Table(title=f"Steadiness on {name}: medians of the rounds")
    against = pairs(measured["settings"]["open"])
    table.add_column("jobs / s ÷", justify="right", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("promise", no_wrap=True)
    for title in _SHOWN.values():
        table.add_column(title, justify="right")
    for case, runs in seen.items():
        ratio = f"{statistics.median(bars.ratios(runs, seen[against[case]])):.2f}" if case in against else ""
        verdicts = "\n".join(verdict(each) for each in judged if each.name == case)
        table.add_row(ratio, case, verdicts, *(_median(runs, key) for key in _SHOWN))
    console.print(table)


_SHOWN = {
    "jobs_per_s": "jobs / s",
    "error_per_s": "±",
    "poll_p50_ms": "poll p50 ms",
    "poll_p99_ms": "poll p99 ms",
    "engine_rss_mb": "engine MB",
}


def _median(runs: Sequence[Figures], key: str) -> str:
    return f"{statistics.median(figures[key] for figures in runs):,.4g}" if key in runs[0] else ""
