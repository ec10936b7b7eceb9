"""Our worker and the plain loop, side by side: every round runs every mode, in the other direction than the one before.

Rates of one machine mean little on another, and less while others use it: a worker that waits for a core is as slow as
they let it be. Ratios of CPU per job within one run travel, so each promise about speed is printed by rate, which is
what it is about, and by CPU. `BARS` is what we promise.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench.sdk.modes import AT_ITS_DEFAULTS, MODES, NO_SLEEP, PLAIN, UNBATCHED, Mode
from bench.sdk.processes import Pair

Round = dict[str, dict[str, float]]
IDLE_S, SETTLE_S = 5.0, 1.0


class Length(NamedTuple):
    """For how long to measure each mode, seconds; the warm-up is dropped."""

    warm_up_s: float = 1.0
    window_s: float = 4.0
    pickup_s: float = 5.0


class Bar(NamedTuple):
    """A promise: a figure, and what it has to be at least, or at most; `by_cpu` is the same promise told by CPU."""

    label: str
    figure: Callable[[Round], float]
    limit: float
    at_least: bool = False
    by_cpu: Callable[[Round], float] | None = None

    def holds(self, figure: float) -> bool:
        """Return whether a figure keeps the promise."""
        return figure >= self.limit if self.at_least else figure <= self.limit


def _times(label: str, mode: str, plain: str, limit: float) -> Bar:
    return Bar(
        label,
        lambda found: found[mode]["jobs_per_s"] / found[plain]["jobs_per_s"],
        limit,
        at_least=True,
        by_cpu=lambda found: found[plain]["worker_cpu_us_per_job"] / found[mode]["worker_cpu_us_per_job"],
    )


BARS = (
    # No CPU here: a loop that sleeps is slow without using any.
    _times("times plain loop, both at their defaults", AT_ITS_DEFAULTS, PLAIN, 40)._replace(by_cpu=None),
    _times("times plain loop without its sleep, unbatched", UNBATCHED, NO_SLEEP, 4),
    _times("times plain loop without its sleep, batched", AT_ITS_DEFAULTS, NO_SLEEP, 15),
    Bar("idle on a long poll, % of a core", lambda found: found["idle"]["cpu_percent"], 0.5),
    Bar("job appears → handler starts, p99 ms", lambda found: found["pickup"]["p99_ms"], 10),
    Bar("memory under load, REST, MB", lambda found: found[AT_ITS_DEFAULTS]["rss_mb"], 60),
)


def measure(console: Console, *, rounds: int, length: Length, modes: Sequence[str]) -> dict[str, Any]:
    """Run all rounds; return each round's figures, the medians and the bars."""
    every: list[Round] = []
    for number in range(1, rounds + 1):
        console.print(f"round {number} of {rounds} …")
        every.append(_round([MODES[name] for name in (modes if number % 2 else reversed(modes))], length))
    medians = {
        name: {key: statistics.median(each[name][key] for each in every) for key in figures}
        for name, figures in every[0].items()
    }
    _add_ratios(medians)
    return {"rounds": every, "medians": medians, "bars": _bars(medians)}


def _round(modes: Sequence[Mode], length: Length) -> Round:
    found = {mode.name: _throughput(mode, length) for mode in modes}
    found["idle"] = _idle(MODES[AT_ITS_DEFAULTS])
    found["pickup"] = _pickup(MODES[AT_ITS_DEFAULTS], length)
    return found


def _throughput(mode: Mode, length: Length) -> dict[str, float]:
    with Pair(mode) as pair:
        pair.wait_until_it_works()
        time.sleep(length.warm_up_s)
        before = pair.at_a_poll()
        time.sleep(length.window_s)
        after = pair.at_a_poll()
        rss_mb = pair.rss_mb()
        pair.end()
    took_s, jobs = after.at_s - before.at_s, after.completed - before.completed
    engine_cpu_s = after.engine_cpu_s - before.engine_cpu_s
    return {
        "jobs_per_s": round(jobs / took_s, 1),
        "worker_cpu_us_per_job": round((after.worker_cpu_s - before.worker_cpu_s) * 1e6 / jobs, 1),
        "engine_cpu_us_per_job": round(engine_cpu_s * 1e6 / jobs, 1),
        "engine_cpu_percent": round(100 * engine_cpu_s / took_s, 1),
        "waited_percent": round(100 * (after.worker_waited_s - before.worker_waited_s) / took_s, 1),
        "rss_mb": round(rss_mb, 1),
    }


