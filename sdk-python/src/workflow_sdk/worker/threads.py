"""Threads for handlers that block: the worker's own, so that no library's default pool is filled up by them.

They are daemons. A handler that hangs is reported and left behind; it must not keep the process from ending.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Task = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Threads:
    """Runs functions on at most `size` threads, which are started when they are needed.

    Args:
        size: the most threads; there is one for every slot, so that no function waits for one.
        name: what the threads are called.

    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._started = 0
        self._busy = 0
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._told = False  # whether the loop has been asked to look at what is done

    def run(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Run a function on a thread, in the context of the caller; return what becomes of it."""
        future = asyncio.get_running_loop().create_future()
        context = contextvars.copy_context()
        self._busy += 1
        if self._busy > self._started and self._started < self._size:
            self._started += 1
            name = f"{self._name}-{self._started}"
            threading.Thread(target=self._work, args=(future.get_loop(),), name=name, daemon=True).start()
        self._tasks.put((lambda: context.run(function, *arguments), future))
        return future

    def close(self) -> None:
        """Let the threads end when they have nothing left to do."""
        for _ in range(self._started):
            self._tasks.put(None)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while (task := self._tasks.get()) is not None:
            call, future = task
            try:
                self._done.append((future, call(), None))
            except BaseException as error:  # noqa: BLE001 - the future raises it again where it is waited for
                self._done.append((future, None, error))
            del call, future, task
            if not self._told:
                self._told = True
                try:
                    loop.call_soon_threadsafe(self._deliver)
                except RuntimeError:
                    return  # the loop is closed: nobody waits for this any more

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
