"""What the tests of a running engine share: servers in the test's own loop, and processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from rochallor.cli.remote import RemoteEngine
from rochallor.config import Config
from rochallor.serve import Server
from rochallor.stores.sqlite import SqliteStore

from engine.tests.plugins.processes import rochallor  # noqa: F401 - a fixture

FREE_PORTS = {"rest_port": 0, "grpc_port": 0, "metrics_port": 0}
HELLO = {
    "id": "hello",
    "name": "Hello",
    "steps": [
        {"id": "greet", "name": "Greet", "type": "SERVICE_TASK", "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}
StartServer = Callable[..., Awaitable[Server]]


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """Start servers on free ports; what is still running at the end is stopped."""
    servers: list[Server] = []

    async def start(path: str | Path = ":memory:", **options) -> Server:
        server = Server(Config(**FREE_PORTS), SqliteStore(str(path)), **options)
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()


class Remote:
    """`RemoteEngine` for tests that live in the server's own loop."""

    def __init__(self, url: str) -> None:
        self._engine = RemoteEngine(url)

    async def get(self, *path: str, **query: object) -> object:
        return await asyncio.to_thread(self._engine.get, *path, query=query)

    async def post(self, *path: str, **body: object) -> object:
        return await asyncio.to_thread(self._engine.post, *path, body=body)


@pytest.fixture
def remote() -> Callable[[Server], Remote]:
    return lambda server: Remote(server.addresses.rest)


@pytest.fixture
def hello() -> dict[str, object]:
    """A workflow with one job."""
    return HELLO
