"""One engine with its doors: store, engine, REST, gRPC, metrics on one event loop, started and stopped in order.

Start: store and engine, then listeners; whoever can connect finds an engine that works. Stop: not ready, no new
connections, waits answered at once, requests in flight finished, then engine and store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from rochallor.config import Config
from rochallor.ports import Clock, Entropy, Store
from rochallor.serve.connection import Limits, spare_descriptors
from rochallor.serve.express import HotDoor
from rochallor.serve.lines import Lines, NoLines
from rochallor.serve.listener import Listener
from rochallor.serve.metrics_app import EngineMetrics, MetricsPage
from rochallor.serve.observers import observe_grpc, observe_rest
from rochallor.serve.plan import is_loopback
from rochallor.serve.security import OPEN_DOORS, Security
from rochallor.serve.tracing import Tracing
from rochallor.shell.clocks import SystemClock, SystemEntropy
from rochallor.shell.engine import Engine
from rochallor.transports.grpc import Health, bind, create_server
from rochallor.transports.rest import RestApp, create_app

GRACE_S = 30


class Addresses(NamedTuple):
    """Where a running server is reached: two URLs and a gRPC target."""

    rest: str
    grpc: str
    metrics: str


class Server:
    """One engine process over one store. After `start`, `addresses` says where; `stop` may be called at any time.

    One of many shares its ports with others and has no door for metrics; whoever looks after them asks for its page.
    """

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
        security: Security = OPEN_DOORS,
        limits: Limits | None = None,
        tracing: Tracing | None = None,
        is_one_of_many: bool = False,
    ) -> None:
        self._config = config
        self._host = host
        self._grace_s = grace_s
        self._lines = lines or NoLines()
        self._security = security
        self._limits = limits or spare_descriptors(Limits())
        self._cors_origins = cors_origins
        self._is_one_of_many = is_one_of_many
        self._stopped = False
        self._stops: list[Callable[[], Awaitable[object]]] = []
        self.addresses = Addresses("", "", "")
        self.engine = Engine(
            store, clock=clock or SystemClock(), entropy=entropy or SystemEntropy(), settings=config.settings
        )
        self.engine.executor.after_commit.append(self._lines.steps)
        self._tracing = tracing
        if tracing is not None:
            self.engine.traceparent_of = tracing.traceparent_of
            self.engine.executor.after_commit.append(tracing.committed)
        self.metrics_page = EngineMetrics(self.engine)

    async def start(self) -> Addresses:
        """Start everything; raises `OSError` or `WorkflowError` when a part cannot, the others are stopped then."""
        await self.start_engine()
        return await self.listen()

    async def start_engine(self) -> None:
        """Start what is behind the doors; raises `WorkflowError`."""
        await self.engine.start()

    async def listen(self) -> Addresses:
        """Open the doors of an engine that has started; raises `OSError`, and everything is stopped then."""
        metrics = 0
        try:
            app = self._rest_app()
            rest = await self._start_http(app, self._config.rest_port, hot=app)
            grpc = await self._start_grpc(self._config.grpc_port)
            if not self._is_one_of_many:
                metrics = await self._start_http(self._metrics_app(), self._config.metrics_port)
        except BaseException:
            await self.stop()
            raise
        host = f"[{self._host}]" if ":" in self._host else self._host
        http = "https" if self._security.tls else "http"
        self.addresses = Addresses(f"{http}://{host}:{rest}", f"{host}:{grpc}", f"{http}://{host}:{metrics}/metrics")
        return self.addresses

    async def stop(self) -> None:
        """Stop everything, within the grace for requests in flight; a second call does nothing."""
        if self._stopped:
            return
        self._stopped = True
        self.engine.drain()
        try:
            await asyncio.gather(*(stop() for stop in self._stops))
        finally:
            await self.engine.stop()
            if self._tracing is not None:
                await asyncio.to_thread(self._tracing.close)

    def _rest_app(self) -> RestApp:
        observe = observe_rest(self.engine.metrics, self._lines)
        guard = self._security.guard
        return create_app(self.engine, cors_origins=self._cors_origins, observe=observe, guard=guard)

    def _metrics_app(self) -> object:
        return MetricsPage(self.metrics_page, None if is_loopback(self._host) else self._security.guard)

    async def _start_http(self, app: object, port: int, *, hot: HotDoor | None = None) -> int:
        tls = self._security.tls
        context = tls.context if tls else None
        listener = Listener(app, grace_s=self._grace_s, limits=self._limits, tls=context, hot=hot)
        await listener.start(self._host, port, share_port=self._is_one_of_many)
        self._stops.append(listener.stop)
        return listener.port

    async def _start_grpc(self, port: int) -> int:
        health = Health(self.engine)
        observe = observe_grpc(self.engine.metrics, self._lines)
        server = create_server(
            self.engine, health=health, observe=observe, guard=self._security.guard, share_port=self._is_one_of_many
        )
        tls = self._security.tls
        bound = bind(server, self._host, port, tls.grpc_credentials() if tls else None)
        await server.start()

        async def stop() -> None:
            health.stop()
            await server.stop(self._grace_s)

        self._stops.append(stop)
        return bound
