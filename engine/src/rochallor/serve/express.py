"""The straight way of small, frequent requests: from the socket to the engine without ASGI in between.

A report of a job takes the engine about as long as ASGI's messages, dictionaries and events around it. So a request of
a hot route with a small body waits here until it is whole, is answered in one task, and its answer is written in one
piece. Whatever is unusual about a request (a query, chunks, an upgrade, a header given twice, an `Origin`, another one
before it that has no answer yet) leaves it to uvicorn, and nobody can see which way it went.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Protocol, TypeVar

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from rochallor.transports.rest.answers import NO_STORE, NOSNIFF, Answer
from rochallor.transports.rest.errors import ClientGone
from rochallor.transports.rest.reading import check_media, too_large
from rochallor.transports.rest.reception import Attend
from rochallor.transports.rest.streaming import Stream

T = TypeVar("T")

UNUSUAL = frozenset((b"expect", b"transfer-encoding", b"upgrade", b"origin"))
CLOSE = (b"connection", b"close")

log = logging.getLogger("rochallor.rest")


class HotDoor(Protocol):
    """An application that knows its hot routes, and how large a body it takes."""

    max_body_bytes: int

    def express(self, method: str, path: bytes) -> Attend | None:
        """Return who answers a request for this path, None when it is not hot."""
        ...


class Exchange:
    """A request and what became of it: what handlers see of it, and what uvicorn asks of its own cycles."""

    __slots__ = (
        "_gone",
        "_headers",
        "_waiting",
        "attend",
        "content",
        "keep_alive",
        "method",
        "response_complete",
        "response_started",
        "whole",
    )

    query_string = b""

    def __init__(self, method: str, headers: dict[bytes, bytes], attend: Attend, *, keep_alive: bool) -> None:
        self.method = method
        self.attend = attend
        self.content = b""
        self.keep_alive = keep_alive
        self.response_started = False
        self.response_complete = False
        self.whole = False
        self._headers = headers
        self._waiting: asyncio.Task[Any] | None = None
        self._gone = False

    def header(self, name: bytes) -> bytes:
        """Return the value of a header, b"" when it is absent."""
        return self._headers.get(name, b"")

    async def body(self, limit: int) -> bytes:
        """Return the body; raises `BodyTooLarge`, `UnsupportedFormat`, and `ClientGone` if not all of it came."""
        if not self.whole:
            raise ClientGone
        if len(self.content) > limit:
            raise too_large(limit, hang_up=False)
        if self.content:
            check_media(self._headers.get(b"content-type", b""))
        return self.content

    async def while_present(self, work: Awaitable[T]) -> T:
        """Return what `work` returns; cancel it and raise `ClientGone` when the client goes away first."""
        self._waiting = me = asyncio.current_task()
        assert me is not None
        try:
            return await work
        except asyncio.CancelledError:
            if not self._gone:
                raise
            me.uncancel()
            raise ClientGone from None
        finally:
            self._waiting = None

    def lost(self) -> None:
        """Hear that the client has gone."""
        self._gone = True
        if self._waiting is not None:
            self._waiting.cancel()


class Head:
    """The beginnings of answers: what is the same for all is joined once, and again when the date has moved."""

    def __init__(self) -> None:
        self._defaults: Any = None
        self._lines = b""

    def of(self, answer: Answer, defaults: list[tuple[bytes, bytes]], *, close: bool) -> bytes:
        """Return an answer as it goes over the wire, with uvicorn's default headers."""
        if defaults is not self._defaults:
            self._defaults = defaults
            self._lines = _lines([*defaults, NOSNIFF, NO_STORE])
        status, body, extra, media = answer
        last = _lines([CLOSE]) if close and CLOSE not in extra else b""
        more = _lines(extra) if extra else b""
        if not body:
            return b"%b%b%b%b\r\n" % (STATUS_LINE[status], self._lines, more, last)
        about = b"%b: %b\r\ncontent-length: %d\r\n" % (*media, len(body))
        return b"%b%b%b%b%b\r\n%b" % (STATUS_LINE[status], self._lines, more, about, last, body)


