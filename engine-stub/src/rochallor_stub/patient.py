"""The sweeper of an engine whose time stands still: it looks when it is told to, not when a real second has passed."""

from __future__ import annotations

import asyncio
from typing import Any

from rochallor.shell.sweeper import Sweeper


class PatientSweeper(Sweeper):
    """Sweeps when asked, and when a commit has planned something; never twice at the same time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Look at what commits have planned, for ever."""
        while True:
            await self._sooner.wait()
            self._sooner.clear()
            await self.sweep()

    async def sweep(self) -> None:
        """Do all that is due now."""
        async with self._turn:
            await super().sweep()
