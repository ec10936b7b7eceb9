"""How long to wait before trying again. Pure: the random number is an argument."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BASE_DELAY = 0.1
FACTOR = 2.0
JITTER_FRAC = 0.2
MAX_DELAY = 30.0

_STEEP_ENOUGH = 64  # 2.0**64 is far past any limit; beyond about 1000 the power overflows


def ceiling(attempt: int, *, limit: float = MAX_DELAY) -> float:
    """Return the seconds to wait after failed attempt number `attempt` (from 0), before any jitter."""
    return min(BASE_DELAY * FACTOR ** min(max(attempt, 0), _STEEP_ENOUGH), limit)


def delay(attempt: int, *, chance: Callable[[], float] = random.random) -> float:
    """Return seconds to wait after failed attempt `attempt` (from 0): exponential, give or take a fifth.

    Args:
        attempt: how many attempts failed before this one.
        chance: a number in [0, 1); an argument so that a test decides it.

    """
    spread = 1.0 + JITTER_FRAC * (2.0 * chance() - 1.0)
    return min(ceiling(attempt) * spread, MAX_DELAY)


def full_jitter(attempt: int, *, chance: Callable[[], float], limit: float = MAX_DELAY) -> float:
    """Return seconds drawn evenly from [0, ceiling): many workers that failed together come back apart."""
    return chance() * ceiling(attempt, limit=limit)
