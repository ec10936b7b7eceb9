"""A load generator's HTTP client: as little work per request as Python allows, so that the engine is what is measured.

It speaks just the HTTP/1.1 that our engine and its peers answer with (keep-alive, Content-Length or chunks); anything
else is an error that voids the run.
"""

from __future__ import annotations

import asyncio
import time
from typing import cast


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request at a time; remembers each request's latency in seconds."""

    def __init__(self, host: str) -> None:
        self.latencies: list[float] = []
        self._host = host
        self._buffer = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        """Connect."""
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(lambda: cls(f"{host}:{port}"), host, port)
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        """Collect until an answer is whole, then hand it over."""
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        at = lower.find(b"content-length:")
        if at < 0 and b"transfer-encoding: chunked" in lower:
            if (body := _unchunked(rest)) is not None:
                self._answered(int(head[9:12]), body, b"")
            return
        length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(rest) >= length:
            self._answered(int(head[9:12]), rest[:length], rest[length:])

    def _answered(self, status: int, body: bytes, rest: bytes) -> None:
        self._buffer = rest
        answer, self._answer = self._answer, None
        assert answer is not None
        if answer.done():
            return  # nobody waits any more
        if status >= 400:
            answer.set_exception(RuntimeError(f"HTTP {status}: {body[:200]!r}"))
        else:
            answer.set_result(body)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request that waited."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the engine closed the connection"))

    async def post(self, path: str, body: bytes) -> bytes:
        """Send a JSON body, return the answer's body; raises `RuntimeError` for a status of 400 and above."""
        return await self._ask(
            b"POST %b HTTP/1.1\r\nhost: %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (path.encode(), self._host.encode(), len(body), body)
        )

    async def get(self, path: str) -> bytes:
        """Return the body of what is there; raises like `post`."""
        return await self._ask(b"GET %b HTTP/1.1\r\nhost: %b\r\n\r\n" % (path.encode(), self._host.encode()))

    async def _ask(self, request: bytes) -> bytes:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._transport.write(request)
        answer = await self._answer
        self.latencies.append(time.perf_counter() - began)
        return answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


def _unchunked(rest: bytes) -> bytes | None:
    """Return the body that comes in chunks, or None while the last one is missing."""
    body, at = b"", 0
    while True:
        size, found, _ = rest[at : at + 20].partition(b"\r\n")
        if not found:
            return None
        length = int(size.partition(b";")[0], 16)
        begin = at + len(size) + 2
        at = begin + length + 2
        if len(rest) < at:
            return None
        if not length:
            return body
        body += rest[begin : begin + length]
