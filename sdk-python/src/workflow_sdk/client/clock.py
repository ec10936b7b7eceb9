"""Time and chance as the clients use them: one value, so that a test replaces all of it at once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Where a client gets its time and its dice from.

    Args:
        monotonic: seconds that only grow.
        sleep: waits so many seconds.
        sleep_async: the same on an event loop.
        chance: a number in [0, 1).

    """

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    sleep_async: Callable[[float], Awaitable[object]] = asyncio.sleep
    chance: Callable[[], float] = random.random
