"""An ASGI application behind a socket: uvicorn, started and stopped from our own loop, silent, without its signals."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn

from rochallor.serve.connection import Bodies, HttpConnection, Limits
from rochallor.serve.express import Head, HotDoor

KEEP_ALIVE_S = 75  # longer than clients keep idle connections, so that it is they who close them
BACKLOG = 2048


class _Uvicorn(uvicorn.Server):
    """Says when it listens, and leaves signals to the composition root."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Listener:
    """Serves an application on one address, over TLS with a context. `start` once, `stop` once.

    `hot` knows the application's hot routes, and is asked past ASGI where that makes no difference but of speed.
    """

    def __init__(
        self,
        app: Any,
        *,
        grace_s: int,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        hot: HotDoor | None = None,
    ) -> None:
        connection: Any = partial(HttpConnection, limits or Limits(), Bodies(), door=hot, head=Head())
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                loop="none",
                http=connection,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=grace_s,
            )
        )
        self._server.config.load()
        self._server.config.ssl = tls
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self, host: str, port: int, *, share_port: bool = False) -> None:
        """Listen on `port`, 0 for a free one; afterwards `port` says which. Raises `OSError`.

        With `share_port` other processes may listen there as well; the system gives each connection to one of them.
        """
        door = _bound(host, port, share=share_port)
        self.port = int(door.getsockname()[1])
        self._task = asyncio.create_task(self._server.serve([door]))
        await self._server.listening.wait()

    async def stop(self) -> None:
        """Accept nothing new, finish what is in flight within the grace, close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def _bound(host: str, port: int, *, share: bool) -> socket.socket:
    family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    door = socket.socket(family, kind, protocol)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        door.bind(address)
        door.listen(BACKLOG)
    except OSError as error:
        door.close()
        message = f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}"
        raise OSError(error.errno, message) from error
    door.setblocking(False)
    return door