def _idle(mode: Mode) -> dict[str, float]:
    with Pair(mode, "none") as pair:
        pair.wait_until_it_polls()
        time.sleep(SETTLE_S)
        before = pair.now()
        time.sleep(IDLE_S)
        after = pair.now()
        rss_mb = pair.rss_mb()
        pair.end()
    used_s = after.worker_cpu_s - before.worker_cpu_s
    return {"cpu_percent": round(100 * used_s / (after.at_s - before.at_s), 3), "rss_mb": round(rss_mb, 1)}


def _pickup(mode: Mode, length: Length) -> dict[str, float]:
    with Pair(mode, "trickle") as pair:
        pair.wait_until_it_works()
        time.sleep(length.pickup_s)
        late_ms = pair.end()["late_ms"]
    return {
        "p50_ms": round(late_ms[len(late_ms) // 2], 2),
        "p99_ms": round(late_ms[len(late_ms) * 99 // 100], 2),
        "jobs": len(late_ms),
    }


def _add_ratios(medians: Round) -> None:
    for name, figures in medians.items():
        for plain in (PLAIN, NO_SLEEP):
            if name in MODES and plain in medians:
                figures[f"times_{plain}"] = round(figures["jobs_per_s"] / medians[plain]["jobs_per_s"], 2)
                cpu = medians[plain]["worker_cpu_us_per_job"] / figures["worker_cpu_us_per_job"]
                figures[f"cpu_times_{plain}"] = round(cpu, 2)


COLUMNS = {
    f"times_{PLAIN}": ("times plain", ",.1f"),
    f"times_{NO_SLEEP}": ("times no sleep", ",.2f"),
    f"cpu_times_{NO_SLEEP}": ("by CPU", ",.2f"),
    "worker_cpu_us_per_job": ("CPU µs/job", ",.0f"),
    "jobs_per_s": ("jobs/s", ",.0f"),
    "waited_percent": ("waited %", ".0f"),
    "rss_mb": ("RSS MB", ".0f"),
    "engine_cpu_percent": ("mock CPU %", ".0f"),
}


def report(console: Console, measured: dict[str, Any]) -> None:
    """Print what each mode did, and how it stands to the bars."""
    medians, every = measured["medians"], measured["rounds"]
    table = Table("64 slots, medians", title=f"Workers on a mock engine, {len(every)} rounds")
    for label, _ in COLUMNS.values():
        table.add_column(label, justify="right")
    for name, mode in MODES.items():
        figures = medians.get(name)
        if figures:
            table.add_row(
                mode.label, *(format(figures[key], how) if key in figures else "" for key, (_, how) in COLUMNS.items())
            )
    console.print(table)
    idle, pickup = medians["idle"], medians["pickup"]
    console.print(
        "waited: the worker was ready to run, and others had the cores.\n"
        f"Runner on a long poll: idle {idle['cpu_percent']:g} % of a core and {idle['rss_mb']:g} MB; "
        f"pickup p50 {pickup['p50_ms']:g} ms, p99 {pickup['p99_ms']:g} ms",
        highlight=False,
    )
    bars = Table("promise", "bar", "median", "", "by CPU", "", "rounds", title="Bars")
    labels = {bar.label: bar for bar in BARS}
    for found in measured["bars"]:
        bar = labels[found["bar"]]
        spread = ", ".join(f"{bar.figure(each):.3g}" for each in every)
        bars.add_row(bar.label, found["limit"], *_judged(bar, found["figure"]), *_judged(bar, found["by_cpu"]), spread)
    console.print(bars)


def _bars(medians: Round) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for bar in BARS:
        try:
            figure = bar.figure(medians)
        except KeyError:
            continue  # its modes were left out
        limit = f"{'≥' if bar.at_least else '≤'} {bar.limit:g}"
        by_cpu = None if bar.by_cpu is None else bar.by_cpu(medians)
        found.append({"bar": bar.label, "limit": limit, "figure": figure, "holds": bar.holds(figure), "by_cpu": by_cpu})
    return found


def _judged(bar: Bar, figure: float | None) -> tuple[str, str]:
    return ("", "") if figure is None else (f"{figure:.3g}", "pass" if bar.holds(figure) else "FAIL")
