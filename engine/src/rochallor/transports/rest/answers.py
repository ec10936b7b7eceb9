"""What a handler gives back, and how it becomes ASGI messages: the whole answer at once, as bytes.

Every answer carries `x-content-type-options: nosniff`, and `cache-control: no-store`: state is out of date as soon as
it has been sent, and what one caller may see must not wait in a proxy for another. One without a body (204) has no
content type.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from starlette.types import Scope, Send

from rochallor.shell.views import InstanceView

Header = tuple[bytes, bytes]

NOSNIFF: Header = (b"x-content-type-options", b"nosniff")
NO_STORE: Header = (b"cache-control", b"no-store")
JSON_TYPE: Header = (b"content-type", b"application/json")
SCHEMA_TYPE: Header = (b"content-type", b"application/schema+json")

encode = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """A status, a body of JSON (or nothing), headers beyond those that every answer has."""

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = ()
    media: Header = JSON_TYPE


NO_CONTENT = Answer(204)


def ok(value: object, status: int = 200) -> Answer:
    """Return a value as JSON."""
    return Answer(status, encode(value))


def instance(view: InstanceView, status: int = 200) -> Answer:
    """Return an instance, its revision as ETag."""
    return Answer(status, encode(view), ((b"etag", b'"%d"' % view.revision),))


async def send_answer(answer: Answer, scope: Scope, send: Send) -> None:
    """Send an answer; HEAD gets the headers that GET would, and no body."""
    status, body, extra, media = answer
    headers = [NOSNIFF, NO_STORE, *extra]
    if body:
        headers += (media, (b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
