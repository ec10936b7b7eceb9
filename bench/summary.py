"""All reports in one table: what was promised, the ratio that was measured, and whether it is kept.

One function per report turns its figures into lines. A promise that no report measures is not in the table.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.table import Table

from bench import bars, growth, sidebyside, timers
from bench.contestants import DOOR, FLOOR

STARTS_PER_JOB = 0.5


class Line(NamedTuple):
    """What was measured of what, what is promised of it (`kept` is None when nothing is), and an absolute figure."""

    store: str
    what: str
    ratio: float
    promise: str = ""
    kept: bool | None = None
    figure: str = ""


def of_floors(measured: Mapping[str, Any]) -> Iterator[Line]:
    """Give the bars, then the other contestants' shares of the floor."""
    judged = bars.judge(measured["rounds"])
    for each in judged:
        yield Line(each.store, each.name, each.measured, each.words, each.passed)
    said = {(each.store, each.name) for each in judged}
    for store, seen in measured["rounds"].items():
        for name, runs in seen.items():
            if (store, name) in said or name == DOOR:
                continue
            speed = statistics.median(figures["jobs_per_s"] for figures in runs)
            share = statistics.median(bars.ratios(runs, seen[FLOOR]))
            yield Line(store, name, share, "of the floor", None, f"{speed:,.0f} jobs/s")


def of_sidebyside(measured: Mapping[str, Any]) -> Iterator[Line]:
    """Give the bars of shapes or peers, then the others' ratios to the reference; at the end who failed."""
    rounds, reference = measured["rounds"], measured["settings"]["reference"]
    judged = bars.judge(rounds)
    for each in judged:
        yield Line(each.store, each.name, each.measured, each.words, each.passed)
    said = {(each.store, each.name) for each in judged}
    for store, seen in rounds.items():
        for name, runs in seen.items():
            if (store, name) not in said and (ratios := sidebyside.shares(rounds, store, name, reference)):
                yield Line(store, name, statistics.median(ratios), f"÷ {reference}", None, sidebyside.speed_of(runs))
    for name, why in measured.get("failed", {}).items():
        yield Line("", name, math.nan, f"void: {why}")


def of_throughput(store: str, runs: Sequence[Any]) -> Iterator[Line]:
    """Compare starts with jobs."""
    ratio = statistics.median(figures["starts_per_s"] / figures["jobs_per_s"] for figures, _ in runs)
    starts = statistics.median(figures["starts_per_s"] for figures, _ in runs)
    promise = f"starts ÷ single-report jobs ≥ {STARTS_PER_JOB:g}"
    yield Line(store, "start storm", ratio, promise, ratio >= STARTS_PER_JOB, f"{starts:,.0f} starts/s")


def of_growth(store: str, seen: Mapping[str, Any]) -> Iterator[Line]:
    """Compare filled stores with empty ones."""
    for label, pairs in seen.items():
        for key in growth.PROMISED:
            title, more_is_worse = growth.RATIOS[key]
            ratio = statistics.median(growth.ratios_of(pairs, key))
            limit = 1 + growth.ALLOWED if more_is_worse else 1 - growth.ALLOWED
            promise = f"{title}, ÷ empty {'≤' if more_is_worse else '≥'} {limit:g}"
            yield Line(store, label, ratio, promise, ratio <= limit if more_is_worse else ratio >= limit)


def of_timers(store: str, seen: Mapping[str, Any]) -> Iterator[Line]:
    """Compare lateness with what is allowed; the worst round counts."""
    for label, runs in seen.items():
        late_ms = max(figures["p99_ms"] for figures in runs)
        ratio = late_ms / timers.ALLOWED_MS
        yield Line(store, label, ratio, f"p99 ÷ {timers.ALLOWED_MS} ms ≤ 1", ratio <= 1, f"p99 {late_ms:,.0f} ms")


def of_bars(store: str, measured: Mapping[str, Any]) -> Iterator[Line]:
    """Give the bars of a report that has judged one store by itself."""
    for bar in measured["bars"]:
        yield Line(store, bar["name"], bar["measured"], bar["words"], bar["passed"])


def of_sdk(measured: Mapping[str, Any]) -> Iterator[Line]:
    """Give the bars of workers beside a plain loop."""
    for bar in measured["bars"]:
        yield Line("mock", "workers", bar["figure"], f"{bar['bar']} {bar['limit']}", bar["holds"])


OF: dict[str, Callable[[str, Any], Iterable[Line]]] = {
    "throughput": of_throughput,
    "growth": of_growth,
    "timers": of_timers,
    "dispatch": of_bars,
    "steady": of_bars,
}
"""The reports that measure one store at a time."""


def table_of(lines: Sequence[Line]) -> Table:
    """Return the table."""
    kept, promised = sum(line.kept is True for line in lines), sum(line.kept is not None for line in lines)
    table = Table(title=f"All reports: {kept} of {promised} promises kept")
    for title in ("measured", "", "promise", "store", "what", "figure"):
        table.add_column(title, no_wrap=title != "what", justify="right" if title in {"measured", "figure"} else "left")
    for line in lines:
        verdict = {True: "[green]pass[/green]", False: "[red]FAIL[/red]", None: ""}[line.kept]
        ratio = "" if math.isnan(line.ratio) else f"{line.ratio:.3g}"
        table.add_row(ratio, verdict, line.promise, line.store, line.what, line.figure)
    return table
