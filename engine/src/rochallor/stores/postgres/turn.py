"""One turn at a connection that writes: a transaction, or a single statement that is one by itself.

BEGIN and COMMIT are a round trip each, in which the database waits for the engine and the engine for the database. Most
of what a busy engine writes is one statement, so it is asked without them. Then the statement alone must be all or
nothing, and a connection that dies under it leaves open what became of it, as one that dies under COMMIT does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rochallor.core.errors import Unavailable
from rochallor.ports import StoreConflict
from rochallor.stores.postgres.connect import Line, translated

FRESH_S = 0.05
"""After a longer silence a turn begins with BEGIN even for one statement: that finds a dead connection before anything
is at stake."""


class Turn:
    """What is asked of a connection between two commits. `fresh` tells that its connection answered a moment ago."""

    def __init__(self, line: Line, *, fresh: bool) -> None:
        self._line = line
        self._fresh = fresh
        self._connection: Any = None

    async def within(self) -> Any:
        """Return the connection, inside a transaction; raises `Unavailable`."""
        if self._connection is None:
            self._connection = await self._begun()
        return self._connection

    async def alone(self) -> Any:
        """Return the connection for a statement that can do without a transaction; in one, if one has begun."""
        if self._connection is not None or not self._fresh:
            return await self.within()
        return await self._line.get()

    async def commit(self) -> None:
        """End the transaction, if there is one; raises `Unavailable` and, if a statement in it failed, a conflict."""
        if self._connection is None:
            return
        with translated():
            outcome = await self._connection.execute("COMMIT")
        if outcome != "COMMIT":
            raise StoreConflict("a statement of this transaction had failed before")

    async def roll_back(self) -> None:
        """Undo what is open; a connection on which that fails is not used again."""
        connection = self._connection
        if connection is None:
            return
        if connection.is_closed():
            self._line.drop()
            return
        try:
            with translated():
                await connection.execute("ROLLBACK", timeout=5)
        except Unavailable:
            self._line.drop()
        except BaseException:
            self._line.drop()
            raise

    async def _begun(self) -> Any:
        writer = await self._line.get()
        try:
            with translated():
                await writer.execute("BEGIN")
        except Unavailable:
            # It was lost while nothing happened (a restart of the server): nothing is at stake, so connect again.
            self._line.drop()
            writer = await self._line.get()
            with translated():
                await writer.execute("BEGIN")
        return writer


class Seat:
    """A connection that writes, `line`, and the turns at it, one after another."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._taken = asyncio.Lock()
        self._is_open = False
        self._answered_s = -FRESH_S

    async def open(self) -> Any:
        """Let turns be taken, and return the connection; raises `Unavailable`."""
        self._is_open = True
        return await self.line.get()

    async def close(self) -> None:
        """Let the turn at work end, then disconnect; a second call does nothing."""
        async with self._taken:
            self._is_open = False
            await self.line.close()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Take the next turn, and commit at its end; raises `Unavailable`."""
        loop = asyncio.get_running_loop()
        async with self._taken:
            if not self._is_open:
                raise Unavailable("the store is not open")
            turn = Turn(self.line, fresh=loop.time() - self._answered_s < FRESH_S)
            try:
                yield turn
                await turn.commit()
            except Unavailable:
                # Also when the server answers, but has become read-only or lets us wait: connect anew, maybe elsewhere.
                self.line.drop()
                raise
            except BaseException:
                await turn.roll_back()
                raise
            self._answered_s = loop.time()
