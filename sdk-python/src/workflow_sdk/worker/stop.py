"""How a runner learns that it should stop: the caller's event, or a signal on the main thread."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopEvent(Protocol):
    """What a caller may pass: a `threading.Event`, or anything else that answers `is_set()`."""

    def is_set(self) -> bool:
        """Return whether to stop."""
        ...


class Stop:
    """Set once, for good, by the caller's event or by a signal; a second signal means: now."""

    def __init__(self, event: StopEvent | None) -> None:
        self._event = event
        self._signals = 0

    def is_set(self) -> bool:
        """Return whether to stop claiming."""
        return self._signals > 0 or (self._event is not None and self._event.is_set())

    @property
    def hurry(self) -> bool:
        """Whether even the jobs under way should not be waited for."""
        return self._signals > 1

    def on_signal(self) -> None:
        """Note a signal. Takes no lock: the interrupted thread may hold it."""
        self._signals += 1

    def wait(self, seconds: float) -> None:
        """Pause; a caller that pauses for long looks at `is_set` in between."""
        time.sleep(seconds)


@contextmanager
def stopped_by_signals(stop: Stop) -> Generator[None, None, None]:
    """Let SIGTERM and SIGINT set `stop`, beside what the application does with them.

    Off the main thread, where Python allows no handlers, this changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    ours = [number for number, handler in before.items() if handler is not signal.SIG_IGN and handler is not None]
    try:
        for number in ours:
            signal.signal(number, _handler(stop, before[number]))
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


def _handler(stop: Stop, application: Any) -> Callable[[int, FrameType | None], None]:
    # Python's own SIGINT handler would raise KeyboardInterrupt into the middle of a claim.
    chained = callable(application) and application is not signal.default_int_handler

    def handle(number: int, frame: FrameType | None) -> None:
        stop.on_signal()
        if chained:
            application(number, frame)

    return handle
