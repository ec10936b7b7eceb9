"""How long callers wait: a long poll or an `await` ends when its time has passed, whichever clock it passed on.

What is waited for is the sum of both: virtual seconds, because a test that advances the clock past a poll's `waitMs`
expects its empty answer, and real seconds, because a worker whose test never moves the clock must not hang. A clock
that is set, or leaps by itself, has let nobody wait.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rochallor_stub.activity import Activity
from rochallor_stub.clock import VirtualClock

_MS = 1_000


class VirtualWaits:
    """The engine's `Waits`. While somebody is `impatient`, nobody waits at all."""

    def __init__(self, clock: VirtualClock, activity: Activity) -> None:
        self._clock = clock
        self._activity = activity
        self._alarms: set[_Alarm] = set()
        self._impatient = 0

    def time(self) -> float:
        """Return seconds of both clocks together."""
        return math.inf if self._impatient else asyncio.get_running_loop().time() + self._clock.passed_ms / _MS

    def call_at(self, when: float, callback: Callable[..., object], *args: object) -> _Alarm:
        """Have `callback` called once `time()` has reached `when`."""
        alarm = _Alarm(when, lambda: callback(*args), self._end)
        self._alarms.add(alarm)
        self._activity.began_waiting()
        alarm.arm(self.time())
        return alarm

    def moved(self) -> None:
        """The virtual clock has moved: call what is due, and wait less for the rest."""
        for alarm in sorted(self._alarms, key=lambda alarm: alarm.when):
            alarm.arm(self.time())

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Answer everybody who waits, and let nobody wait until the end."""
        self._impatient += 1
        self.moved()
        try:
            yield
        finally:
            self._impatient -= 1

    def _end(self, alarm: _Alarm) -> None:
        if alarm in self._alarms:
            self._alarms.discard(alarm)
            self._activity.waiting -= 1


class _Alarm:
    """One wait. It is over when it is called or cancelled, whichever comes first."""

    def __init__(self, when: float, callback: Callable[[], object], end: Callable[[_Alarm], None]) -> None:
        self.when = when
        self._callback = callback
        self._end = end
        self._handle: asyncio.TimerHandle | None = None

    def arm(self, now: float) -> None:
        """Set the real timer to what is left, or call at once."""
        if self._handle is not None:
            self._handle.cancel()
        if now >= self.when:
            self._call()
        else:
            self._handle = asyncio.get_running_loop().call_later(self.when - now, self._call)

    def cancel(self) -> None:
        """Do not call any more."""
        if self._handle is not None:
            self._handle.cancel()
        self._end(self)

    def _call(self) -> None:
        self._end(self)
        self._callback()
