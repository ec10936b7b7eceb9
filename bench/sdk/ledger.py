"""What the mock engine knows: which jobs it gave out, and what became of them; for either transport."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import NamedTuple

TRICKLE_S = 0.02


class Given(NamedTuple):
    """A job as it was given out: its id, and when it appeared, ns of the monotonic clock that all processes share."""

    job_id: str
    at_ns: int


class Ledger:
    """Jobs of one type.

    Args:
        supply: `endless`, `none`, or `trickle`: one job every 20 ms.
        holds_polls: whether a poll that finds nothing is held.

    """

    def __init__(self, supply: str, *, holds_polls: bool) -> None:
        self.polls = 0
        self.completed = 0
        self.failed = 0
        self.strays = 0
        """Reports of jobs that were never given out, or were reported before."""
        self._supply = supply
        self._holds_polls = holds_polls
        self._given = 0
        self._out: set[str] = set()
        self._appeared: asyncio.Queue[int] = asyncio.Queue()
        self._wanted = asyncio.Event()

    async def trickle(self) -> None:
        """Let jobs appear, when that is what it supplies, from the first poll on: the worker's start is no latency."""
        await self._wanted.wait()
        while self._supply == "trickle":
            await asyncio.sleep(TRICKLE_S)
            self._appeared.put_nowait(time.monotonic_ns())

    @property
    def may_wait(self) -> bool:
        """Whether `claim` has to be waited for."""
        return self._supply != "endless"

    def claim(self, most: int) -> list[Given]:
        """Give out so many jobs of an endless supply."""
        self.polls += 1
        now_ns = time.monotonic_ns()
        first, self._given = self._given, self._given + most
        given = [Given(f"job-{number:010}", now_ns) for number in range(first, self._given)]
        self._out.update([each.job_id for each in given])
        return given

    async def claim_held(self, wait_ms: int) -> list[Given]:
        """Give out a job when one appears, none when that takes longer than `wait_ms`."""
        self.polls += 1
        self._wanted.set()
        try:
            at_ns = await asyncio.wait_for(self._appeared.get(), wait_ms / 1000 if self._holds_polls else 0)
        except asyncio.TimeoutError:
            return []
        self._given += 1
        given = Given(f"job-{self._given:010}", at_ns)
        self._out.add(given.job_id)
        return [given]

    def complete(self, job_ids: Iterable[str]) -> None:
        """Note results."""
        for job_id in job_ids:
            if job_id in self._out:
                self._out.discard(job_id)
                self.completed += 1
            else:
                self.strays += 1

    def figures(self) -> dict[str, int]:
        """Return the counts."""
        return {
            "polls": self.polls,
            "completed": self.completed,
            "failed": self.failed,
            "strays": self.strays,
            "out": len(self._out),
        }
