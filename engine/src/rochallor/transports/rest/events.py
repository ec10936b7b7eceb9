"""An instance's revisions as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

The id of an event is its revision, so a browser that reconnects asks on where it was. To one that would only wait for
nothing, because the instance is final, the answer is 204: the one at which browsers stop reconnecting.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from rochallor.shell.engine import Engine
from rochallor.shell.live import Watch
from rochallor.transports.rest.answers import NO_CONTENT, Answer, Header, encode
from rochallor.transports.rest.call import Call
from rochallor.transports.rest.query import whole_number
from rochallor.transports.rest.streaming import Stream

HEARTBEAT_S = 15.0
HEARTBEAT = b": nothing new\n\n"
MEDIA: Header = (b"content-type", b"text/event-stream")
HEADERS: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would collect the stream before it passes it on
)
LAST_REVISION = 10**10 - 1
LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")  # in JSON they are only ever white space; here they end a line


async def watch(engine: Engine, call: Call) -> Answer | Stream:
    """GET /v1/instances/{id}/events."""
    watched = await engine.watch(call.ids[0], _after(call))
    return NO_CONTENT if watched.over else Stream(_frames(watched), MEDIA, HEARTBEAT, HEARTBEAT_S, HEADERS)


def _after(call: Call) -> int:
    last = call.header(b"last-event-id").strip().decode("latin-1")
    if last:
        return whole_number("Last-Event-ID", last, most=LAST_REVISION)
    return call.query.number("afterRevision", most=LAST_REVISION)


async def _frames(watched: Watch) -> AsyncIterator[bytes]:
    async for view in watched:
        yield b"id: %d\nevent: revision\ndata: %b\n\n" % (view.revision, encode(view).translate(LINE_ENDS))
