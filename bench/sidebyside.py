"""Measuring side by side: all take turns in every round, and are compared with one of them, the reference.

`shapes` and `peers` are both that. What would break it: dividing figures of different rounds, for what else the machine
does hits those of one round alike.
"""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from bench import bars

Figures = dict[str, float]
Rounds = dict[str, dict[str, list[Figures]]]

UNITS = {"jobs_per_s": "jobs/s", "starts_per_s": "starts/s"}
_ABSOLUTES = {
    "instances_per_s": "inst./s",
    "instance_p50_ms": "ms/inst.",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "engine_cpu_us": "engine",
    "database_cpu_us": "database",
    "load_cpu_us": "load",
}


class Entry(NamedTuple):
    """Somebody who takes part: on which store, called what, and how a turn goes.

    An error voids the run, unless it is a `guest`: then it voids only what was measured of that one.
    """

    store: str
    name: str
    turn: Callable[[], Figures]
    guest: bool = False


class Effort(NamedTuple):
    """How many rounds, and how many seconds each turn warms up and is measured."""

    rounds: int = 3
    warm_s: float = 0.4
    measure_s: float = 1.2


def in_turns(console: Console, entries: Sequence[Entry], rounds: int) -> tuple[Rounds, dict[str, str]]:
    """Run all rounds, every second one the other way round; return the figures, and who failed with what was wrong."""
    seen: Rounds = {}
    failed: dict[str, str] = {}
    for entry in entries:
        seen.setdefault(entry.store, {})[entry.name] = []
    for number in range(rounds):
        for entry in entries[:: -1 if number % 2 else 1]:
            if entry.name in failed:
                continue
            console.print(f"round {number + 1} of {rounds}: {entry.store}, {entry.name} …", highlight=False)
            try:
                seen[entry.store][entry.name].append(entry.turn())
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                if not entry.guest:
                    raise
                failed[entry.name] = str(error)
                del seen[entry.store][entry.name]
                console.print(f"[red]{entry.name}: void: {error}[/red]", highlight=False)
    return {store: named for store, named in seen.items() if named}, failed


def shares(rounds: bars.Rounds, store: str, name: str, reference: str) -> list[float]:
    """Return how many times as fast as the reference each round was; none if the store has no such reference."""
    of = rounds[store].get(reference)
    return bars.ratios(rounds[store][name], of) if of else []


def table_of(title: str, rounds: bars.Rounds, judged: Sequence[bars.Judged], reference: str) -> Table:
    """Return one row per store and name: ratios and promises first, then medians; CPU in µs per job."""
    title = f"{title}\nratio to '{reference}' of the same round; medians; engine, database and load: CPU µs per job"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("", "ratio", "promised"):
        table.add_column(heading, no_wrap=heading != "promised")
    for heading in ("per second", *_ABSOLUTES.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    for store, seen in rounds.items():
        table.add_section()
        table.add_row(f"[bold]{store}[/bold]")
        for name, runs in seen.items():
            ratios = shares(rounds, store, name, reference)
            verdicts = "\n".join(_verdict(each) for each in judged if (each.store, each.name) == (store, name))
            table.add_row(name, spread_of(ratios), verdicts, *_absolutes(runs))
    return table


def spread_of(ratios: Sequence[float]) -> str:
    """Say the median, with the lowest and the highest round if they differ."""
    if not ratios:
        return ""
    spread = f" ({min(ratios):.2f}-{max(ratios):.2f})" if min(ratios) != max(ratios) else ""
    return f"{statistics.median(ratios):.2f}{spread}"


def speed_of(runs: Sequence[bars.Figures]) -> str:
    """Say the median of what was finished each second, with its unit."""
    return f"{statistics.median(map(bars.speed, runs)):,.0f} {UNITS[bars.speed_key(runs[0])]}"


def _verdict(each: bars.Judged) -> str:
    colour, word = ("green", "pass") if each.passed else ("red", "FAIL")
    return f"[{colour}]{word}[/{colour}] {each.measured:.3g}: {each.words}"


def _absolutes(runs: Sequence[bars.Figures]) -> Iterator[str]:
    yield speed_of(runs)
    for key in _ABSOLUTES:
        yield _short(statistics.median(figures[key] for figures in runs)) if key in runs[0] else ""


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def figures_of(rounds: Rounds, reference: str, settings: Mapping[str, object]) -> dict[str, object]:
    """Return what an artifact holds: the settings, the figures of each round, and how they stand to the bars."""
    return {
        "settings": {"reference": reference, **settings},
        "rounds": rounds,
        "bars": [each._asdict() for each in bars.judge(rounds)],
    }
