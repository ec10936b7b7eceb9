"""Our worker and the plain loop, side by side: every round runs every mode, in the other direction than the one before.

Rates of one machine mean little on another, and less while others use it; ratios within one run and CPU per job travel
better. `BARS` is what we promise.
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
    """A promise: a figure, and what it has to be at least, or at most."""

    label: str
    figure: Callable[[Round], float]
    limit: float
    at_least: bool = False


def _ratio(mode: str, plain: str) -> Callable[[Round], float]:
    return lambda found: found[mode]["jobs_per_s"] / found[plain]["jobs_per_s"]


BARS = (
    Bar("× plain loop, both at their defaults", _ratio(AT_ITS_DEFAULTS, PLAIN), 40, at_least=True),
    Bar("× plain loop without its sleep, unbatched", _ratio(UNBATCHED, NO_SLEEP), 4, at_least=True),
    Bar("× plain loop without its sleep, batched", _ratio(AT_ITS_DEFAULTS, NO_SLEEP), 15, at_least=True),
    Bar("idle on a long poll, % of a core", lambda found: found["idle"]["cpu_percent"], 0.5),
    Bar("job appears → handler starts, p99 ms", lambda found: found["pickup"]["p99_ms"], 10),
    Bar("memory of a REST worker under load, MB", lambda found: found[AT_ITS_DEFAULTS]["rss_mb"], 60),
)


def measure(console: Console, *, rounds: int, length: Length, modes: Sequence[str]) -> dict[str, Any]:
    """Run all rounds and print the report; return each round's figures, the medians and the bars."""
    every: list[Round] = []
    for number in range(1, rounds + 1):
        console.print(f"round {number} of {rounds} …")
        every.append(_round([MODES[name] for name in (modes if number % 2 else reversed(modes))], length))
    medians = {
        name: {key: statistics.median(each[name][key] for each in every) for key in figures}
        for name, figures in every[0].items()
    }
    _add_ratios(medians)
    _report(console, medians, every)
    return {"rounds": every, "medians": medians, "bars": _bars(console, medians, every)}


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
    f"times_{PLAIN}": "× plain",
    f"times_{NO_SLEEP}": "× no sleep",
    f"cpu_times_{NO_SLEEP}": "CPU ÷ no sleep",
    "worker_cpu_us_per_job": "CPU µs / job",
    "jobs_per_s": "jobs / s",
    "rss_mb": "RSS MB",
    "engine_cpu_percent": "mock CPU %",
}


def _report(console: Console, medians: Round, every: list[Round]) -> None:
    table = Table("64 slots, medians", title=f"Workers on a mock engine, {len(every)} rounds")
    for label in (*COLUMNS.values(), "jobs / s, min … max"):
        table.add_column(label, justify="right")
    for name, mode in MODES.items():
        if name in medians:
            rates = [each[name]["jobs_per_s"] for each in every]
            cells = [f"{medians[name][key]:,.4g}" if key in medians[name] else "" for key in COLUMNS]
            cells[4] = f"{medians[name]['jobs_per_s']:,.0f}"
            table.add_row(mode.label, *cells, f"{min(rates):,.0f} … {max(rates):,.0f}")
    console.print(table)
    idle, pickup = medians["idle"], medians["pickup"]
    console.print(
        f"Runner on a long poll: idle {idle['cpu_percent']:g} % of a core and {idle['rss_mb']:g} MB; "
        f"pickup p50 {pickup['p50_ms']:g} ms, p99 {pickup['p99_ms']:g} ms",
        highlight=False,
    )


def _bars(console: Console, medians: Round, every: list[Round]) -> list[dict[str, object]]:
    table = Table("promise", "bar", "median", "rounds", "", title="Bars")
    found: list[dict[str, object]] = []
    for bar in BARS:
        try:
            figure = bar.figure(medians)
        except KeyError:
            continue  # its modes were left out
        holds = figure >= bar.limit if bar.at_least else figure <= bar.limit
        spread = ", ".join(f"{bar.figure(each):.3g}" for each in every)
        sign = "≥" if bar.at_least else "≤"
        table.add_row(bar.label, f"{sign} {bar.limit:g}", f"{figure:.3g}", spread, "pass" if holds else "FAIL")
        found.append({"bar": bar.label, "limit": f"{sign} {bar.limit:g}", "figure": round(figure, 3), "holds": holds})
    console.print(table)
    return found
