"""One HTTP/1.1 connection on an event loop, one exchange at a time.

httptools reads the answers; here they are put together, and it is known whether a request was written at all, which is
what decides if it may be repeated. Why not a library that does all of it: docs/adr/0010-sdk-http.md. It would break if
a connection were used again after an exchange that did not end cleanly.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple, cast

import httptools

# The longest line of a stream of events; a revision's event stays under 4 MiB.
_LINE_BYTES = 8 * 1024 * 1024
_INFORMATIONAL = 200


class Answer(NamedTuple):
    """An answer whose body has arrived; names of headers are in lower case."""

    status: int
    headers: dict[bytes, bytes]
    content: bytes


class Lost(Exception):
    """The exchange did not end. `sent` is False when nothing of the request was written."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class Connection(asyncio.Protocol):
    """A connection; `usable` says whether another request may be written into it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._stream: asyncio.StreamReader | None = None
        self._headers: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._until_end = False
        self._keeps = True
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether another request may be written into it."""
        return self._keeps and self._answer is None and self._transport is not None

    async def ask(self, request: bytes, timeout: float) -> Answer:
        """Send a request and return its answer; raises `Lost`. After a failure the connection is closed."""
        return await self._exchange(request, timeout, None)

    async def listen(self, request: bytes, timeout: float) -> tuple[Answer, asyncio.StreamReader]:
        """Send a request and return once the head of its answer is there; the body follows through the reader."""
        reader = asyncio.StreamReader(limit=_LINE_BYTES, loop=self._loop)
        return await self._exchange(request, timeout, reader), reader

    async def _exchange(self, request: bytes, timeout: float, stream: asyncio.StreamReader | None) -> Answer:
        if self._transport is None:
            raise Lost("the connection was closed", sent=False)
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        self._stream = stream
        self._parser = httptools.HttpResponseParser(self)
        if stream is not None:
            stream.set_transport(self._transport)
        timer = self._loop.call_later(timeout, self._fail, f"no answer within {timeout:.3g} s")
        self._transport.write(request)
        try:
            return await answer
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()

    async def secure(self, tls: ssl.SSLContext, host: str) -> None:
        """Speak TLS from here on, with whom a proxy connected us to."""
        assert self._transport is not None
        self._until_end = False
        self._stream, self._parser = None, None
        transport = await self._loop.start_tls(self._transport, self, tls, server_hostname=host)
        self._transport, self._keeps = cast("asyncio.Transport", transport), True

    def close(self) -> None:
        """Drop the connection, whatever is under way."""
        self._keeps = False
        if self._transport is not None:
            self._transport.abort()

    # -- what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; also called when TLS has been put over the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read a part of an answer."""
        if self._parser is None:  # nobody has asked for anything
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"what came back is not HTTP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """End: of the answer too, when its end is the connection's."""
        self._transport = None
        self._keeps = False
        if self._until_end and exc is None:
            self.on_message_complete()
        else:
            self._fail(str(exc or "the connection was closed before the answer was complete"))

    def _fail(self, reason: str) -> None:
        """Give up on the exchange under way, if there is one."""
        error = Lost(reason, sent=True)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        if self._stream is not None and self._stream.exception() is None:
            self._stream.set_exception(error)
        self._answer = self._stream = None
        self.close()

    # -- what the parser tells

    def on_message_begin(self) -> None:
        """Forget an informational answer (100 Continue) that came before this one."""
        self._headers = {}
        self._parts = []
        self._until_end = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Say so to whoever listens to a stream."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        ends_itself = {b"content-length", b"transfer-encoding"} & self._headers.keys()
        self._until_end = not ends_itself and status not in {204, 304} and status >= _INFORMATIONAL
        if self._stream is not None and self._answer is not None and status >= _INFORMATIONAL:
            self._settle(Answer(status, self._headers, b""))

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        if self._stream is None:
            self._parts.append(part)
        else:
            self._stream.feed_data(part)

    def on_message_complete(self) -> None:
        """Hand over the answer."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < _INFORMATIONAL:
            return
        self._keeps = self._keeps and self._parser.should_keep_alive() and self._stream is None
        self._parser = None if self._keeps else self._parser
        if self._stream is not None:
            self._stream.feed_eof()
            self._stream = None
        elif self._answer is not None:
            self._settle(Answer(status, self._headers, b"".join(self._parts)))

    def _settle(self, answer: Answer) -> None:
        future, self._answer = self._answer, None
        if future is not None and not future.done():
            future.set_result(answer)
