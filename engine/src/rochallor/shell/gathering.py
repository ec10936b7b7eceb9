"""Before a batch: let the loop hand over the commands that have arrived already.

A batch costs the same for one command as for several, and what is under way when it begins waits for the next. Over
gRPC that was nearly everything: a call takes several turns of the loop from its socket to the queue, one for each thing
that the library's thread tells the loop, and the loop has few turns while a batch is decided. So a batch of five went
ahead of fifty calls that were there.

This is no waiting for callers who may come. A loop that has nothing to do is round in some microseconds, so whoever is
alone is answered as soon as before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sized

QUIET_TURNS = 12
"""Turns of the loop without a new command before a batch begins."""

LONGEST_S = 0.006
"""After so long a batch begins whatever else may come: a flood must not hold up those who came first."""


async def gather(queue: Sized, most: int, time_s: Callable[[], float] | None = None) -> None:
    """Return when the loop has brought nothing new into the queue for a few turns, or `most` commands wait there.

    `time_s` measures the longest time that this may take: by default the loop's clock, in seconds.
    """
    time_s = time_s or asyncio.get_running_loop().time
    latest_s = time_s() + LONGEST_S
    known, quiet = len(queue), 0
    while quiet < QUIET_TURNS and known < most and time_s() < latest_s:
        await asyncio.sleep(0)
        quiet = quiet + 1 if len(queue) == known else 0
        known = len(queue)
