"""The two ports of a stub: HTTP by uvicorn's protocol, gRPC by grpc.aio. Opened at once, closed at once.

uvicorn's own server ticks ten times a second and closes as slowly; a stub is opened and closed for every other test.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import uvicorn
from rochallor.serve.connection import Bodies, Limits
from rochallor.shell.engine import Engine
from rochallor.transports.grpc import Health, bind, create_server
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from rochallor_stub.rest import StubConnection

GRACE_S = 1.0


class HttpDoor:
    """Serves an application on one port."""

    def __init__(self, app: ASGIApp) -> None:
        self._config = uvicorn.Config(
            app,
            loop="none",
            http=StubConnection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
        )
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; return the port. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        connection: Any = partial(
            StubConnection, Limits(), Bodies(), config=self._config, server_state=self._state, app_state={}, _loop=loop
        )
        self._server = await loop.create_server(connection, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Accept nothing new, let what is being answered finish within the grace, close."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=GRACE_S)
        for connection in list(self._state.connections):
            connection.transport.abort()
        for task in list(self._state.tasks):
            task.cancel()
        await asyncio.sleep(0)  # connections learn that they are lost


class GrpcDoor:
    """Serves gRPC on one port. `probed` is asked by the health service."""

    def __init__(self, probed: Engine, interceptor: Any) -> None:
        self._health = Health(probed)
        self._server = create_server(probed, health=self._health, interceptors=(interceptor,))

    async def open(self, host: str, port: int) -> int:
        """Listen; return the port. Raises `OSError`."""
        bound = bind(self._server, host, port)
        await self._server.start()
        return bound

    async def close(self) -> None:
        """Accept nothing new, let what is being answered finish within the grace, close."""
        self._health.stop()
        await self._server.stop(GRACE_S)
