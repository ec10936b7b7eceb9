"""Requests and replies as both transports have them, and what they say as JSON.

A gRPC message is read as its JSON mapping, so that `jobId` is `jobId` on both; the bytes are kept beside it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

REST, GRPC = "rest", "grpc"
Headers = tuple[tuple[str, str], ...]


class Request(NamedTuple):
    """What a client sent.

    `path` has the query, `operation` is "" where the contract has none, `kind` reads the body.
    """

    transport: str
    operation: str
    method: str
    path: str
    headers: Headers
    body: bytes
    kind: type[Message] | None = None

    def read(self) -> Any:
        """Return the body as JSON values; text where it is none."""
        return read(self.body, self.kind)


class Reply(NamedTuple):
    """What the engine answers: an HTTP status or the name of a gRPC one; `text` is what a gRPC refusal says.

    `trailers` is the metadata of such a refusal as it goes over the wire.
    """

    status: int | str
    headers: Headers = ()
    body: bytes = b""
    text: str = ""
    kind: type[Message] | None = None
    trailers: tuple[tuple[str, str | bytes], ...] = ()

    def read(self) -> Any:
        """Return the body as JSON values; text where it is none."""
        return read(self.body, self.kind) if self.body or self.status == "OK" else self.text or None


def read(body: bytes, kind: type[Message] | None) -> Any:
    """Return what a body says, as JSON values: a message's mapping, JSON, text, or what is left of broken bytes."""
    if kind is not None:
        try:
            return MessageToDict(kind.FromString(body))
        except DecodeError:
            return {"undecodable": base64.b64encode(body).decode()}
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "replace")


def header_lines(pairs: Iterable[tuple[Any, Any]]) -> Headers:
    """Return headers or metadata as text."""
    return tuple((_text(name), _text(value)) for name, value in pairs)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
