"""When time moves, and that everything happens at its own moment.

`advance` goes from one due thing to the next: the clock stands at exactly the moment of a timer when it fires, and the
next step is taken only when everything that follows from it is done. `jump` is a wall clock that is set: it lands, and
then all that became due is due at once.

By itself the clock moves only when nothing else can happen (`auto`):

- no exchange is at work; parked polls and scripted delays do not count;
- no worker holds a job, because its report may come any moment;
- no job is ready of a type that some worker has asked for, because it will ask again;
- nobody holds the clock;
- and all that was so for `quiet_s` real seconds, because a request may be on its way.

Then it leaps to the next due thing, never further: how long a poll or an await waits is no reason to move, and a leap
makes nobody's wait any shorter. A scripted delay is a reason, and the second and third rule do not hold for it: a
worker that waits for a delayed answer does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from rochallor.ports import Store
from rochallor.shell.engine import Engine

from rochallor_stub.activity import Activity
from rochallor_stub.clock import VirtualClock, reachable
from rochallor_stub.errors import StubError
from rochallor_stub.waits import VirtualWaits

QUIET_S = 0.02
_FOR_EVER_MS = 1 << 62
_ENOUGH = 1_000


class Timekeeper:
    """Moves one stub's clock. `engine` is the one of the moment; a reset puts another one there."""

    def __init__(self, clock: VirtualClock, waits: VirtualWaits, activity: Activity, engine: Engine) -> None:
        self.engine = engine
        self.holds = 0
        self._clock = clock
        self._waits = waits
        self._activity = activity
        self._turn = asyncio.Lock()
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def _store(self) -> Store:
        return self.engine.store

    async def advance(self, ms: int) -> None:
        """Let `ms` pass, and all that falls due in it happen, in order."""
        async with self._turn:
            target_ms = reachable(self._clock.at_ms + ms)
            await self._settle()
            while (at_ms := await self.next_due_ms()) is not None and at_ms < target_ms:
                await self._pass_to(at_ms)
            await self._pass_to(target_ms)
        self._activity.changed()

    async def jump(self, ms: int) -> None:
        """Set the clock forward or back; what has become due then is due together."""
        async with self._turn:
            target_ms = reachable(self._clock.at_ms + ms)
            await self._settle()
            await self._leap_to(target_ms)
        self._activity.changed()

    async def sleep(self, ms: int) -> None:
        """Return when so much virtual time has passed; the exchange that asks is not at work meanwhile."""
        if ms <= 0:
            return
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (self._clock.at_ms + ms, waker)
        self._sleepers.append(entry)
        try:
            with self._activity.wait():
                await waker
        finally:
            if entry in self._sleepers:
                self._sleepers.remove(entry)

    def wake_all(self) -> None:
        """Let nobody sleep any longer: the stub is reset or stopped."""
        self._wake_until(_FOR_EVER_MS)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the clock from moving by itself."""
        self.holds += 1
        try:
            yield
        finally:
            self.holds -= 1
            self._activity.changed()

    async def run(self, quiet_s: float = QUIET_S) -> NoReturn:
        """Move the clock by itself whenever nothing else can happen, for ever."""
        while True:
            try:
                await self._quiet_for(quiet_s)
                at_ms = await self._next_move_ms()
                if at_ms is None or self._activity.busy:
                    await self._activity.change()
                    continue
                async with self._turn:
                    await self._leap_to(at_ms)
                self._activity.changed()
            except StubError:  # somebody is at work for very long; only an `advance` has to say so
                continue

    async def next_due_ms(self) -> int | None:
        """Return when the next thing is due, None for never."""
        due = await self._store.due(self._clock.at_ms, _ENOUGH)
        moments = [at_ms for at_ms, _ in self._sleepers]
        if due.next_at_ms is not None:
            moments.append(due.next_at_ms)
        return min((at_ms for at_ms in moments if at_ms > self._clock.at_ms), default=None)

    async def idle_for_good(self, quiet_s: float = QUIET_S) -> bool:
        """Tell, after some real time of silence, whether nothing at all can happen any more by itself."""
        await self._quiet_for(quiet_s)
        async with self._turn:  # what is due at the moment that the clock has just come to has happened
            due = await self._store.due(_FOR_EVER_MS, _ENOUGH)
            at_work = self._sleepers or due.leases or await self._served_jobs()
            return not (at_work or self._activity.busy) and await self.next_due_ms() is None

    async def _served_jobs(self) -> bool:
        backlog = await self._store.reads.backlog(self._clock.at_ms)
        return any(entry.job_type in self._activity.expected for entry in backlog)

    async def _next_move_ms(self) -> int | None:
        if self.holds:
            return None
        if self._sleepers:
            return await self.next_due_ms()
        if (await self._store.due(_FOR_EVER_MS, _ENOUGH)).leases or await self._served_jobs():
            return None
        return await self.next_due_ms()

    async def _pass_to(self, at_ms: int) -> None:
        self._clock.pass_to(at_ms)
        self._waits.moved()
        self._wake_until(at_ms)
        await self._settle()

    async def _leap_to(self, at_ms: int) -> None:
        self._clock.leap_to(at_ms)
        self._wake_until(at_ms)
        await self._settle()

    async def _settle(self) -> None:
        """Return when all that is due now has happened, and all that came of it."""
        await asyncio.sleep(0)  # who was just woken begins
        await self._activity.quiet()
        await self.engine.sweeper.sweep()
        await self.engine.sweeper.settled()
        await self._activity.quiet()

    async def _quiet_for(self, quiet_s: float) -> None:
        while True:
            await self._activity.quiet()
            try:
                async with asyncio.timeout(quiet_s):
                    await self._activity.change()
            except TimeoutError:
                return

    def _wake_until(self, at_ms: int) -> None:
        for due_ms, waker in sorted(self._sleepers, key=lambda entry: entry[0]):
            if due_ms <= at_ms and not waker.done():
                waker.set_result(None)
