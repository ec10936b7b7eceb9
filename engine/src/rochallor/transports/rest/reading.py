"""A request's body as bytes: with a limit, and only if it calls itself JSON.

The limit is kept whether the length is declared or not, and what is over it is not collected. The server throws the
rest of a refused body away, so that the client can read its 413 and use the connection again; a body without a
declared end, or absurdly long, is not worth that, and the connection is closed.
"""

from __future__ import annotations

from starlette.types import Message, Receive, Scope

from rochallor.core.errors import UnsupportedFormat
from rochallor.transports.rest.errors import BodyTooLarge, ClientGone

WORTH_WAITING = 16  # times the limit


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Return the body, at most `limit` bytes; b"" when there is none.

    Raises `BodyTooLarge`, `UnsupportedFormat` (only if there is a body) and `ClientGone`.
    """
    media = length = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            media = value
        elif name == b"content-length":
            length = value
    if length.isdigit() and int(length[:19]) > limit:
        raise too_large(limit, hang_up=int(length[:19]) > limit * WORTH_WAITING)
    message = await receive()
    if message.get("more_body") or message["type"] != "http.request":
        body = await _read_on(message, receive, limit)
    else:
        body = message.get("body", b"")
    if len(body) > limit:
        raise too_large(limit, hang_up=False)
    if body and media != b"application/json":
        check_media(media)
    return body


async def _read_on(message: Message, receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body"):
            return b"".join(parts)
        if size > limit:
            raise too_large(limit, hang_up=True)
        message = await receive()
    raise ClientGone


def too_large(limit: int, *, hang_up: bool) -> BodyTooLarge:
    """Return the error for a body over the limit."""
    return BodyTooLarge(
        f"the body is over the limit of {limit} bytes; send less, or keep large data elsewhere", hang_up=hang_up
    )


def check_media(media: bytes) -> None:
    """Raise `UnsupportedFormat` unless a content type is JSON or missing."""
    kind = media.partition(b";")[0].strip().lower()
    if kind and kind != b"application/json" and not kind.endswith(b"+json"):
        raise UnsupportedFormat(
            f"the body is said to be {kind.decode('latin-1')}; send JSON with content-type application/json"
        )
