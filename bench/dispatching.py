"""A load process that notes how long each job waits for its handler: `python -m bench.dispatching PLAN` (as JSON).

It starts instances and completes their jobs on one engine, and polls on the same or on another one. A job counts from
the moment it was to be made: the due time of its instance's start, or the end of the handler of the job before it. That
is before the engine has committed it, so what is told is never less than what a worker would see. Jobs that were to be
made inside the span count whenever they are handled; the process ends when every instance has.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import count
from random import Random
from typing import Any, NamedTuple

import uvloop

from bench.arrivals import arrivals
from bench.cases import LONG_WAIT_MS, PLAIN_PAUSE_S
from bench.flow import CLAIM, DEFINITION, JOB_TYPE, RESULT, STEPS, WORKER
from bench.window import Span, Tally, await_span, bucket
from bench.wire import Connection

HOST = "127.0.0.1"
CONNECTIONS = 64
POLLERS = 2
SLICES = 60
"""So many equal parts of the span are counted each by itself: seconds of a minute."""

_START = b'{"definitionId":"%b","variables":{"customer":"c-1","amount":1200,"number":%%d}}' % DEFINITION.encode()
_COMPLETE = b'{"workerId":"%b","variables":%b}' % (WORKER.encode(), RESULT)


class Plan(NamedTuple):
    """What to do: ports of the engine that makes jobs and of the one that is polled, and at what pace.

    `rate_per_s` is that of starts in an open loop; 0 is a closed loop with an instance per connection in flight.
    `wait_ms` is how long a poll may wait; 0 is a plain poll, which pauses after an empty answer.
    """

    make_port: int
    poll_port: int
    rate_per_s: float = 0.0
    wait_ms: int = LONG_WAIT_MS
    seed: int = 1


class Waits(Tally):
    """Counts the jobs that are done in the span, also per sixtieth of it, and keeps the waits of those made in it."""

    def __init__(self, span: Span, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__(span, monotonic_s=monotonic_s)
        self.slices = [0] * SLICES
        self.sent_late: Counter[int] = Counter()
        self.after_answer: Counter[int] = Counter()

    def picked_up(self, made_s: float, now_s: float) -> None:
        """Keep the wait of a job that was to be made at `made_s`."""
        if self._inside(made_s):
            self.latencies[bucket(now_s - made_s)] += 1

    def both_known(self, made_s: float, answered_s: float, picked_s: float) -> None:
        """Keep how long after the answer to the call that made it a job was picked up; before it is no wait."""
        if self._inside(made_s):
            self.after_answer[bucket(picked_s - answered_s)] += 1

    def sent(self, due_s: float, now_s: float) -> None:
        """Keep how late this program itself was with a start: where that is much, the figures are the load's."""
        if self._inside(due_s):
            self.sent_late[bucket(now_s - due_s)] += 1

    def finished(self, jobs: int, began_s: float) -> None:  # noqa: ARG002  # what a report takes is not asked here
        """Count."""
        now_s = self._monotonic_s()
        if self._inside(now_s):
            self.count += jobs
            share = (now_s - self._span.begin_s) / (self._span.end_s - self._span.begin_s)
            self.slices[min(int(share * SLICES), SLICES - 1)] += jobs

    def figures(self) -> dict[str, Any]:
        """Return what the process tells at its end."""
        return super().figures() | {
            "slices": self.slices,
            "sent_late": list(self.sent_late.items()),
            "after_answer": list(self.after_answer.items()),
        }

    def _inside(self, moment_s: float) -> bool:
        return self._span.begin_s <= moment_s < self._span.end_s


class Job:
    """A job that was to be made then; its pickup and the answer to the call that makes it come in any order."""

    __slots__ = ("answered_s", "made_s", "picked_s")

    def __init__(self, made_s: float) -> None:
        self.made_s = made_s
        self.answered_s: float | None = None
        self.picked_s: float | None = None


class Flight:
    """An instance on its way: its open job, and how many are left with that one."""

    __slots__ = ("job", "landed", "left")

    def __init__(self, made_s: float) -> None:
        self.job = Job(made_s)
        self.left = STEPS
        self.landed = asyncio.Event()


