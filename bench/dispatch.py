"""How long a job waits for its handler when a handler is free: on an idle engine, and at half of what it can do.

What it can do is measured first in the same round, in a closed loop of 64 instances in flight; half of that is the rate
of an open loop. Jobs are made and polled on one engine, or made on one and polled on another one of the same database.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench import bars
from bench.cases import CLOSED, IDLE_PER_S, LONG_WAIT_MS, PLAIN_PAUSE_S, Case, at_rate, cases
from bench.dispatching import CONNECTIONS, POLLERS, Plan
from bench.engine import EngineProcess
from bench.floors import verdict
from bench.flow import STEPS, definition
from bench.stores import Environment, Stores
from bench.window import count, quantile


class Length(NamedTuple):
    """How long each case warms up and is measured, in seconds."""

    warm_s: float = 0.4
    measure_s: float = 1.3


def measure(
    console: Console, stores: Stores, *, rounds: int, length: Length, rates: Sequence[float] = ()
) -> dict[str, Any]:
    """Run all rounds; return the figures of each round by case, and how they stand to the bars.

    `rates` are starts per second that are measured as well, on one engine.
    """
    seen: dict[str, list[dict[str, float]]] = {}
    for number in range(1, rounds + 1):
        console.print(f"{stores.name}: round {number} of {rounds} …", highlight=False)
        store = stores.empty(f"dispatch_{number}")
        wanted = [*map(at_rate, rates), *cases(stores.name, number)]
        for name, figures in _round(store, wanted, length, seed=number):
            seen.setdefault(name, []).append(figures)
        stores.drop(store)
    settings = {"connections": CONNECTIONS, "pollers": POLLERS, "long_wait_ms": LONG_WAIT_MS, "idle_per_s": IDLE_PER_S}
    return {
        "settings": {**settings, "plain_pause_s": PLAIN_PAUSE_S, "rounds": rounds, **length._asdict()},
        "rounds": seen,
        "bars": [each._asdict() for each in bars.judge({stores.name: seen})],
    }


def _round(
    store: Environment, wanted: Sequence[Case], length: Length, *, seed: int
) -> Iterator[tuple[str, dict[str, float]]]:
    with ExitStack() as stack:
        one = stack.enter_context(EngineProcess(store))
        one.upload(definition())
        closed = _turn([one], Plan(one.port, one.port), length)
        yield CLOSED, closed
        half_per_s = closed["jobs_per_s"] / STEPS / 2
        engines = [one]
        for case in wanted:
            if case.across and len(engines) == 1:
                engines.append(stack.enter_context(EngineProcess(store)))
            rate_per_s = half_per_s if case.half else case.rate_per_s
            plan = Plan(one.port, engines[-1].port, rate_per_s, case.wait_ms, seed)
            yield case.name, _turn(engines, plan, length)


def _turn(engines: Sequence[EngineProcess], plan: Plan, length: Length) -> dict[str, float]:
    clocks = {"engine": lambda: sum(engine.cpu_s() for engine in engines)}
    command = ["bench.dispatching", json.dumps(plan)]
    counted = count([command], warm_s=length.warm_s, measure_s=length.measure_s, clocks=clocks)
    if not counted.latencies:
        raise RuntimeError(f"no job was due within {length.measure_s:g} s at {plan.rate_per_s:g} starts per second")
    late, after = (Counter(dict(counted.told[0][name])) for name in ("sent_late", "after_answer"))
    return counted.figures() | {
        "waits": counted.latencies.total(),
        "starts_per_s": round(plan.rate_per_s),
        **{f"after_answer_p{share}_ms": round(quantile(after, share / 100) * 1000, 2) for share in (50, 99)},
        "sent_late_p99_ms": round(quantile(late, 0.99) * 1000, 2),
    }


def report(console: Console, name: str, measured: Mapping[str, Any]) -> None:
    """Print the promises, then what each case showed: medians of the rounds."""
    judged = [bars.Judged(**each) for each in measured["bars"]]
    table = Table(title=f"Dispatch on {name}: job made to handler started, medians of the rounds")
    table.add_column("case", no_wrap=True)
    table.add_column("promise", no_wrap=True)
    for title in _SHOWN.values():
        table.add_column(title, justify="right")
    for case, runs in measured["rounds"].items():
        verdicts = "\n".join(verdict(each) for each in judged if each.name == case)
        figures = (statistics.median(run[key] for run in runs) for key in _SHOWN)
        table.add_row(case, verdicts, *(f"{figure:,.4g}" for figure in figures))
    console.print(table)


_SHOWN = {
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "after_answer_p50_ms": "after answer p50",
    "after_answer_p99_ms": "p99 ms",
    "jobs_per_s": "jobs / s",
    "starts_per_s": "starts / s due",
    "sent_late_p99_ms": "sent late p99 ms",
}
