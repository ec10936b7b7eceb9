"""Answers that go on: sent part by part for as long as the client listens.

Each part is asked for when the one before has been handed to the connection, so a slow client holds up only itself.
What goes wrong after the head has been sent cannot become a status any more: the stream ends, its client asks again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from rochallor.core.errors import WorkflowError
from rochallor.transports.rest.answers import NOSNIFF, Header
from rochallor.transports.rest.errors import ClientGone
from rochallor.transports.rest.presence import while_present

Pause = Callable[[float], Awaitable[None]]
"""Waits for so many seconds; a test passes its own."""

log = logging.getLogger("rochallor.rest")


class Stream(NamedTuple):
    """The parts of a body, and what is sent beside them every `beat_s` seconds, so that silence is no dead line."""

    parts: AsyncIterator[bytes]
    media: Header
    beat: bytes
    beat_s: float
    headers: tuple[Header, ...] = ()
    status: int = 200


async def send_stream(stream: Stream, scope: Scope, receive: Receive, send: Send, pause: Pause) -> None:
    """Send a stream to its end, or until the client goes; HEAD gets the headers only."""
    headers = [NOSNIFF, stream.media, *stream.headers]
    await send({"type": "http.response.start", "status": stream.status, "headers": headers})
    if scope["method"] != "HEAD":
        with suppress(ClientGone):
            await while_present(receive, _parts(stream, send, pause))
    await send({"type": "http.response.body", "body": b""})


async def _parts(stream: Stream, send: Send, pause: Pause) -> None:
    beats = asyncio.ensure_future(_beats(stream, send, pause))
    try:
        async for part in stream.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    except WorkflowError as error:
        log.info("stream ended early: %s", error)
    except Exception:
        log.exception("stream ended by a bug")
    finally:
        beats.cancel()


async def _beats(stream: Stream, send: Send, pause: Pause) -> None:
    while True:
        await pause(stream.beat_s)
        await send({"type": "http.response.body", "body": stream.beat, "more_body": True})
