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
from typing import Any

import uvloop

from bench.wire import Connection

DEFINITION = "bench-linear"
JOB_TYPE = "bench"
STEPS = 3
CLAIM = 50
VARIABLES = b'{"customer":"c-1","amount":1200}'
RESULT = b'{"checked":true}'


def definition(name: str = DEFINITION, job_type: str = JOB_TYPE) -> bytes:
    """Return a linear workflow of service tasks, all of one job type."""
    tasks = [
        {
            "id": f"s{number}",
            "name": f"Step {number}",
            "type": "SERVICE_TASK",
            "jobType": job_type,
            "nextStep": f"s{number + 1}" if number < STEPS - 1 else "end",
        }
        for number in range(STEPS)
    ]
    return json.dumps(
        {"id": name, "name": "Linear", "steps": [*tasks, {"id": "end", "name": "End", "type": "END"}]}
    ).encode()


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


async def work(connections: Sequence[Connection], pollers: Sequence[Connection], jobs: int, at_once: int) -> float:
    """Complete `jobs` jobs, one report each, claimed `at_once` by each poll; return the seconds it took."""
    ready: asyncio.Queue[str | None] = asyncio.Queue(maxsize=2 * at_once)
    done = asyncio.Event()
    left = jobs
    claim = json.dumps({"workerId": "bench", "jobTypes": [JOB_TYPE], "maxJobs": at_once, "waitMs": 50}).encode()
    result = b'{"workerId":"bench","variables":%b}' % RESULT

    async def poller(connection: Connection) -> None:
        while not done.is_set():
            jobs = json.loads(await connection.post("/v1/jobs/poll", claim))["jobs"]
            if len(jobs) < at_once:
                connection.latencies.pop()  # it waited for work, as it was asked to; that is no latency
            for job in jobs:
                await ready.put(job["id"])

    async def reporter(connection: Connection) -> None:
        nonlocal left
        while job_id := await ready.get():
            await connection.post(f"/v1/jobs/{job_id}/complete", result)
            left -= 1
            if not left:
                done.set()

    began = time.perf_counter()
    polling = asyncio.gather(*map(poller, pollers))
    reporting = asyncio.gather(*map(reporter, connections))
    ended = asyncio.ensure_future(done.wait())
    waits: list[asyncio.Future[Any]] = [polling, reporting, ended]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    took = time.perf_counter() - began
    if not ended.done():
        await (reporting if reporting.done() else polling)  # raises what went wrong
    # A poll that is cut off may have been given jobs already; so the last ones are read, and reported, to their end.
    await polling
    for _ in connections:
        await ready.put(None)
    await reporting
    return took


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
