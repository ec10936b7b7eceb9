"""Giving up what hangs: one timer for all requests in flight, because one for each would cost more than the look.

Every request has the same patience, so the one that began first is the first to be overdue.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Overdue:
    """Cancels tasks that are at work for longer than `limit_s`."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: dict[asyncio.Task[Any], float] = {}
        self._given_up: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> asyncio.Task[Any]:
        """Watch the current task from now on; return it."""
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        self._since[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._limit_s, self._look)
        return task

    def end(self, task: asyncio.Task[Any]) -> bool:
        """Watch a task no longer; return whether it was cancelled from here."""
        self._since.pop(task, None)
        if task not in self._given_up:
            return False
        self._given_up.remove(task)
        return True

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        for task, since in list(self._since.items()):
            left_s = since + self._limit_s - loop.time()
            if left_s > 0:
                self._timer = loop.call_later(left_s, self._look)
                return
            del self._since[task]
            self._given_up.add(task)
            task.cancel()
