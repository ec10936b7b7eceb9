"""One engine with its doors: store, engine, REST, gRPC, metrics on one event loop, started and stopped in order.

Start: store and engine, then listeners; whoever can connect finds an engine that works. Stop: not ready, no new
connections, waits answered at once, requests in flight finished, then engine and store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from rochallor.config import Config
from rochallor.ports import Clock, Entropy, Store
from rochallor.serve.draining import DrainingEngine
from rochallor.serve.lines import Lines, NoLines
from rochallor.serve.listener import Listener
from rochallor.serve.metrics_app import MetricsApp
from rochallor.serve.observers import observe_grpc, observe_rest
from rochallor.shell.clocks import SystemClock, SystemEntropy
from rochallor.transports.grpc import Health, bind, create_server
from rochallor.transports.rest import create_app

GRACE_S = 30


class Addresses(NamedTuple):
    """Where a running server is reached: two URLs and a gRPC target."""

    rest: str
    grpc: str
    metrics: str


class Server:
    """One engine process over one store. After `start`, `addresses` says where; `stop` may be called at any time."""

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        host: str = "127.0.0.1",
        cors_origins: Sequence[str] = (),
        lines: Lines | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        grace_s: int = GRACE_S,
    ) -> None:
        self._config = config
        self._host = host
        self._grace_s = grace_s
        self._lines = lines or NoLines()
        self._cors_origins = cors_origins
        self._stops: list[Callable[[], Awaitable[object]]] = []
        self.addresses = Addresses("", "", "")
        self.engine = DrainingEngine(
            store, clock=clock or SystemClock(), entropy=entropy or SystemEntropy(), settings=config.settings
        )
        self.engine.executor.after_commit.append(self._lines.steps)

    async def start(self) -> Addresses:
        """Start everything; raises `OSError` or `WorkflowError` when a part cannot, the others are stopped then."""
        await self.engine.start()
        try:
            rest = await self._start_http(self._rest_app(), self._config.rest_port)
            grpc = await self._start_grpc(self._config.grpc_port)
            metrics = await self._start_http(MetricsApp(self.engine), self._config.metrics_port)
        except BaseException:
            await self.stop()
            raise
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.addresses = Addresses(f"http://{host}:{rest}", f"{host}:{grpc}", f"http://{host}:{metrics}/metrics")
        return self.addresses

    async def stop(self) -> None:
        """Stop everything, within the grace for requests in flight."""
        draining = asyncio.create_task(self.engine.drain())
        try:
            await asyncio.gather(*(stop() for stop in self._stops))
        finally:
            draining.cancel()
            with suppress(asyncio.CancelledError):
                await draining
            await self.engine.stop()

    def _rest_app(self) -> object:
        observe = observe_rest(self.engine.metrics, self._lines)
        return create_app(self.engine, cors_origins=self._cors_origins, observe=observe)

    async def _start_http(self, app: object, port: int) -> int:
        listener = Listener(app, grace_s=self._grace_s)
        bound = await listener.start(self._host, port)
        self._stops.append(listener.stop)
        return bound

    async def _start_grpc(self, port: int) -> int:
        health = Health(self.engine)
        server = create_server(self.engine, health=health, observe=observe_grpc(self.engine.metrics, self._lines))
        bound = bind(server, self._host, port)
        await server.start()

        async def stop() -> None:
            health.stop()
            await server.stop(self._grace_s)

        self._stops.append(stop)
        return bound
