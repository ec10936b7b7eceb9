"""The report: an engine on embedded SQLite, a start storm, then single reports from 64 connections.

`make bench` runs it. Every round has a fresh engine on a fresh file; the medians of the rounds are printed, and any
error voids the run. Figures of one machine mean little on another; batch size and CPU per job travel better.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bench.engine import EngineProcess

FIGURES = {
    "starts_per_s": "instances started / s",
    "start_p50_ms": "  p50 ms",
    "start_p99_ms": "  p99 ms",
    "jobs_per_s": "jobs completed / s (one report each)",
    "instances_completed_per_s": "instances completed / s",
    "report_p50_ms": "  p50 ms of a report",
    "report_p99_ms": "  p99 ms of a report",
    "engine_cpu_us_per_job": "engine CPU µs per job (with its share of starts)",
    "load_cpu_s": "load program CPU s",
    "mean_batch": "requests per commit, mean",
}


def one_round(instances: int, width: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the figures of one run and the cumulative histogram of batch sizes."""
    with tempfile.TemporaryDirectory() as folder, EngineProcess(Path(folder)) as engine:
        before = engine.cpu_s()
        told = subprocess.run(
            [sys.executable, "-m", "bench.load", "127.0.0.1", str(engine.port), str(instances), str(width)],
            stdout=subprocess.PIPE,
            check=True,
        )
        figures: dict[str, Any] = json.loads(told.stdout)
        cpu_s = engine.cpu_s() - before
        batches = _histogram(engine.metrics(), "rochallor_commit_batch_size")
    for phase in ("start", "report"):
        for name, value in figures.pop(phase).items():
            figures[f"{phase}_{name}"] = value
    figures["engine_cpu_us_per_job"] = round(cpu_s * 1e6 / (3 * instances + 12 * width))
    figures["mean_batch"] = round(batches.pop("sum") / batches.pop("count"), 1)
    return figures, batches


def _histogram(text: str, name: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith(f"{name}_bucket"):
            found[line.partition('le="')[2].partition('"')[0]] = float(line.rpartition(" ")[2])
        elif line.startswith((f"{name}_sum", f"{name}_count")):
            found[line[len(name) + 1 :].partition(" ")[0]] = float(line.rpartition(" ")[2])
    return found


def report(console: Console, rounds: list[tuple[dict[str, float], dict[str, float]]]) -> None:
    """Print medians with their spread, and the batches of the last round."""
    table = Table("SQLite, durable commits", "median", "min", "max", title="Rochallor, 3 service tasks in a row")
    for key, label in FIGURES.items():
        values = [figures[key] for figures, _ in rounds]
        table.add_row(label, *(f"{value:,g}" for value in (statistics.median(values), min(values), max(values))))
    console.print(table)
    console.print("Requests per commit, last round:")
    below, batches = 0.0, rounds[-1][1]
    widest = max(
        1.0, *(after - before for before, after in zip([0, *batches.values()], batches.values(), strict=False))
    )
    for edge, count in batches.items():
        here, below = count - below, count
        console.print(f"  ≤ {edge:>6}  {int(here):>7}  {'█' * round(40 * here / widest)}", highlight=False)


@click.command()
@click.option("--instances", default=4_000, show_default=True, help="Instances per round.")
@click.option("--connections", default=64, show_default=True, help="Connections that start and report.")
@click.option("--rounds", default=3, show_default=True, help="Rounds, each on a fresh engine.")
def main(instances: int, connections: int, rounds: int) -> None:
    """Measure, print a table, write bench/results/latest.json."""
    console = Console()
    measured = []
    for number in range(1, rounds + 1):
        console.print(f"round {number} of {rounds} …")
        measured.append(one_round(instances, connections))
    report(console, measured)
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "latest.json").write_text(json.dumps([figures for figures, _ in measured], indent=2))


if __name__ == "__main__":
    main()
