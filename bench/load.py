"""The load: a start storm, then workers that claim in batches and report each job by itself.

Run as a process of its own (`python -m bench.load`), so that its CPU is told from the engine's. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Sequence

import uvloop

from bench.callers import Rest
from bench.flow import DEFINITION, STEPS, VARIABLES, definition
from bench.wire import Connection
from bench.workers import one_by_one


async def storm(connections: Sequence[Connection], count: int) -> float:
    """Start `count` instances over all connections; return the seconds it took."""
    body = b'{"definitionId":"%b","variables":%b}' % (DEFINITION.encode(), VARIABLES)
    left = iter(range(count))

    async def starter(connection: Connection) -> None:
        for _ in left:
            await connection.post("/v1/instances", body)

    began = time.perf_counter()
    await asyncio.gather(*map(starter, connections))
    return time.perf_counter() - began


class _Goal:
    """Is reached when so many jobs are done."""

    def __init__(self, jobs: int) -> None:
        self.done = asyncio.Event()
        self.took_s = 0.0
        self._began_s = time.perf_counter()
        self._left = jobs

    def finished(self, jobs: int, began_s: float) -> None:  # noqa: ARG002  # each connection keeps its latencies
        """Count down."""
        self._left -= jobs
        if not self._left:
            self.took_s = time.perf_counter() - self._began_s
            self.done.set()

    def starved(self) -> None:
        """Go on: the last jobs are being reported."""


async def work(connections: Sequence[Connection], pollers: Sequence[Connection], jobs: int, at_once: int) -> float:
    """Complete `jobs` jobs, one report each, claimed `at_once` by each poll; return the seconds it took."""
    goal = _Goal(jobs)
    await one_by_one([*map(Rest, connections)], [*map(Rest, pollers)], goal, at_once)
    return goal.took_s


def quantiles(connections: Sequence[Connection]) -> dict[str, float]:
    """Return p50 and p99 in milliseconds, and forget the latencies."""
    latencies = sorted(latency for connection in connections for latency in connection.latencies)
    for connection in connections:
        connection.latencies.clear()
    return {f"p{share}_ms": round(latencies[len(latencies) * share // 100] * 1000, 2) for share in (50, 99)}


async def main(host: str, port: int, instances: int, width: int, at_once: int) -> dict[str, object]:
    """Run both phases after a small warm-up; return the figures."""
    connections = [await Connection.open(host, port) for _ in range(width)]
    pollers = [await Connection.open(host, port) for _ in range(2)]
    await connections[0].post("/v1/definitions", definition())
    await storm(connections, width * 4)
    await work(connections, pollers, width * 4 * STEPS, at_once)
    quantiles([*connections, *pollers])
    started = await storm(connections, instances)
    start_times = quantiles(connections)
    worked = await work(connections, pollers, instances * STEPS, at_once)
    report_times, poll_times = quantiles(connections), quantiles(pollers)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "starts_per_s": round(instances / started),
        "start": start_times,
        "jobs_per_s": round(instances * STEPS / worked),
        "instances_completed_per_s": round(instances / worked),
        "report": report_times,
        "poll": poll_times,
        "load_cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(sys.argv[1], *map(int, sys.argv[2:])))))
