"""The thread on which leases are kept, with a loop and a connection of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from workflow_sdk.worker.leases import Leases
from workflow_sdk.worker.ports import Port


class Heart:
    """Beats from `start` to `stop`.

    Args:
        leases: what is kept.
        connect: makes a port that nobody else uses; called on the thread.
        name: what the thread is called.

    """

    def __init__(self, leases: Leases, connect: Callable[[], Port], name: str) -> None:
        self._leases = leases
        self._connect = connect
        self._beating: asyncio.Task[None] | None = None
        self._started = threading.Event()
        self._ended = asyncio.get_running_loop().create_future()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()
        self._started.wait()

    async def stop(self) -> None:
        """End it, and wait until it has."""
        assert self._beating is not None, "it was started"
        with suppress(RuntimeError):  # it has ended by itself: the engine cannot extend leases
            self._beating.get_loop().call_soon_threadsafe(self._beating.cancel)
        await self._ended

    def _run(self) -> None:
        try:
            asyncio.run(self._beat())
        finally:
            self._started.set()
            with suppress(RuntimeError):  # the worker did not wait for it
                self._ended.get_loop().call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    async def _beat(self) -> None:
        self._beating = asyncio.current_task()
        self._started.set()
        port = self._connect()
        try:
            with suppress(asyncio.CancelledError):  # the way it is told to stop
                await self._leases.run(port)
        finally:
            await port.close()
