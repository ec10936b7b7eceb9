"""One HTTP connection that does not let itself be used up: uvicorn's protocol, with limits of time, size and number.

uvicorn waits for ever for a request that does not come, collects headers without end, and keeps an answer for a client
that never reads it. Here each of these costs the client its connection, with an error of the contract where it can
still be told. What one connection may hold is little; what all may hold together is a number (`Limits`).

A request that arrives whole, as nearly all do, starts no timer and pays for two additions and two comparisons.
"""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from rochallor.core.errors import BadRequest, PayloadTooLarge, TooManyRequests, Unavailable, WorkflowError
from rochallor.serve.express import ExpressProtocol
from rochallor.transports.rest.answers import JSON_TYPE, NOSNIFF
from rochallor.transports.rest.errors import refusal

MIB = 1024 * 1024
LINGER_S = 5.0  # how long a refusal may take to be read before the connection is cut


class Limits(NamedTuple):
    """What HTTP clients may use up. Times in seconds, sizes in bytes."""

    head_s: float = 15.0
    body_s: float = 60.0
    unread_s: float = 60.0
    head_bytes: int = 64 * 1024
    headers: int = 100
    connections: int = 4_096
    bodies_bytes: int = 256 * MIB


def spare_descriptors(limits: Limits) -> Limits:
    """Return limits under which connections leave file descriptors for the store; asks the system for more first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * limits.connections
    if soft != resource.RLIM_INFINITY and soft < wanted:
        more = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):  # some systems have a limit beyond the limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    return limits if soft == resource.RLIM_INFINITY else limits._replace(connections=min(limits.connections, soft // 3))


class Bodies:
    """How many bytes of requests not yet answered all connections of a listener hold together."""

    def __init__(self) -> None:
        self.held = 0


_IDLE, _HEAD, _BODY = range(3)


class _Refused(Exception):
    """Carries a refusal out of a callback of the parser."""


class HttpConnection(ExpressProtocol):
    """One connection of a listener with `limits`, `bodies` counted together with its neighbours'."""

    def __init__(self, limits: Limits, bodies: Bodies, **beneath: Any) -> None:
        super().__init__(**beneath)
        self._limits = limits
        self._bodies = bodies
        self._held = 0
        self._quiet_bytes = 0
        self._part_bytes = 0
        self._message = 0
        self._phase = _HEAD
        self._timed = (0, _IDLE)
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._refusal: WorkflowError | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a request, unless there are too many who do."""
        super().connection_made(transport)
        self._time()
        if len(self.connections) > self._limits.connections:
            self._refuse(Unavailable("too many connections; close some, or try again shortly", retry_after_ms=1_000))

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        for timer in (self._timer, self._unread):
            if timer is not None:
                timer.cancel()
        self._release()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        if self._refusal is not None:
            return
        self._part_bytes = len(data)
        self._quiet_bytes += self._part_bytes
        super().data_received(data)
        if self._quiet_bytes > self._limits.head_bytes and self._refusal is None:
            self._refuse(self._head_too_large())
        if self._timed != (self._message, self._phase):
            self._time()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._message += 1
        self._phase = _HEAD
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One more header, or trailer; the busiest callback there is, so uvicorn's is not called from here."""
        headers = self.headers
        headers.append((name.lower(), value))
        if len(headers) > self._limits.headers:
            self._stop(PayloadTooLarge(f"the request has more than {self._limits.headers} headers; send fewer"))

    def on_headers_complete(self) -> None:
        """The head is there."""
        limit = self._limits.head_bytes
        if self._quiet_bytes + self._part_bytes > limit and self._head_bytes() > limit:
            self._stop(self._head_too_large())
        self._phase = _BODY
        self._quiet_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._quiet_bytes = 0
        if not self.cycle.response_complete:
            self._held += len(body)
            self._bodies.held += len(body)
            if self._bodies.held > self._limits.bodies_bytes:
                busy = "too many large requests are being read; try again shortly"
                self._stop(TooManyRequests(busy, retry_after_ms=1_000))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        self._phase = _IDLE
        self._quiet_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It has been answered."""
        self._release()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not take its answer as fast as it is made."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self._limits.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It has taken enough of it."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's sentence; ours is better
        """Answer what the parser has refused, or one of its callbacks here."""
        self._refuse(self._refusal or BadRequest("this is not HTTP/1.1 as this engine understands it"))

    def _stop(self, error: WorkflowError) -> None:
        """Leave the parser with a refusal; `data_received` then comes to `send_400_response`."""
        self._refusal = error
        raise _Refused

    def _refuse(self, error: WorkflowError) -> None:
        """Tell the client if no answer has begun, and close."""
        self._refusal = error
        begun = bool(self.cycle) and self.cycle.response_started and not self.cycle.response_complete
        if not begun and not self.transport.is_closing():
            self.transport.write(_answer(error))
        self.transport.close()
        self._unread = self._unread or self.loop.call_later(LINGER_S, self.transport.abort)

    def _time(self) -> None:
        """Have the timer of what is being waited for now."""
        self._timed = (self._message, self._phase)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._phase != _IDLE:
            limit_s = self._limits.head_s if self._phase == _HEAD else self._limits.body_s
            self._timer = self.loop.call_later(limit_s, self._too_slow, limit_s)

    def _too_slow(self, limit_s: float) -> None:
        if self._message == 0:
            self.transport.close()  # it never asked for anything, so there is nothing to answer
        else:
            self._refuse(BadRequest(f"the request was not there within {limit_s:g} s; send it faster"))

    def _head_bytes(self) -> int:
        return sum(len(name) + len(value) for name, value in self.headers) + len(self.url)

    def _head_too_large(self) -> WorkflowError:
        return PayloadTooLarge(f"the request's headers are over the limit of {self._limits.head_bytes} bytes")

    def _release(self) -> None:
        self._bodies.held -= self._held
        self._held = 0


def _answer(error: WorkflowError) -> bytes:
    answer = refusal(error)
    headers = (NOSNIFF, JSON_TYPE, *answer.headers, (b"connection", b"close"))
    lines = [name + b": " + value for name, value in (*headers, (b"content-length", b"%d" % len(answer.body)))]
    return STATUS_LINE[answer.status] + b"\r\n".join(lines) + b"\r\n\r\n" + answer.body
