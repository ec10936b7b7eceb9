"""How time passes between two looks at an engine: really, or by moving the stub's virtual clock."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import httpx

LOOK_EVERY_S = 0.05


class Clock(Protocol):
    """A target's time. `is_virtual` says whether it passes only when told to."""

    is_virtual: bool

    def now_ms(self) -> float:
        """Return the time that has passed on this clock, in ms since some moment."""
        ...

    async def look_again(self) -> None:
        """Let a little time pass before the next look."""
        ...

    async def advance(self, seconds: float) -> None:
        """Let time pass."""
        ...


class RealClock:
    """The clock on the wall; nobody moves it."""

    is_virtual = False

    def now_ms(self) -> float:
        """Return the time in ms since some moment."""
        return time.monotonic() * 1000

    async def look_again(self) -> None:
        """Give the engine a moment."""
        await asyncio.sleep(LOOK_EVERY_S)

    async def advance(self, seconds: float) -> None:
        """Refuse: a case that moves time requires `virtual-clock`."""
        raise NotImplementedError(f"nobody can let {seconds} s pass on a real clock; require virtual-clock")


class StubClock:
    """The stub's clock, moved by its control calls."""

    is_virtual = True

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._passed_ms = 0.0

    def now_ms(self) -> float:
        """Return how much was let pass, in ms."""
        return self._passed_ms

    async def look_again(self) -> None:
        """Let as much pass as a real look would."""
        await self.advance(LOOK_EVERY_S)

    async def advance(self, seconds: float) -> None:
        """Let time pass; when this returns, all that fell due has happened."""
        response = await self._http.post("/__stub/advance", json={"seconds": seconds})
        response.raise_for_status()
        self._passed_ms += seconds * 1000
