"""Connections of one client to one origin, used again while they are fresh."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping

from workflow_sdk.client.http.connection import Answer, Connection
from workflow_sdk.client.http.dial import dial, proxy_of
from workflow_sdk.client.http.origin import Origin

# Servers close idle connections after five seconds or more. Closing first keeps a request from being written into a
# connection that is just going away, which would leave it unknown whether it was taken.
KEEPALIVE_SECONDS = 4.0
_IDLE_AT_MOST = 100


class Pool:
    """Sends requests to one origin; belongs to one event loop.

    Args:
        origin: where to.
        tls: how to check who answers; None for an origin without TLS.
        headers: what every request carries.

    """

    def __init__(self, origin: Origin, tls: ssl.SSLContext | None, headers: Mapping[str, str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._origin = origin
        self._proxy = proxy_of(origin)
        self._tls = tls
        self._idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self._prefix, fixed = _start(origin, self._proxy)
        self._fixed = "".join(f"{name}: {value}\r\n" for name, value in {**fixed, **headers}.items())

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop it belongs to."""
        return self._loop

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str], content: bytes | None, timeout: float
    ) -> Answer:
        """Send a request and return the answer to it.

        Raises:
            Lost: no answer came within `timeout` seconds, connecting included.

        """
        request = self._request(method, target, headers, content)
        began = self._loop.time()
        connection = self._take() or await self._dial(timeout)
        try:
            return await connection.ask(request, timeout - (self._loop.time() - began))
        finally:
            self._give_back(connection)

    async def listen(
        self, method: str, target: str, headers: Mapping[str, str], timeout: float
    ) -> tuple[Answer, asyncio.StreamReader, Connection]:
        """Send a request and return the head of its answer, a reader of its body, and what to close after that."""
        connection = await self._dial(timeout)
        answer, reader = await connection.listen(self._request(method, target, headers, None), timeout)
        return answer, reader, connection

    def close(self) -> None:
        """Drop every connection."""
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._idle.clear()

    def _request(self, method: str, target: str, headers: Mapping[str, str], content: bytes | None) -> bytes:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {self._prefix}{target} HTTP/1.1\r\n{self._fixed}{more}"
        if content is None:
            return f"{head}\r\n".encode("latin-1")
        return f"{head}content-length: {len(content)}\r\n\r\n".encode("latin-1") + content

    async def _dial(self, timeout: float) -> Connection:
        connection = await dial(self._origin, self._proxy, self._tls, timeout)
        self._open.add(connection)
        return connection

    def _take(self) -> Connection | None:
        """Return the connection used last, having dropped those that idle too long."""
        stale = self._loop.time() - KEEPALIVE_SECONDS
        while self._idle and self._idle[0].idle_since < stale:
            self._drop(self._idle.popleft())
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            self._drop(connection)
        return None

    def _give_back(self, connection: Connection) -> None:
        if connection.usable and len(self._idle) < _IDLE_AT_MOST:
            connection.idle_since = self._loop.time()
            self._idle.append(connection)
        else:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        connection.close()
        self._open.discard(connection)


def _start(origin: Origin, proxy: Origin | None) -> tuple[str, dict[str, str]]:
    """Return what comes before every target, and the headers of every request."""
    headers = {"host": origin.authority}
    if origin.credentials:
        headers["authorization"] = origin.credentials
    if proxy is None or origin.secure:
        return origin.prefix, headers
    if proxy.credentials:
        headers["proxy-authorization"] = proxy.credentials
    return f"http://{origin.authority}{origin.prefix}", headers
