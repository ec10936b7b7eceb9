"""The database's time, so that engines on hosts whose clocks differ agree on what is due.

Measured once in a while and carried on by a counter that only runs forward: somebody who sets the host's clock changes
nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rochallor.stores.postgres.claims import SQL
from rochallor.stores.postgres.connect import translated

ROUNDS = 3
TOLERATED_MS = 5


class DatabaseClock:
    """See `rochallor.ports.Clock`. `monotonic_s` counts seconds; until measured, `host_ms` is believed."""

    def __init__(self, monotonic_s: Callable[[], float], host_ms: float) -> None:
        self._monotonic_s = monotonic_s
        self._offset_ms = host_ms - monotonic_s() * 1000

    def now_ms(self) -> int:
        """Return the time."""
        return int(self._monotonic_s() * 1000 + self._offset_ms)

    async def measure(self, connection: Any) -> None:
        """Compare with the database's clock; a small difference is noise of the measurement, and left alone."""
        quickest, offset_ms = float("inf"), 0.0
        for _ in range(ROUNDS):
            before_s = self._monotonic_s()
            with translated():
                database_ms = await connection.fetchval(SQL["database_time"])
            took_s = self._monotonic_s() - before_s
            if took_s < quickest:
                quickest, offset_ms = took_s, database_ms - (before_s + took_s / 2) * 1000
        if abs(offset_ms - self._offset_ms) > TOLERATED_MS:
            self._offset_ms = offset_ms
