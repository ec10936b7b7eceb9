"""The real clock and the real source of chance; tests and the stub have their own."""

from __future__ import annotations

import secrets
import time


class SystemClock:
    """Wall-clock time of this host."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000


class SystemEntropy:
    """Chance from the operating system."""

    def bits(self, count: int) -> int:
        """Return `count` random bits."""
        return secrets.randbits(count)
