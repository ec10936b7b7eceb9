"""How a process of ours learns that it should end: SIGTERM, Ctrl-C, or the end of the process that looks after it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# What may still take time once the runner has returned: a handler that ignores its cancellation, exit hooks.
LAST_SECONDS = 10.0
# The same after a second signal.
HURRIED_SECONDS = 1.0


class Stopping:
    """Counts the wishes to end. It is the stop event of a `Runner`: whatever else that does with signals, this is set.

    It takes no lock, because the thread that a signal interrupts may hold it.
    """

    def __init__(self) -> None:
        self.wishes = 0

    def is_set(self) -> bool:
        """Return whether somebody wants this process to end."""
        return self.wishes > 0

    def note(self) -> None:
        """Note a wish."""
        self.wishes += 1

    def on_signals(self, on_second: Callable[[], object] | None = None) -> None:
        """Note every SIGTERM and SIGINT from now on, and call `on_second` at the second. For the main thread."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.note()
            if self.wishes > 1 and on_second is not None:
                on_second()

        for number in _SIGNALS:
            signal.signal(number, handle)

    def when_ends(self, pipe: int) -> None:
        """Note a wish when this pipe ends, because its other end was held by a process that is gone."""

        def watch() -> None:
            while os.read(pipe, 64):
                pass
            self.note()

        threading.Thread(target=watch, name="workflow-parent", daemon=True).start()


def leave_within(seconds: float) -> None:
    """Let the system end this process by SIGALRM if it has not ended by itself until then.

    Python joins every thread on its way out, and a handler that blocks for ever would keep a process that nobody
    talks to any more.
    """
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
