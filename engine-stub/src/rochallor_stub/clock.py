"""Time that moves when it is told to, and chance that is the same every time.

Nothing in here knows when time ought to move (`timekeeper`), or who waits for it (`waits`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from random import Random

from rochallor_stub.errors import StubError

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: a stub's first moment, unless it is told another one."""

FIRST_MS, LAST_MS = -62_135_596_800_000, 253_370_764_799_999
"""Between these the clock may be. The last year that a date can have is left for what is due after the last moment."""
MOST_SECONDS = (LAST_MS - FIRST_MS) / 1000
REACH = "it goes from 0001-01-01 to 9998-12-31"
_ID_BITS = 80
_drawer: ContextVar[str] = ContextVar("drawer", default="")


def milliseconds(seconds: float) -> int:
    """Return a distance in time in ms; raises `StubError` when no two moments are so far apart."""
    if not abs(seconds) <= MOST_SECONDS:
        raise StubError(f"{seconds:g} s is longer than all the time that the stub's clock has; {REACH}")
    return round(seconds * 1000)


def reachable(at_ms: int) -> int:
    """Return a moment; raises `StubError` when the clock cannot be there."""
    if not FIRST_MS <= at_ms <= LAST_MS:
        raise StubError(f"the stub's clock cannot go there: {REACH}; go a shorter way")
    return at_ms


class VirtualClock:
    """A `rochallor.ports.Clock`. `passed_ms` is how much time was let pass, of which leaps and jumps are no part."""

    def __init__(self, start_ms: int = START_MS) -> None:
        self.at_ms = start_ms
        self.passed_ms = 0

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, UTC."""
        return self.at_ms

    def pass_to(self, at_ms: int) -> None:
        """Let time pass until then; whoever waits has waited so much longer."""
        self.passed_ms += at_ms - self.at_ms
        self.at_ms = at_ms

    def leap_to(self, at_ms: int) -> None:
        """Be at another time, as if nobody had waited for it."""
        self.at_ms = at_ms


class SeededChance:
    """A `rochallor.ports.Entropy` of which every number follows from the seed and from what was asked before it.

    How often an idle worker polls must not decide which id the next instance gets, and is nobody's to control. So each
    operation draws from a sequence of its own, and the chance of a batch (the jitter of a retry) follows from the time.
    """

    def __init__(self, seed: int, clock: VirtualClock) -> None:
        self._seed = seed
        self._clock = clock
        self._sequences: dict[str, Random] = {}

    def bits(self, count: int) -> int:
        """Return `count` random bits as a number."""
        drawer = _drawer.get()
        if not drawer and count < _ID_BITS:
            return self._of_the_moment(count)
        if drawer not in self._sequences:
            self._sequences[drawer] = Random(f"{self._seed}/{drawer}")  # noqa: S311 - the point is to be predictable
        return self._sequences[drawer].getrandbits(count)

    def _of_the_moment(self, count: int) -> int:
        text = f"{self._seed}/{self._clock.at_ms}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest()) >> (128 - count)


@contextmanager
def drawing(operation: str) -> Iterator[None]:
    """Let chance that is drawn inside come from the sequence of `operation`."""
    token = _drawer.set(operation)
    try:
        yield
    finally:
        _drawer.reset(token)
