"""Waiting for as long as the client does: a long poll whose client is gone must not claim jobs for nobody.

Most waits end at once, so a watcher is started only after `PATIENCE_S`; an ordinary request costs one timer, no task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.types import Receive

from rochallor.transports.rest.errors import ClientGone

PATIENCE_S = 0.02
T = TypeVar("T")


async def while_present(receive: Receive, work: Awaitable[T]) -> T:
    """Return what `work` returns; cancel it and raise `ClientGone` when the client goes away first."""
    me = asyncio.current_task()
    assert me is not None
    watch = _Watch(receive, me)
    timer = asyncio.get_running_loop().call_later(PATIENCE_S, watch.begin)
    try:
        return await work
    except asyncio.CancelledError:
        if not watch.gone:
            raise
        me.uncancel()
        raise ClientGone from None
    finally:
        timer.cancel()
        watch.end()


class _Watch:
    """Cancels `task` once the client has gone."""

    def __init__(self, receive: Receive, task: asyncio.Task[object]) -> None:
        self.gone = False
        self._receive = receive
        self._task = task
        self._watcher: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._look())

    def end(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()

    async def _look(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self._task.cancel()
