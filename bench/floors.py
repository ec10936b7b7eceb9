"""How close to what the store can do: an engine over each transport, beside loops that are no engines.

All stores and contestants take turns in every round, so that what else the machine does hits all alike, and each is
compared with the others of its own round. See `bench.bare` for what floor, lean and chatty are, `bench.bars` for what
is promised.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from bench import bars
from bench.completions import Herd
from bench.contestants import BARE_CONNECTIONS, BATCHERS, CONNECTIONS, DOOR, FLOOR, Turn, contestants
from bench.engine import EngineProcess
from bench.flow import CLAIM, definition
from bench.stores import Environment, Stores
from bench.window import Counted

_NAMES = {
    "commit": "COMMIT",
    "claim": "claim 50 jobs",
    "insert_job": "queue the next jobs",
    "update_instance": "move the instances on",
    "insert_event": "add to the history",
    "delete_job": "delete the done jobs",
    "begin": "BEGIN",
}
_OWN = "own work of the loop"
PARTS = (*_NAMES.values(), _OWN)
"""What a floor's time is made of."""


class Effort(NamedTuple):
    """How long each turn lasts, how many instances wait at its start, and who takes part (nobody named: all)."""

    rounds: int = 3
    warm_s: float = 1.0
    measure_s: float = 4.0
    instances: int = 90_000
    only: tuple[str, ...] = ()
    wide: bool = False

    def takes_part(self, name: str) -> bool:
        """Tell whether a contestant does; the floor always does."""
        return not self.only or name == FLOOR or any(part.lower() in name.lower() for part in self.only)


def measure(console: Console, places: Sequence[Stores], effort: Effort) -> dict[str, Any]:
    """Run all rounds; return the figures of each round by store and contestant, and how they stand to the bars."""
    herd = Herd.born_before(effort.instances)
    filled = {place.name: _filled(console, place, herd) for place in places}
    turns = [
        (place, name, turn)
        for place in places
        for name, turn in contestants(place.name, wide=effort.wide).items()
        if effort.takes_part(name)
    ]
    rounds: dict[str, dict[str, list[dict[str, float]]]] = {place.name: {} for place in places}
    for number in range(effort.rounds):
        for place, name, turn in turns[:: -1 if number % 2 else 1]:
            console.print(f"round {number + 1} of {effort.rounds}: {place.name}, {name} …", highlight=False)
            store = place.copy(filled[place.name], "turn")
            counted = turn(Turn(store, herd, effort.warm_s, effort.measure_s))
            place.drop(store)
            rounds[place.name].setdefault(name, []).append(counted.figures() | _waits(name, counted))
    for place in places:
        place.drop(filled[place.name])
    settings = {"connections": CONNECTIONS, "bare_connections": BARE_CONNECTIONS, "batchers": BATCHERS, "claim": CLAIM}
    return {
        "settings": settings | effort._asdict(),
        "rounds": rounds,
        "bars": [each._asdict() for each in bars.judge(rounds)],
    }


def _waits(name: str, counted: Counted) -> dict[str, float]:
    """Return the microseconds per job that the floor waited for each of its statements."""
    waited_s = counted.told[0]["waited_s"] if name == FLOOR else {}
    return {f"waited_{key}_us": round(seconds * 1e6 / counted.jobs, 2) for key, seconds in waited_s.items()}


def _filled(console: Console, place: Stores, herd: Herd) -> Environment:
    console.print(f"{place.name}: {herd.size:,} instances are made to wait …", highlight=False)
    store = place.empty("floors")
    with EngineProcess(store) as engine:
        engine.upload(definition())
    place.pour(store, herd.waiting())
    return store


def report(console: Console, rounds: bars.Rounds) -> None:
    """Print the table, ratios and promises first, and where the floor's time goes."""
    judged = bars.judge(rounds)
    for table in (table_of(rounds, judged), *(_breakdown(kind, seen[FLOOR]) for kind, seen in rounds.items())):
        console.print(table)


def table_of(rounds: bars.Rounds, judged: Sequence[bars.Judged]) -> Table:
    """Return one row per store and contestant: medians, with the ratios' lowest and highest round."""
    title = "Jobs completed, claim included; durable commits; medians; engine, database and load: CPU µs per job"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("", "÷ floor", "promised"):
        table.add_column(heading, no_wrap=True)
    for heading in ("jobs/s", "p50 ms", "p99 ms", "engine", "database", "load"):
        table.add_column(heading, justify="right", no_wrap=True)
    for kind, seen in rounds.items():
        table.add_section()
        table.add_row(f"[bold]{kind}[/bold]")
        for name in sorted(seen, key=bars.ORDER.index):
            promised = "\n".join(verdict(each) for each in judged if (each.store, each.name) == (kind, name))
            table.add_row(name, _of_floor(name, seen), promised, *_absolutes(seen[name]))
    return table


def _of_floor(name: str, seen: Mapping[str, Sequence[bars.Figures]]) -> str:
    if name == DOOR:
        return ""  # nothing is stored behind it, so the floor is none of its own
    ratios = bars.ratios(seen[name], seen[FLOOR])
    spread = f" ({min(ratios):.2f}-{max(ratios):.2f})" if name != FLOOR else ""
    return f"{statistics.median(ratios):.2f}{spread}"


def verdict(each: bars.Judged) -> str:
    """Say in colour whether a promise is kept, with what was measured."""
    colour, word = ("green", "pass") if each.passed else ("red", "FAIL")
    return f"[{colour}]{word}[/{colour}] {each.measured:.3g}: {each.words}"


def _absolutes(runs: Sequence[bars.Figures]) -> Iterator[str]:
    yield f"{statistics.median(figures['jobs_per_s'] for figures in runs):,.0f}"
    for key in ("p50_ms", "p99_ms", "engine_cpu_us", "database_cpu_us", "load_cpu_us"):
        yield _short(statistics.median(figures[key] for figures in runs)) if key in runs[0] else ""


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _breakdown(kind: str, runs: Sequence[bars.Figures]) -> Table:
    table = Table("what", "share", "µs per job", title=f"{kind}: where the floor's time goes")
    parts = parts_of_floor(runs)
    whole = sum(us for _, us in parts)
    for what, us in parts:
        table.add_row(what, f"{us / whole:.0%}", f"{us:.1f}")
    return table


def parts_of_floor(runs: Sequence[bars.Figures]) -> list[tuple[str, float]]:
    """Return what the floor waits for, with the microseconds per job, most first; the rest is its own work.

    Means of the rounds, not medians: those would not add up.
    """
    waits = {name: statistics.fmean(figures.get(f"waited_{name}_us", 0.0) for figures in runs) for name in _NAMES}
    own_us = statistics.fmean(1e6 / figures["jobs_per_s"] for figures in runs) - sum(waits.values())
    parts = [(_NAMES[name], us) for name, us in waits.items() if us]
    return sorted([*parts, (_OWN, max(0.0, own_us))], key=lambda part: -part[1])
