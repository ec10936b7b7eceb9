"""The rest of the world: a service that workers call. It remembers every effect by its key and can hold a caller.

It lives in the driver's process, so it outlives every engine, worker and database that is killed, and a handler that
waits for its answer is known to be in the middle of its work.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Self

ADDRESS = "E2E_BANK"
"""The environment variable in which workers find the bank's port."""


class Call(NamedTuple):
    """One call of one handler. `key` is the same for every delivery of one entry into a step."""

    root: str
    job_type: str
    key: str


Hook = Callable[[], Awaitable[None]]


class Bank:
    """Counts calls. `async with` it; `port` is where workers find it."""

    def __init__(self) -> None:
        self.port = 0
        self._calls: list[Call] = []
        self._hooks: dict[tuple[str, int], Hook] = {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def at_call(self, root: str, number: int, hook: Hook) -> None:
        """Run `hook` when the journey `root` calls for the `number`-th time, before the caller is answered."""
        self._hooks[root, number] = hook

    def calls_of(self, root: str) -> list[Call]:
        """Return the calls of a journey, in order."""
        return [call for call in self._calls if call.root == root]

    def effects_of(self, root: str) -> Counter[str]:
        """Return how many different things were done for a journey, by job type."""
        return Counter(call.job_type for call in set(self.calls_of(root)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The caller may be killed before it says anything, which then was not done, and while it waits.
        with suppress(ConnectionError):
            line = await reader.readline()
            if line:
                await self._take(Call(**json.loads(line)))
            writer.write(b"{}\n")
            await writer.drain()
        writer.close()

    async def _take(self, call: Call) -> None:
        self._calls.append(call)
        hook = self._hooks.pop((call.root, len(self.calls_of(call.root))), None)
        if hook is not None:
            await hook()


async def tell(ctx: Any) -> None:
    """Do a job's effect, from within a handler: the bank hears of it under the job's idempotency key.

    A journey is known by its business key, which a chained child shares with its parent.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ[ADDRESS]))
    call = Call(ctx.business_key, ctx.job_type, ctx.idempotency_key)
    writer.write(json.dumps(call._asdict()).encode() + b"\n")
    if not await reader.readline():
        raise ConnectionError("the bank is gone")
    writer.close()