def _lines(headers: list[tuple[bytes, bytes]] | tuple[tuple[bytes, bytes], ...]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


class ExpressProtocol(HttpToolsProtocol):
    """uvicorn's connection with a straight way for the hot routes of `door`; None: there is none.

    `head` may be shared by all connections of a listener.
    """

    def __init__(self, *, door: HotDoor | None = None, head: Head | None = None, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._door = door
        self._head = head or Head()
        self._exchange: Exchange | None = None
        self._idle_since_s: float | None = None

    def on_message_begin(self) -> None:
        """Collect a head; what ASGI needs beside it is made when it is known to need it."""
        if self._door is None:
            super().on_message_begin()
        else:
            self.url = b""
            self.headers = []
            self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """Choose the way of a request by its head."""
        exchange = self._straight()
        if exchange is None:
            self._begin_asgi()
            super().on_headers_complete()
        else:
            self.cycle = exchange  # type: ignore[assignment]  # it has what uvicorn asks of it from here on

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        cycle: object = self.cycle
        if isinstance(cycle, Exchange):
            cycle.content += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Answer what is whole now."""
        cycle: object = self.cycle
        if not isinstance(cycle, Exchange):
            super().on_message_complete()
        elif not self.transport.is_closing():
            cycle.whole = True
            self._begin(cycle)

    def on_response_complete(self) -> None:
        """Go on with what was sent meanwhile, or wait for more.

        uvicorn starts and cancels a timer for each request; here there is one that looks when the last one ended.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since_s = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def timeout_keep_alive_handler(self) -> None:
        """Hang up if nothing has come for long; look again later otherwise."""
        self.timeout_keep_alive_task = None
        if self._idle_since_s is None:
            return  # a request is being answered, and will come back to this
        left_s = self._idle_since_s + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left_s, self.timeout_keep_alive_handler)
        elif not self.transport.is_closing():
            self.transport.close()

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since_s = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits for this client."""
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        if self._exchange is not None:
            self._exchange.lost()
        cycle: object = self.cycle
        if isinstance(cycle, Exchange):
            if not cycle.whole:
                self._begin(cycle)  # it is over at once, and counted
            self.cycle = None  # type: ignore[assignment]  # as before the first request
        super().connection_lost(exc)

    def _begin(self, exchange: Exchange) -> None:
        self._exchange = exchange
        task = self.loop.create_task(self._serve(exchange))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _straight(self) -> Exchange | None:
        before: Any = self.cycle
        if self._door is None or (before is not None and not before.response_complete):
            return None
        headers = dict(self.headers)
        if len(headers) != len(self.headers) or not UNUSUAL.isdisjoint(headers):
            return None
        # What is too large is refused before it has come; what is large, uvicorn reads as somebody asks for it.
        if int(headers.get(b"content-length", b"0")) > min(self._door.max_body_bytes, HIGH_WATER_LIMIT):
            return None
        url, method = self.url, self.parser.get_method().decode("ascii")
        if b"?" in url or b"#" in url or not url.isascii():
            return None
        attend = self._door.express(method, url)
        if attend is None:
            return None
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        return Exchange(method, headers, attend, keep_alive=keep_alive)

    def _begin_asgi(self) -> None:
        """Make what ASGI needs beside the head, and uvicorn makes earlier."""
        headers = self.headers
        if self._door is not None:
            url = self.url
            super().on_message_begin()
            self.url = url
            self.headers = self.scope["headers"] = headers
        self.expect_100_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        )

    async def _serve(self, exchange: Exchange) -> None:
        async def send(answer: Answer | Stream) -> None:
            assert isinstance(answer, Answer)  # hot routes answer at once
            if self.flow.write_paused:
                await self.flow.drain()
            exchange.response_started = True
            close = not exchange.keep_alive or CLOSE in answer.headers
            if not self.transport.is_closing():
                self.transport.write(self._head.of(answer, self.server_state.default_headers, close=close))
                if close:
                    self.transport.close()

            exchange.response_complete = True

        try:
            await exchange.attend(exchange, send)
        except Exception:
            log.exception("a request could not be answered")
        finally:
            self._exchange = None
            if not exchange.response_complete:
                self.transport.close()
        self.on_response_complete()
