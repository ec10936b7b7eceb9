"""What is going on: how many exchanges are under way, and how many of them only wait.

Everything that moves time asks here first. An exchange that waits (a parked poll, a scripted delay) is not at work:
only time or another exchange can get it on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from rochallor_stub.errors import StubError

STUCK_S = 10.0
"""Longer than any exchange is at work by itself, in real seconds."""


class Activity:
    """Counts exchanges of one stub. `expected` are job types that workers have asked for; see `Timekeeper`."""

    def __init__(self) -> None:
        self.running = 0
        self.waiting = 0
        self.expected: set[str] = set()
        self._listeners: set[asyncio.Future[None]] = set()

    @property
    def busy(self) -> bool:
        """Tell whether an exchange is at work, not just waiting."""
        return self.running > self.waiting

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """Count an exchange for as long as it lasts."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def begin(self) -> None:
        """Note that something is at work; `end` has to follow."""
        self.running += 1

    def end(self) -> None:
        """Note that it is done."""
        self.running -= 1
        self.changed()

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Count the exchange that calls this as waiting."""
        self.began_waiting()
        try:
            yield
        finally:
            self.waiting -= 1

    def began_waiting(self) -> None:
        """Note that one more exchange has nothing to do."""
        self.waiting += 1
        self.changed()

    def changed(self) -> None:
        """Wake whoever listens."""
        for listener in self._listeners:
            if not listener.done():
                listener.set_result(None)
        self._listeners.clear()

    async def change(self) -> None:
        """Return at the next change."""
        listener: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listeners.add(listener)
        try:
            await listener
        finally:
            self._listeners.discard(listener)

    async def quiet(self) -> None:
        """Return when nobody is at work; raises `StubError` when somebody is for unbelievably long."""
        try:
            async with asyncio.timeout(STUCK_S):
                while self.busy:
                    await self.change()
        except TimeoutError:
            message = f"a request has been at work for {STUCK_S:g} s, so time cannot move; see what the journal says"
            raise StubError(message) from None
