"""An engine over the memory store whose time moves only when a test says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from rochallor.shell.engine import Engine
from rochallor.shell.requests import Poll
from rochallor.shell.settings import Settings
from rochallor.stores.memory import MemoryStore

NOW_MS = 1_790_000_000_000


class HandClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.at_ms = NOW_MS

    def now_ms(self) -> int:
        return self.at_ms


class Counting:
    """Chance that counts: every number once."""

    def __init__(self) -> None:
        self.last = 0

    def bits(self, count: int) -> int:
        self.last += 1
        return self.last % (1 << count)


class House:
    """An engine and what tests do with it all the time."""

    def __init__(self, store: Any, settings: Settings) -> None:
        self.clock = HandClock()
        self.engine = Engine(store, clock=self.clock, entropy=Counting(), settings=settings)

    async def upload(self, *steps: dict[str, Any], id: str = "flow", **fields: Any) -> None:  # noqa: A002
        named = [{"name": step["id"], **step} for step in steps]
        await self.engine.upload_definition(json.dumps({"id": id, "name": id, "steps": named, **fields}).encode())

    async def start(self, id: str = "flow", **arguments: Any) -> str:  # noqa: A002
        return (await self.engine.start_instance(id, **arguments)).id

    async def poll(self, *types: str, **fields: Any) -> list[Any]:
        poll = Poll(worker_id="w", job_types=list(types), **fields)
        return await self.engine.poll_jobs(poll, default_max_jobs=10)

    async def parked(self, *types: str, **fields: Any) -> asyncio.Task[list[Any]]:
        """Return a poll that has found nothing and waits."""
        waits = asyncio.Event()
        self.engine.executor.polls.parked.announce = lambda _types: waits.set()
        poll = asyncio.create_task(self.poll(*types, wait_ms=30_000, **fields))
        await asyncio.wait_for(waits.wait(), 5)
        return poll

    async def status(self, instance_id: str) -> str:
        return (await self.engine.get_instance(instance_id)).status

    async def pass_time(self, ms: int) -> None:
        self.clock.at_ms += ms
        await self.engine.sweeper.sweep()


TASK = {"id": "work", "type": "SERVICE_TASK", "retryCount": 1, "nextStep": "end"}
END = {"id": "end", "type": "END"}


@pytest.fixture(params=[False, True], ids=["riding", "apart"])
async def houses(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Any]]:
    """Builds running engines, each over a fresh memory store unless told otherwise.

    Once with polls that ride with commands, as on SQLite, and once with claims beside them, as on PostgreSQL.
    """
    built: list[House] = []

    async def build(store: Any = None, **settings: Any) -> House:
        store = store or MemoryStore()
        store.claims_apart = request.param
        house = House(store, Settings(**settings))
        await house.engine.start()
        built.append(house)
        return house

    yield build
    for house in built:
        await house.engine.stop()


@pytest.fixture
async def house(houses: Callable[..., Any]) -> House:
    """One running engine with the default settings."""
    return await houses()
