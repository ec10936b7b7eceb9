"""What the tests of a running engine share: a server in this loop, and one in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Queue

import pytest

from rochallor.cli.remote import RemoteEngine
from rochallor.config import Config
from rochallor.serve import Server
from rochallor.stores.sqlite import SqliteStore

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
        if not server.engine.draining:
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


class Process:
    """A `rochallor` command in a process of its own; `url` and the like appear when it says that it is ready."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WE_")}
        free_ports = {"WE_REST_PORT": "0", "WE_GRPC_PORT": "0", "WE_METRICS_PORT": "0"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rochallor", *arguments],
            cwd=folder,
            env={**inherited, **free_ports, "WE_LOG_FORMAT": "json", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: Queue[str | None] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.put(line)
        self.lines.put(None)

    def until(self, event: str) -> dict[str, object]:
        """Return the log line of this event."""
        seen = []
        while (line := self.lines.get(timeout=30)) is not None:
            seen.append(line)
            with suppress(ValueError):
                entry = json.loads(line)
                if entry.get("event") == event:
                    return entry
        raise AssertionError(f"the process ended without {event!r}:\n{''.join(seen)}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Return the exit code."""
        return self.process.wait(timeout=30)


@pytest.fixture
def rochallor(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start `rochallor …` processes; what is still running at the end is killed."""
    started: list[Process] = []

    def start(*arguments: str, **variables: str) -> Process:
        started.append(Process(tmp_path, *arguments, **variables))
        return started[-1]

    yield start
    for process in started:
        process.process.kill()
        process.process.wait()
        process.process.stdout.close()
