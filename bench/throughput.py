"""How fast an engine is on an empty store: a start storm, then single reports from 64 connections.

Every round has a fresh engine on a fresh store; the medians of the rounds are printed. Figures of one machine mean
little on another; batch size and CPU per job travel better.
"""

from __future__ import annotations

import statistics

from rich.console import Console
from rich.table import Table

from bench.running import Load, Run, run
from bench.stores import Stores

FIGURES = {
    "starts_per_s": "instances started / s",
    "start_p50_ms": "  p50 ms",
    "start_p99_ms": "  p99 ms",
    "jobs_per_s": "jobs completed / s (one report each)",
    "instances_completed_per_s": "instances completed / s",
    "report_p50_ms": "  p50 ms of a report",
    "report_p99_ms": "  p99 ms of a report",
    "poll_p99_ms": "  p99 ms of a poll",
    "engine_cpu_us_per_job": "engine CPU µs per job (with its share of starts)",
    "load_cpu_s": "load program CPU s",
    "mean_batch": "requests per commit, mean",
}


def measure(console: Console, stores: Stores, *, rounds: int, load: Load) -> list[Run]:
    """Run all rounds; return what each showed."""
    runs = []
    for number in range(1, rounds + 1):
        console.print(f"{stores.name}: round {number} of {rounds} …")
        store = stores.empty(f"throughput_{number}")
        runs.append(run(store, load))
        stores.drop(store)
    return runs


def report(console: Console, name: str, runs: list[Run]) -> None:
    """Print medians with their spread, and the batches of the last round."""
    table = Table(f"{name}, durable commits", "median", "min", "max", title="Rochallor, 3 service tasks in a row")
    for key, label in FIGURES.items():
        values = [figures[key] for figures, _ in runs]
        table.add_row(label, *(f"{value:,g}" for value in (statistics.median(values), min(values), max(values))))
    console.print(table)
    console.print("Requests per commit, last round:")
    below, batches = 0.0, runs[-1].batches
    widest = max(
        1.0, *(after - before for before, after in zip([0, *batches.values()], batches.values(), strict=False))
    )
    for edge, count in batches.items():
        here, below = count - below, count
        console.print(f"  ≤ {edge:>6}  {int(here):>7}  {'█' * round(40 * here / widest)}", highlight=False)
