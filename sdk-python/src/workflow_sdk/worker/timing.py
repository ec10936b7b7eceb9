"""Time and chance as the runner uses them: one value, so that a test replaces all of it at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Where a runner gets its time and its dice from.

    Args:
        monotonic: seconds that only grow.
        chance: a number in [0, 1).

    """

    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
