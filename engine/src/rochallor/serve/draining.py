"""The engine on its way out: nobody is made to wait any more, and it says that it is not ready.

Commands still succeed while it drains; what ends are waits. Once nobody is connected, `Engine.stop` does the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rochallor.core.errors import Unavailable
from rochallor.ports import Clock, Entropy, Store
from rochallor.shell.engine import Engine
from rochallor.shell.settings import Settings
from rochallor.shell.views import AwaitView

RELEASE_EVERY_S = 0.02


class DrainingEngine(Engine):
    """An engine that can be told to let its callers go, before it is stopped."""

    def __init__(self, store: Store, *, clock: Clock, entropy: Entropy, settings: Settings) -> None:
        super().__init__(store, clock=clock, entropy=entropy, settings=settings)
        self.draining = False
        self._waits: set[asyncio.Timeout] = set()

    async def ready(self) -> None:
        """Return when new work is welcome; raises `Unavailable`."""
        if self.draining:
            raise Unavailable("the engine is shutting down; try another one, or again soon", retry_after_ms=1_000)
        await super().ready()

    async def await_instance(self, instance_id: str, *, wait_ms: int = 0, until: Sequence[str] = ()) -> AwaitView:
        """See `Engine.await_instance`; a drain ends the wait."""
        if self.draining or wait_ms <= 0:
            return await super().await_instance(instance_id, until=until)
        try:
            async with asyncio.timeout(None) as wait:
                self._waits.add(wait)
                return await super().await_instance(instance_id, wait_ms=wait_ms, until=until)
        except TimeoutError:
            return await super().await_instance(instance_id, until=until)
        finally:
            self._waits.discard(wait)

    async def drain(self) -> None:
        """Answer everybody who waits, now and for as long as this runs; cancel it when the last one is gone."""
        self.draining = True
        now = asyncio.get_running_loop().time()
        for wait in self._waits:
            wait.reschedule(now)
        while True:
            # Not once: a poll may be on its way to being parked. Releasing answers it, cancelling would lose its jobs.
            self.executor.polls.release()
            await asyncio.sleep(RELEASE_EVERY_S)
