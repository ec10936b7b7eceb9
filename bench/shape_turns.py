"""Which shapes of load an engine is measured under, and how one turn of each goes: a table.

Shapes of single reports work the same waiting instances as `floors` does; the others keep instances of their own under
way on an empty store (`bench.closed`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

from bench import flows
from bench.contestants import CONNECTIONS, HOST, REST, Turn, engine, inside
from bench.engine import EngineProcess
from bench.window import Counted, quantile

Figures = dict[str, float]

STORM, INSIDE, TWO = "start storm", "in process", "two engines"
LINEAR, MIXED = "linear, with starts", "mixed 70/20/10"
FROM = {callers: f"{REST}, from {callers}" for callers in (1, 16, CONNECTIONS, 256)}
SINGLE = FROM[CONNECTIONS]
"""What the others are compared with."""

FLOWS = {
    LINEAR: "linear",
    "fan-out of 16": "fan-out-16",
    "fan-out of 64": "fan-out-64",
    "variables of 1 KB": "1-kb",
    "variables of 64 KB": "64-kb",
    "variables of 1 MB": "1-mb",
    MIXED: "mixed",
}


class Shape(NamedTuple):
    """How one turn of a shape goes, and whether instances have to wait in its store."""

    turn: Callable[[Turn], Figures]
    herd: bool


def _figures(turn: Callable[[Turn], Counted]) -> Callable[[Turn], Figures]:
    return lambda given: turn(given).figures()


def _storm(given: Turn) -> Figures:
    with EngineProcess(given.store) as process:
        command = ["bench.storm", str(CONNECTIONS), HOST, str(process.port)]
        figures = given.run([command], {"engine": process.cpu_s}).figures()
    return {"starts_per_s": figures.pop("jobs_per_s"), **figures}


def _flow(name: str) -> Callable[[Turn], Figures]:
    def turn(given: Turn) -> Figures:
        given = given._replace(measure_s=given.measure_s * flows.FLOWS[name].stretch)
        with EngineProcess(given.store) as process:
            command = ["bench.closed", "rest", name, str(CONNECTIONS), HOST, str(process.port)]
            counted = given.run([command], {"engine": process.cpu_s})
        return counted.figures() | of_instances(counted)

    return turn


def of_instances(counted: Counted) -> Figures:
    """Return instances per second, and how long one takes from its start to its last job's end, in ms."""
    told: list[dict[str, Any]] = [each["instances"] for each in counted.told]
    latencies: Counter[int] = Counter()
    for each in told:
        latencies.update(dict(each["latencies"]))
    if not latencies:
        raise RuntimeError("not one instance came to its end in the time measured; give --seconds more")
    ended = sum(each["count"] for each in told)
    return {
        "instances_per_s": round(ended / counted.seconds, 1),
        "instance_p50_ms": round(quantile(latencies, 0.5) * 1000, 1),
    }


def _two(given: Turn) -> Counted:
    with ExitStack() as stack:
        processes = [stack.enter_context(EngineProcess(given.store)) for _ in range(2)]
        commands = [
            ["bench.client", "rest", "single", str(CONNECTIONS // 2), HOST, str(process.port)] for process in processes
        ]
        return given.run(commands, {"engine": lambda: sum(process.cpu_s() for process in processes)})


ANY_STORE: dict[str, Shape] = {
    **{name: Shape(_figures(engine("rest", "single", callers)), herd=True) for callers, name in FROM.items()},
    INSIDE: Shape(_figures(inside("single", CONNECTIONS)), herd=True),
    STORM: Shape(_storm, herd=False),
    **{name: Shape(_flow(flow), herd=False) for name, flow in FLOWS.items()},
}

POSTGRES_ONLY: dict[str, Shape] = {TWO: Shape(_figures(_two), herd=True)}
"""A SQLite file has one engine."""


def shapes(kind: str) -> dict[str, Shape]:
    """Return the shapes measured on a kind of store, in the order of their turns and of the table."""
    return ANY_STORE | (POSTGRES_ONLY if kind == "postgres" else {})
