"""Threads for handlers that block: the worker's own, so that no library's default pool is filled up by them.

They are daemons. A handler that hangs is reported and left behind; it must not keep the process from ending.

Threads are woken one after the other: whoever takes a function wakes the next thread if there is more to do. Handlers
that block let go of the interpreter, so the next thread runs at once; a row of quick ones is done by one thread before
another gets to run, where fifty threads woken at once would spend their time on taking turns.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Task = tuple[Callable[..., Any], tuple[Any, ...], contextvars.Context, "asyncio.Future[Any]"]


class Threads:
    """Runs functions on at most `size` threads, which are started when they are needed.

    Args:
        size: the most threads; there is one for every slot, so that no function waits for one.
        name: what the threads are called.

    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._tasks: deque[Task] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()  # a semaphore, but not one that is written in Python
        self._ringing = False
        self._closed = False
        self._started = 0
        self._busy = 0
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._told = False  # whether the loop has been asked to look at what is done

    def run(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Run a function on a thread, in the context of the caller; return what becomes of it."""
        future = asyncio.get_running_loop().create_future()
        self._tasks.append((function, arguments, contextvars.copy_context(), future))
        self._busy += 1
        if self._busy > self._started and self._started < self._size:
            self._started += 1
            name = f"{self._name}-{self._started}"
            threading.Thread(target=self._work, args=(future.get_loop(),), name=name, daemon=True).start()
        else:
            self._ring()
        return future

    def close(self) -> None:
        """Let the threads end when they have nothing left to do."""
        self._closed = True
        for _ in range(self._started):
            self._bell.put(None)

    def _ring(self) -> None:
        """Wake one thread, unless one is just waking up: it will look at what there is to do, and ring again."""
        if not self._ringing:
            self._ringing = True
            self._bell.put(None)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            while self._tasks:
                try:
                    task = self._tasks.popleft()
                except IndexError:
                    break  # another thread was quicker
                if self._tasks:
                    self._ring()
                if not self._done_by(loop, task):
                    return
                del task
            if self._closed:
                return
            self._bell.get()
            self._ringing = False  # before looking: what comes from now on rings again

    def _done_by(self, loop: asyncio.AbstractEventLoop, task: Task) -> bool:
        """Do a task and have its result delivered; return False when nobody waits for results any more."""
        function, arguments, context, future = task
        try:
            self._done.append((future, context.run(function, *arguments), None))
        except BaseException as error:  # noqa: BLE001 - the future raises it again where it is waited for
            self._done.append((future, None, error))
        if not self._told:
            self._told = True
            try:
                loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:
                return False  # the loop is closed
        return True

    def _deliver(self) -> None:
        """Hand over all that is done; one wake-up of the loop may serve many results."""
        self._told = False  # before looking: what is done from now on asks again
        while self._done:
            future, result, error = self._done.popleft()
            self._busy -= 1
            if future.done():  # cancelled
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
