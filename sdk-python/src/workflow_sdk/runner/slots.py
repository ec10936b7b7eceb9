"""How many jobs may still be claimed.

The one rule of the runner: claimed = running + reporting <= parallelism, at every instant. A slot is taken when a job
is claimed and given back when its report was acknowledged or given up, not when its handler returned. It would break
if anything but the poller took slots, or if a slot were given back twice.
"""

from __future__ import annotations

import threading


class Slots:
    """A counter of taken slots that one thread waits on and many give back to."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._given_back = 0
        self._changed = threading.Condition()

    @property
    def taken(self) -> int:
        """Jobs claimed and not yet reported."""
        return self._taken

    @property
    def given_back(self) -> int:
        """How many slots came back since the beginning; what a waiter compares with."""
        return self._given_back

    def free(self) -> int:
        """Return how many jobs may be claimed now."""
        return max(0, self._size - self._taken)

    def take(self, count: int) -> None:
        """Note that `count` jobs were claimed."""
        with self._changed:
            self._taken += count

    def give_back(self) -> None:
        """Note that one job is reported, or given up."""
        with self._changed:
            self._taken -= 1
            self._given_back += 1
            self._changed.notify_all()

    def wait_for_change(self, since: int, timeout: float) -> bool:
        """Wait at most `timeout` seconds until a slot came back after `given_back` was `since`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._given_back != since, timeout)