class Traffic:
    """All instances in flight, and the worker that handles their jobs."""

    def __init__(self, tally: Waits, connections: list[Connection], tasks: asyncio.TaskGroup) -> None:
        self._tally = tally
        self._tasks = tasks
        self._free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for connection in connections:
            self._free.put_nowait(connection)
        self._flights: dict[int, Flight] = {}
        self._numbers = count()
        self._over = False

    async def open_loop(self, due: Iterable[float]) -> None:
        """Start instances when they are due, whatever became of those before; return when all have ended."""
        for due_s in due:
            if (early_s := due_s - time.monotonic()) > 0:
                await asyncio.sleep(early_s)
            self._depart(due_s)
        for flight in list(self._flights.values()):
            await flight.landed.wait()

    async def closed_loop(self) -> None:
        """Keep one instance in flight until the span is over and it has ended."""
        while not self._tally.done.is_set():
            await self._depart(time.monotonic()).landed.wait()

    async def poll(self, connection: Connection, wait_ms: int) -> None:
        """Claim jobs and start a handler for each, until `stop`."""
        wish = {"workerId": WORKER, "jobTypes": [JOB_TYPE], "maxJobs": CLAIM, "waitMs": wait_ms}
        body = json.dumps(wish).encode()
        while not self._over:
            jobs = json.loads(await connection.post("/v1/jobs/poll", body))["jobs"]
            now_s = time.monotonic()
            for job in jobs:
                self._tasks.create_task(self.handle(job["id"], job["variables"]["number"], now_s))
            if not jobs and not wait_ms:
                await asyncio.sleep(PLAIN_PAUSE_S)

    def stop(self) -> None:
        """Let polls end by themselves: one that is cut off might be given jobs that nobody handles."""
        self._over = True

    def _depart(self, due_s: float) -> Flight:
        number = next(self._numbers)
        flight = self._flights[number] = Flight(due_s)
        self._tasks.create_task(self._start(number, flight.job))
        return flight

    async def _start(self, number: int, first: Job) -> None:
        async with self._connection() as connection:
            self._tally.sent(first.made_s, time.monotonic())
            await connection.post("/v1/instances", _START % number)
        self._answered(first)

    async def handle(self, job_id: str, number: int, now_s: float) -> None:
        """Be a handler that has nothing to do: note the wait and complete the job; raises if it is not open."""
        flight = self._flights.get(number)
        if flight is None or not flight.left:
            raise RuntimeError(f"job {job_id} was handed out although it is done")
        self._picked_up(flight.job, now_s)
        flight.left -= 1
        last = not flight.left
        following = flight.job = Job(time.monotonic())
        async with self._connection() as connection:
            await connection.post(f"/v1/jobs/{job_id}/complete", _COMPLETE)
        self._tally.finished(1, now_s)
        if last:
            del self._flights[number]
            flight.landed.set()
        else:
            self._answered(following)

    def _picked_up(self, job: Job, now_s: float) -> None:
        job.picked_s = now_s
        self._tally.picked_up(job.made_s, now_s)
        if job.answered_s is not None:
            self._tally.both_known(job.made_s, job.answered_s, now_s)

    def _answered(self, job: Job) -> None:
        job.answered_s = time.monotonic()
        if job.picked_s is not None:
            self._tally.both_known(job.made_s, job.answered_s, job.picked_s)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        connection = await self._free.get()
        yield connection  # not given back after an error: that voids the run anyway
        self._free.put_nowait(connection)


async def main(plan: Plan) -> dict[str, Any]:
    """Work from when the span is told until every instance has ended; return the figures."""
    makers = [await Connection.open(HOST, plan.make_port) for _ in range(CONNECTIONS)]
    pollers = [await Connection.open(HOST, plan.poll_port) for _ in range(POLLERS)]
    span = await_span()
    tally = Waits(span)
    async with asyncio.TaskGroup() as tasks:
        traffic = Traffic(tally, makers, tasks)
        for connection in pollers:
            tasks.create_task(traffic.poll(connection, plan.wait_ms))
        if plan.rate_per_s:
            gap = Random(plan.seed).expovariate
            await traffic.open_loop(arrivals(plan.rate_per_s, time.monotonic(), span.end_s, gap))
        else:
            await asyncio.gather(*(traffic.closed_loop() for _ in makers))
        await tally.done.wait()
        traffic.stop()
    for connection in (*makers, *pollers):
        connection.close()
    return tally.figures()


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(Plan(*json.loads(sys.argv[1]))))))
