"""Whether an engine slows down when its store fills up: the same load beside 1 M finished, or 1 M waiting, jobs.

Each filled store is made once and copied for every run. In every round each takes a turn right beside an empty one,
before it or after it, and is compared with that one only. So what else the machine does hits both alike, and the ratios
stand although the figures do not.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.engine import EngineProcess
from bench.fill import clones, in_a_row, play
from bench.flow import DEFINITION, JOB_TYPE, RESULT, STEPS, VARIABLES, definition
from bench.running import Load, run
from bench.stores import Batch, Environment, Stores

HOUR_MS = 3_600_000
ALLOWED = 0.20
_OTHER = ("bench-other", "other")

RATIOS = {
    "jobs_per_s": ("jobs / s", False),
    "poll_p99_ms": ("poll p99", True),
    "report_p99_ms": ("report p99", True),
    "engine_cpu_us_per_job": ("CPU / job", True),
}
"""What is compared, and whether more of it is worse. The first two are what the promise is about."""

PROMISED = ("jobs_per_s", "poll_p99_ms")


class Fill(NamedTuple):
    """What is in a store before the load: finished jobs, and waiting ones of a definition and job type."""

    label: str
    finished: int = 0
    waiting: int = 0
    owner: tuple[str, str] = (DEFINITION, JOB_TYPE)

    def batches(self, now_ms: int) -> Iterator[Batch]:
        """Return the rows: what is finished ended an hour ago, one instance each 20 ms; what waits came after it."""
        count = self.finished // STEPS
        finished = play(definition(), VARIABLES, results=STEPS, result=RESULT)
        yield from clones(finished, in_a_row(count, now_ms - HOUR_MS - 20 * count, 20))
        # As many at each step, in turns, as it is after some time of work.
        share, every_ms = -(-self.waiting // STEPS), 10
        for at_step in range(STEPS):
            opened = play(definition(*self.owner), VARIABLES, results=at_step, result=RESULT)
            yield from clones(opened, in_a_row(share, now_ms - HOUR_MS // 2 + 3 * at_step, every_ms))


def fills(scale: float) -> list[Fill]:
    """Return what to compare; `scale` 1 is the promise."""
    counts = [round(jobs * scale) for jobs in (10_000, 100_000, 1_000_000)]
    return [
        *(Fill(f"{jobs:,} finished", finished=jobs) for jobs in counts),
        *(Fill(f"{jobs:,} waiting, same type", waiting=jobs) for jobs in counts),
        Fill(f"{counts[-1]:,} waiting, other type", waiting=counts[-1], owner=_OTHER),
    ]


Pair = dict[str, dict[str, float]]


def measure(console: Console, stores: Stores, *, rounds: int, load: Load, scale: float) -> dict[str, list[Pair]]:
    """Fill, run all rounds; return per fill and round the figures `filled` and `empty`."""
    empty = _filled(console, stores, Fill("empty"), "empty")
    filled = {
        fill.label: _filled(console, stores, fill, f"filled_{number}") for number, fill in enumerate(fills(scale))
    }
    seen: dict[str, list[Pair]] = {label: [] for label in filled}
    _once(stores, empty, load)  # not counted: whoever comes first also warms what all of them share
    for number in range(rounds):
        console.print(f"{stores.name}: round {number + 1} of {rounds} …")
        for label, store in filled.items():
            turns = [("filled", store), ("empty", empty)]
            seen[label].append({name: _once(stores, of, load) for name, of in turns[:: -1 if number % 2 else 1]})
    for store in (empty, *filled.values()):
        stores.drop(store)
    return seen


def _once(stores: Stores, filled: Environment, load: Load) -> dict[str, float]:
    copy = stores.copy(filled, "copy")
    figures = run(copy, load).figures
    stores.drop(copy)
    return figures


def _filled(console: Console, stores: Stores, fill: Fill, label: str) -> Environment:
    store = stores.empty(label)
    with EngineProcess(store) as engine:
        engine.upload(definition())
        engine.upload(definition(*_OTHER))
    began_s = time.monotonic()
    stores.pour(store, fill.batches(time.time_ns() // 1_000_000))
    console.print(f"{stores.name}: {fill.label}: filled in {time.monotonic() - began_s:.1f} s")
    return store


def report(console: Console, name: str, seen: Mapping[str, list[Pair]]) -> None:
    """Print ratios, what is promised of them, and the figures behind the two that matter."""
    table = Table(title=f"Growth on {name}: ratio to empty, median (lowest-highest round)")
    table.add_column("jobs beside", no_wrap=True)
    for label, _ in RATIOS.values():
        table.add_column(label, no_wrap=True)
    for label in _ABSOLUTE.values():
        table.add_column(label, justify="right")
    for label, pairs in seen.items():
        compared = [_ratio(pairs, key) for key in RATIOS]
        table.add_row(label, *compared, *(_absolute(pairs, key) for key in _ABSOLUTE))
    console.print(table)
    promised = " and ".join(RATIOS[key][0] for key in PROMISED)
    console.print(f"Promised for {promised}: at most {ALLOWED:.0%} worse than empty; what is not is red.")


_ABSOLUTE = {"jobs_per_s": "jobs / s (empty)", "poll_p99_ms": "poll p99 ms (empty)"}


def _absolute(pairs: list[Pair], key: str) -> str:
    filled, empty = (statistics.median(pair[name][key] for pair in pairs) for name in ("filled", "empty"))
    return f"{filled:,g} ({empty:,g})"


def ratios_of(pairs: list[Pair], key: str) -> list[float]:
    """Return filled to empty, round by round."""
    return [pair["filled"][key] / pair["empty"][key] for pair in pairs]


def _ratio(pairs: list[Pair], key: str) -> str:
    ratios = ratios_of(pairs, key)
    middle = statistics.median(ratios)
    worse = middle - 1 if RATIOS[key][1] else 1 - middle
    text = f"{middle:.2f}"
    if key in PROMISED and len(ratios) > 1:
        text += f" ({min(ratios):.2f}-{max(ratios):.2f})"
    return f"[red]{text}[/red]" if key in PROMISED and worse > ALLOWED else text
