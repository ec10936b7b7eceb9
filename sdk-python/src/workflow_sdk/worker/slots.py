"""How many jobs may still be claimed.

The one rule of the worker: claimed = running + reporting <= parallelism, at every instant. A slot is reserved while a
poll may bring a job for it, taken when the job is there, and given back when its report was acknowledged or given up,
not when its handler returned. It would break if a slot were given back twice.
"""

from __future__ import annotations

from workflow_sdk.worker.bell import Bell


class Slots:
    """A counter on one event loop.

    Args:
        size: how many jobs may be claimed at a time.

    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0
        self.given_back = 0
        """How many slots came back since the beginning; what a waiter compares with."""
        self.wanting = 0
        """How many lanes wait for a slot just now. Who does not, leaves one for each of them."""
        self._reserved = 0
        self._bell = Bell()

    def free(self) -> int:
        """Return how many jobs may be asked for now."""
        return max(0, self.size - self.taken - self._reserved)

    def reserve(self, count: int) -> None:
        """Set slots aside for what a poll may bring."""
        self._reserved += count

    def settle(self, reserved: int, taken: int) -> None:
        """Turn what was set aside for a poll into what it brought."""
        self._reserved -= reserved
        self.taken += taken
        if taken < reserved:
            self._bell.ring()

    def take(self, count: int) -> None:
        """Note jobs that came in the place of others whose reports were acknowledged by the same answer."""
        self.taken += count

    def give_back(self) -> None:
        """Note that one job is reported, or given up."""
        self.taken -= 1
        self.given_back += 1
        self._bell.ring()

    async def changed(self, since: int, seconds: float | None = None) -> bool:
        """Wait until a slot came back after `given_back` was `since`, at most so long; return whether one did."""
        if self.given_back == since:
            await self._bell.wait(seconds)
        return self.given_back != since
