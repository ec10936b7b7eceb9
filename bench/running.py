"""One run of the load on one store: an engine process, the load's process, and the figures of both."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, NamedTuple

from bench.engine import EngineProcess
from bench.flow import CLAIM, STEPS
from bench.stores import Environment


class Load(NamedTuple):
    """How much to do: instances to start and finish, over how many connections, claimed how many at once."""

    instances: int
    connections: int = 64
    at_once: int = CLAIM


class Run(NamedTuple):
    """What one run showed: its figures, and the cumulative histogram of requests per commit."""

    figures: dict[str, float]
    batches: dict[str, float]


def run(store: Environment, load: Load) -> Run:
    """Run the load on an engine on `store`; raises when anything at all goes wrong."""
    with EngineProcess(store) as engine:
        before_s = engine.cpu_s()
        told = subprocess.run(
            [sys.executable, "-m", "bench.load", "127.0.0.1", str(engine.port), *map(str, load)],
            stdout=subprocess.PIPE,
            check=True,
        )
        cpu_s = engine.cpu_s() - before_s
        rss_mb = engine.rss_mb()
        batches = _histogram(engine.metrics(), "rochallor_commit_batch_size")
    figures: dict[str, Any] = json.loads(told.stdout)
    for phase in ("start", "report", "poll"):
        for name, value in figures.pop(phase).items():
            figures[f"{phase}_{name}"] = value
    warm_up = 4 * load.connections
    figures["engine_cpu_us_per_job"] = round(cpu_s * 1e6 / (STEPS * (load.instances + warm_up)))
    figures["engine_rss_mb"] = rss_mb
    figures["mean_batch"] = round(batches.pop("sum") / batches.pop("count"), 1)
    return Run(figures, batches)


def _histogram(text: str, name: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith(f"{name}_bucket"):
            found[line.partition('le="')[2].partition('"')[0]] = float(line.rpartition(" ")[2])
        elif line.startswith((f"{name}_sum", f"{name}_count")):
            found[line[len(name) + 1 :].partition(" ")[0]] = float(line.rpartition(" ")[2])
    return found
