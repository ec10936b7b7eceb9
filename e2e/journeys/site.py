"""One cell of the matrix: engines on a store, a worker and a client, all of them real, over one transport."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from rochallor.config import Config
from workflow_sdk.client.async_grpc import AsyncGrpcEngineClient
from workflow_sdk.client.async_rest import AsyncRestEngineClient
from workflow_sdk.retry.policy import Retries

from e2e.faults.places import PostgresPlace, SqlitePlace, variables_of
from e2e.faults.process import READY_S, Child, at_ports, free_port
from e2e.faults.wire import Client, Lost
from e2e.journeys.bank import ADDRESS

AsyncClient = AsyncRestEngineClient | AsyncGrpcEngineClient
READY_PAUSE_S = 0.02


class Cell(NamedTuple):
    """Where journeys are played. With two engines the worker talks to the first and everybody else to the second."""

    store: str
    transport: str
    engines: int = 1

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{f'{self.engines}x' if self.engines > 1 else ''}{self.store}/{self.transport}"


class ServedEngine(Child):
    """`rochallor serve` on two ports that stay its own."""

    def __init__(self, config: Config, log: Path) -> None:
        self.port, self.grpc_port = free_port(), free_port()
        super().__init__(at_ports(self.port, self.grpc_port) | variables_of(config), log)

    async def start(self) -> None:
        """Start; return when it serves."""
        await self.spawn("-m", "rochallor", "serve")
        await self.ready()

    async def ready(self) -> None:
        """Return when it says that it is ready, its store included."""
        client = Client(self.port)
        async with asyncio.timeout(READY_S):
            while not await _is_ready(client):
                if not self.running:
                    raise RuntimeError(f"an engine ended while starting; {self.said}")
                await asyncio.sleep(READY_PAUSE_S)
        client.close()

    def url(self, transport: str) -> str:
        """Where it answers over a transport."""
        return f"grpc://127.0.0.1:{self.grpc_port}" if transport == "grpc" else f"http://127.0.0.1:{self.port}"


class Worker(Child):
    """An SDK worker: the command, or with short leases a module of ours."""

    def __init__(self, url: str, bank_port: int, log: Path, *, short_leases: bool) -> None:
        super().__init__({ADDRESS: str(bank_port)}, log)
        command = ("workflow_sdk.cli", "run", "e2e.journeys.handlers:registry", "--engine")
        self._arguments = ("-m", *(("e2e.journeys.worker",) if short_leases else command), url)

    async def start(self) -> None:
        """Start; it serves when it is ready, and jobs wait for it."""
        await self.spawn(*self._arguments)


class Site:
    """The processes of a cell. `async with` it; leaving it ends them properly and throws the store away."""

    def __init__(
        self, cell: Cell, place: SqlitePlace | PostgresPlace, folder: Path, *, bank_port: int, short_leases: bool
    ) -> None:
        self.cell = cell
        self.place = place
        self.engines: list[ServedEngine] = []
        self._folder = folder / cell.name.replace("/", "-")
        self._bank_port = bank_port
        self._short_leases = short_leases

    async def __aenter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        config = await self.place.fresh()
        self.engines = [ServedEngine(config, self._folder / f"engine-{n}.log") for n in range(self.cell.engines)]
        for engine in self.engines:  # one after the other: the first makes the tables
            await engine.start()
        url = self.engines[0].url(self.cell.transport)
        self.worker = Worker(url, self._bank_port, self._folder / "worker.log", short_leases=self._short_leases)
        await self.worker.start()
        self.client = _client(self.engines[-1].url(self.cell.transport))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.close()
        # All at once: a worker's last poll would be held for seconds by an engine that serves on.
        children = (self.worker, *self.engines)
        await asyncio.gather(*(child.kill() if error else child.stop() for child in children))
        for child in children:
            if error is None and child.exit_code != 0:
                raise RuntimeError(f"told to stop, a process ended with {child.exit_code}; {child.said}")

    async def ready(self) -> None:
        """Return when every engine is."""
        for engine in self.engines:
            await engine.ready()


def _client(url: str) -> AsyncClient:
    scheme, _, target = url.partition("://")
    # Whoever waits goes on waiting, whatever is killed meanwhile; how long is the player's to say.
    patient = Retries(attempts=10_000, longest_seconds=0.1)
    if scheme == "grpc":
        return AsyncGrpcEngineClient(target, retries=patient)
    return AsyncRestEngineClient(url, retries=patient)


async def _is_ready(client: Client) -> bool:
    try:
        return (await client.call("GET", "/readyz")).ok
    except Lost:
        return False
