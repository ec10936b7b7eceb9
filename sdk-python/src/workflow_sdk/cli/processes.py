"""The worker processes that a family consists of, as operating-system processes.

Belongs here: how one is started, and what it inherits. When one is started or ended is `family`'s business.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from workflow_sdk.cli.child import orders
from workflow_sdk.cli.options import Settings


class Process(Protocol):
    """What is asked of a running process; `subprocess.Popen` can do it."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit code, None while it runs; negative: the signal that ended it."""

    def send_signal(self, sig: int, /) -> None:
        """Send a signal, unless it has ended."""


Start = Callable[[int], Process]
"""Starts worker process number n, from 0."""


def starter(settings: Sequence[Settings], listeners: Sequence[socket.socket]) -> Start:
    """Return what starts the processes. Call it once: it keeps a pipe for as long as this process lives.

    Args:
        settings: for each process its own.
        listeners: for each process its health port, or nothing at all.

    """
    told, _kept_open = os.pipe()

    def start(number: int) -> Process:
        files = [listeners[number].fileno()] if listeners else []
        argument = orders(settings[number], files[0] if files else None)
        return subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "workflow_sdk.cli.child", argument],
            stdin=told,  # never written to; its end tells the process that we are gone
            env=_environment(settings[number]),
            pass_fds=files,
            start_new_session=True,  # Ctrl-C in a terminal reaches us alone: twice would mean "at once" to a worker
        )

    return start


def _environment(settings: Settings) -> dict[str, str]:
    # Compiled modules are told apart by whole seconds; an edit may follow another within one.
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"} if settings.reload else dict(os.environ)
