"""REST: the engine's own application, with the front before it and a hand on the connection.

An answer is collected and sent as a whole, so that it can be dropped, cut or spoilt; only a stream passes through part
by part, and a fault that would drop or cut it does so after its first part.
"""

from __future__ import annotations

import socket
import struct
from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import quote

from rochallor.serve.connection import HttpConnection
from rochallor.transports.rest.routes import ROUTES
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from rochallor_stub.faults import Fault
from rochallor_stub.front import Delivery, End, Front, by_fault
from rochallor_stub.journal import CUT, DROPPED, Exchange
from rochallor_stub.messages import REST, Reply, Request, header_lines
from rochallor_stub.scripted import refusal

CONNECTION = "rochallor_stub.connection"
STREAMS = frozenset({"watchInstance"})
KEPT_BYTES = 8 * 1024 * 1024
"""More of a body than the engine takes; what is beyond goes through without being kept."""

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: close() then sends RST instead of FIN


class StubConnection(HttpConnection):
    """A connection that the application can get hold of."""

    def on_message_begin(self) -> None:
        """Put it into the scope of the request that begins."""
        super().on_message_begin()
        cast(dict[str, Any], self.scope)[CONNECTION] = self  # ASGI servers may add keys

    def reset(self) -> None:
        """End the connection as if the host were gone: RST, and nothing more is sent."""
        door = self.transport.get_extra_info("socket")
        if door is not None:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def send_half(self, reply: Reply) -> None:
        """Send the head and half of the body, or half of the head where there is no body, then close."""
        assert isinstance(reply.status, int)
        lines = [f"{name}: {value}\r\n".encode("latin-1") for name, value in reply.headers]
        head = STATUS_LINE[reply.status] + b"".join(lines) + b"\r\n"
        self.transport.write(head + reply.body[: len(reply.body) // 2] if reply.body else head[: len(head) // 2])
        self.transport.close()


class RestFront:
    """The ASGI application of a stub; `control` answers below `/__stub/`."""

    def __init__(self, front: Front, control: ASGIApp) -> None:
        self._front = front
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._front.world.rest(scope, receive, send)
        elif scope["path"].startswith("/__stub/"):
            await self._control(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, rest = await _read(receive)
        request = _request(scope, body)
        if request.operation in STREAMS:
            await self._stream(request, scope, _replay(body, rest, receive), send)
            return

        async def process() -> Reply | None:
            collected = _Collected()
            await self._front.world.rest(scope, _replay(body, rest, receive), collected)
            return collected.reply

        await _carry_out(await self._front.serve(request, process), scope, receive, send)

    async def _stream(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        with self._front.stream(request) as (entry, faults):
            await self._front.prepare(faults)
            by_name = by_fault(faults)
            if "drop_before" in by_name:
                entry.outcome = DROPPED
                await _hang_up(scope, receive)
            elif "status" in by_name:
                reply = refusal(by_name["status"], REST)
                entry.note(reply)
                await _send(reply, send)
            else:
                await self._front.world.rest(scope, receive, _Tap(entry, send, _spoiler(by_name, entry, scope)))


def _spoiler(by_name: dict[str, Fault], entry: Exchange, scope: Scope) -> Callable[[], None] | None:
    """Return what ends a stream after its first part, if a fault wants that."""
    if not {"drop_after", "half_close", "garbage"} & by_name.keys():
        return None

    def spoil() -> None:
        entry.outcome = DROPPED if "drop_after" in by_name else CUT
        connection = scope[CONNECTION]
        if "drop_after" in by_name:
            connection.reset()
        else:
            connection.transport.write(b"garbage")  # no chunk header: the client sees a broken encoding
            connection.transport.close()

    return spoil


class _Tap:
    """Passes a stream on, writes it down, and may spoil it after its first part."""

    def __init__(self, entry: Exchange, send: Send, spoil: Callable[[], None] | None) -> None:
        self._entry = entry
        self._send = send
        self._spoil = spoil

    async def __call__(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self._entry.note(Reply(message["status"], header_lines(message["headers"])))
        elif message.get("body"):
            self._entry.response_body += message["body"]
            self._entry.response = self._entry.response_body.decode("utf-8", "replace")
            if self._spoil is not None:
                spoil, self._spoil = self._spoil, None
                spoil()


class _Collected:
    """Takes an answer as ASGI messages."""

    def __init__(self) -> None:
        self.reply: Reply | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.reply = Reply(message["status"], header_lines(message.get("headers", ())))
        elif self.reply is not None:
            self.reply = self.reply._replace(body=self.reply.body + message.get("body", b""))


async def _carry_out(delivery: Delivery, scope: Scope, receive: Receive, send: Send) -> None:
    if delivery.end is End.SEND and delivery.reply is not None:
        await _send(delivery.reply, send)
    elif delivery.end is End.DROP:
        await _hang_up(scope, receive)
    elif delivery.end is End.CUT and delivery.reply is not None:
        scope[CONNECTION].send_half(delivery.reply)
        await _gone(receive)


async def _send(reply: Reply, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def _hang_up(scope: Scope, receive: Receive) -> None:
    scope[CONNECTION].reset()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Return when the server has noticed that the connection is closed; it would answer 500 otherwise."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read(receive: Receive) -> tuple[bytes, bool]:
    """Return the body, and whether more of it than is kept is still to come."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body), False
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > KEPT_BYTES:
            return bytes(body), bool(message.get("more_body"))


def _replay(body: bytes, rest: bool, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": rest}

    return again


def _request(scope: Scope, body: bytes) -> Request:
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    path, query = raw.decode("latin-1"), scope["query_string"].decode("latin-1")
    return Request(
        transport=REST,
        operation=operation_of(scope["method"], path),
        method=scope["method"],
        path=f"{path}?{query}" if query else path,
        headers=header_lines(scope["headers"]),
        body=body,
    )


def operation_of(method: str, path: str) -> str:
    """Return the contract's name for what a request wants, "" when it has none."""
    parts = path.split("/")
    for template, operation in _TEMPLATES[len(parts), "GET" if method == "HEAD" else method]:
        if all(mine == theirs or mine.startswith("{") for mine, theirs in zip(template, parts, strict=True)):
            return operation
    return ""


_TEMPLATES: dict[tuple[int, str], list[tuple[list[str], str]]] = defaultdict(list)
for _route in sorted(ROUTES, key=lambda route: route.template.count("{")):  # jobs/poll before jobs/{id}
    _parts = _route.template.split("/")
    _TEMPLATES[len(_parts), _route.method].append((_parts, _route.operation))
