"""One load process that keeps instances under way: `python -m bench.closed TRANSPORT FLOW CONNECTIONS HOST PORT`.

Whenever an instance has had its last job reported, the next one is started; so a job's share of starting is in the
figures, and an instance has a duration. The span is told as `bench.window` says. The engine is not taken at its word:
a job handed out twice, a job of an instance that nobody started, or an instance that is not `COMPLETED` when all its
jobs are, voids the run.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Awaitable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import grpc
import msgspec
import uvloop

from bench.contract import Client, Job, clients, waits
from bench.flow import RESULT
from bench.flows import FLOWS, Flow, Kind, job_type
from bench.window import Tally, await_span
from bench.workers import Goal

POLLERS = 2
WAIT_MS = 50
_PAUSE_S = 0.002
_ASKED = 100
_PATIENCE_S = 15.0


class Life(NamedTuple):
    """When an instance was asked for, in seconds of the monotonic clock, and what it is."""

    began_s: float
    kind: Kind


class Flock:
    """Who is under way and how far, and what the engine must not say about it.

    Jobs may come before the answer to the start of their instance does, so they are counted for anybody at first.
    """

    def __init__(self) -> None:
        self.lives: dict[str, Life] = {}
        self.finished: list[str] = []
        self._jobs: set[str] = set()
        self._reported: dict[str, int] = {}

    def handed_out(self, job: Job) -> None:
        """Hear of a job; raises `RuntimeError` for one that was handed out before."""
        if job.job_id in self._jobs:
            raise RuntimeError(f"job {job.job_id} was handed out twice, and its lease had not ended")
        self._jobs.add(job.job_id)

    def started(self, instance_id: str, life: Life) -> Life | None:
        """Hear of an instance; return its life if all its jobs are reported already."""
        self.lives[instance_id] = life
        return self._ended(instance_id)

    def reported(self, instance_id: str) -> Life | None:
        """Hear of a job's end; return its instance's life if that was the last."""
        self._reported[instance_id] = self._reported.get(instance_id, 0) + 1
        return self._ended(instance_id)

    def strangers(self) -> list[str]:
        """Return instances whose jobs came but that were never started."""
        return [instance_id for instance_id in self._reported if instance_id not in self.lives]

    def _ended(self, instance_id: str) -> Life | None:
        life = self.lives.get(instance_id)
        if life is None or self._reported.get(instance_id, 0) < life.kind.jobs:
            return None
        del self.lives[instance_id], self._reported[instance_id]
        self.finished.append(instance_id)
        return life


class Prepared(NamedTuple):
    """The ids of the definitions, by kind, and how long polls may wait, in ms; 0 for an engine that cannot."""

    definition_ids: dict[str, str]
    wait_ms: int


async def prepared(client: Client, flow: Flow, suffix: str) -> Prepared:
    """Upload the definitions, and find out whether polls may wait."""
    ids = {kind.name: await client.upload(kind.definition(suffix)) for kind in set(flow.turns)}
    return Prepared(ids, WAIT_MS if await waits(client) else 0)


class Loop:
    """The load: starters and reporters are the same connections; claims have connections of their own."""

    def __init__(self, flow: Flow, suffix: str, given: Prepared, jobs: Goal, instances: Goal) -> None:
        self._flow, self._type, self._given = flow, job_type(suffix), given
        self._jobs, self._instances = jobs, instances
        self._kinds = flow.kinds
        self._flock = Flock()
        self._to_do: asyncio.Queue[Job | Kind] = asyncio.Queue()
        self._quiet = asyncio.Event()
        self._under_way = 0

    async def run(self, workers: Sequence[Client], pollers: Sequence[Client]) -> None:
        """Go on until the end of the span and until nothing is under way; then ask how the instances are."""
        for kind in islice(self._kinds, self._flow.in_flight):
            self._begin(kind)
        tasks = [*map(self._work, workers), *map(self._poll, pollers)]
        await _until(self._quiet, tasks, self._jobs)
        if strangers := self._flock.strangers():
            raise RuntimeError(f"jobs came of {len(strangers)} instances that were never started: {strangers[0]}")
        await self._ask(workers[0])

    def _begin(self, kind: Kind) -> None:
        self._under_way += 1
        self._to_do.put_nowait(kind)

    async def _work(self, client: Client) -> None:
        while True:
            what, began_s = await self._to_do.get(), time.monotonic()
            if isinstance(what, Kind):
                instance_id = await client.start(self._given.definition_ids[what.name], what.variables)
                life = self._flock.started(instance_id, Life(began_s, what))
            else:
                await client.complete(what.job_id, RESULT)
                self._jobs.finished(1, began_s)
                life = self._flock.reported(what.instance_id)
            if life is not None:
                self._end(life)

    def _end(self, life: Life) -> None:
        self._instances.finished(1, life.began_s)
        self._under_way -= 1
        if not self._jobs.done.is_set():
            self._begin(next(self._kinds))
        elif not self._under_way:
            self._quiet.set()

    async def _poll(self, client: Client) -> None:
        while True:
            jobs = await client.poll(self._type, self._flow.at_once, self._given.wait_ms)
            for job in jobs:
                self._flock.handed_out(job)
                self._to_do.put_nowait(job)
            if not jobs and not self._given.wait_ms:
                await asyncio.sleep(_PAUSE_S)

    async def _ask(self, client: Client) -> None:
        for instance_id in self._flock.finished[-_ASKED:]:
            status = await client.status(instance_id)
            if status != "COMPLETED":
                raise RuntimeError(f"instance {instance_id} is {status}, and all its jobs were reported as done")


async def _until(quiet: asyncio.Event, tasks: Sequence[Awaitable[None]], goal: Goal) -> None:
    """Run the tasks, which have no end, until it is quiet; raises what any of them raises."""
    running = [asyncio.ensure_future(task) for task in tasks]
    ended = [asyncio.ensure_future(quiet.wait()), asyncio.ensure_future(_impatient(goal))]
    done, _ = await asyncio.wait([*running, *ended], return_when=asyncio.FIRST_COMPLETED)
    for each in (*running, *ended):
        each.cancel()
    await asyncio.gather(*running, *ended, return_exceptions=True)
    for each in done:
        each.result()


async def _impatient(goal: Goal) -> None:
    await goal.done.wait()
    await asyncio.sleep(_PATIENCE_S)
    raise RuntimeError(f"instances are still under way {_PATIENCE_S:g} s after the last one was started")


async def main(transport: str, flow_name: str, count: int, host: str, port: int) -> dict[str, Any]:
    """Work from when the span is told until its end; return the figures of jobs, and beside them those of instances."""
    flow, suffix = FLOWS[flow_name], uuid.uuid4().hex[:12]
    async with clients(transport, count + POLLERS, host, port) as connected:
        given = await asyncio.wait_for(prepared(connected[0], flow, suffix), _PATIENCE_S)
        span = await_span()
        jobs, instances = Tally(span), Tally(span)
        await Loop(flow, suffix, given, jobs, instances).run(connected[POLLERS:], connected[:POLLERS])
    return {**jobs.figures(), "instances": instances.figures(), "wait_ms": given.wait_ms}


def _sentence(error: Exception) -> str:
    """Say what the engine did wrong in one line."""
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    given_transport, given_flow, given_count, given_host, given_port = sys.argv[1:]
    try:
        figures = uvloop.run(main(given_transport, given_flow, int(given_count), given_host, int(given_port)))
    except (RuntimeError, OSError, msgspec.MsgspecError, grpc.aio.AioRpcError) as wrong:
        print(_sentence(wrong))
        sys.exit(1)
    print(json.dumps(figures))
