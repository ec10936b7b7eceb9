"""What workers do, over any transport: claim many and report each, or report many and claim in one call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Protocol

from bench.callers import Caller


class Goal(Protocol):
    """Keeps count and knows the end."""

    done: asyncio.Event

    def finished(self, jobs: int, began_s: float) -> None:
        """Count jobs done by a call that began at `began_s` of the monotonic clock."""
        ...

    def starved(self) -> None:
        """Hear that there was nothing to claim."""
        ...


async def one_by_one(reporters: Sequence[Caller], pollers: Sequence[Caller], goal: Goal, at_once: int) -> None:
    """Report jobs one by one from all reporters, claimed `at_once` by each poll, until the goal is reached."""
    ready: asyncio.Queue[str | None] = asyncio.Queue(maxsize=2 * at_once)

    async def poll(caller: Caller) -> None:
        while not goal.done.is_set():
            job_ids = await caller.claim(at_once)
            if not job_ids:
                goal.starved()
            for job_id in job_ids:
                await ready.put(job_id)

    async def report(caller: Caller) -> None:
        while job_id := await ready.get():
            began_s = time.monotonic()
            await caller.complete(job_id)
            goal.finished(1, began_s)

    polling = asyncio.gather(*map(poll, pollers))
    reporting = asyncio.gather(*map(report, reporters))
    ended = asyncio.ensure_future(goal.done.wait())
    waits: list[asyncio.Future[Any]] = [polling, reporting, ended]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if not ended.done():
        ended.cancel()
        failed, other = (reporting, polling) if reporting.done() else (polling, reporting)
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
        await failed  # raises what went wrong
    # A poll that is cut off may have been given jobs already; so the last ones are read, and reported, to their end.
    await polling
    for _ in reporters:
        await ready.put(None)
    await reporting


async def in_batches(reporters: Sequence[Caller], goal: Goal, at_once: int) -> None:
    """Report `at_once` jobs and claim as many more in one call, from all reporters, until the goal is reached."""

    async def report(caller: Caller) -> None:
        job_ids = await caller.claim(at_once)
        while not goal.done.is_set():
            if not job_ids:
                goal.starved()
            began_s = time.monotonic()
            following = await caller.report(job_ids, at_once)
            goal.finished(len(job_ids), began_s)
            job_ids = following
        for job_id in job_ids:  # the last batch brought more; nothing is left half done
            began_s = time.monotonic()
            await caller.complete(job_id)
            goal.finished(1, began_s)

    await asyncio.gather(*map(report, reporters))
