"""Waiting for something to change, or for some time to pass, on one event loop."""

from __future__ import annotations

import asyncio


class Bell:
    """Wakes everybody who waits. Not for use from other threads."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[bool]] = set()

    def ring(self) -> None:
        """Wake who waits now."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(True)

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait for the next ring, at most so many seconds; return whether it rang."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiting.add(waiter)
        timer = None if seconds is None else loop.call_later(max(seconds, 0.0), _give_up, waiter)
        try:
            return await waiter
        finally:
            self._waiting.discard(waiter)
            if timer is not None:
                timer.cancel()


def _give_up(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)
