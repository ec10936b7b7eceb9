"""A request as it came in, whoever took it in: method, headers, query, body, and whether its client is still there.

Two take requests in: an ASGI server, message by message (here), and the engine's own listener, which has small requests
whole before it asks anybody (`rochallor.serve.express`). Handlers see no difference.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol, TypeVar

from starlette.types import Receive, Scope

from rochallor.transports.rest.presence import while_present
from rochallor.transports.rest.reading import read_body

T = TypeVar("T")


class Request(Protocol):
    """What a transport asks of a request."""

    @property
    def method(self) -> str:
        """The method, in capitals."""
        ...

    @property
    def query_string(self) -> bytes:
        """What follows the question mark, as it was sent."""
        ...

    def header(self, name: bytes) -> bytes:
        """Return the value of a header (its name in lower case), b"" when it is absent."""
        ...

    async def body(self, limit: int) -> bytes:
        """Return the body, at most `limit` bytes of JSON; raises `BodyTooLarge`, `UnsupportedFormat`, `ClientGone`."""
        ...

    async def while_present(self, work: Awaitable[T]) -> T:
        """Return what `work` returns; cancel it and raise `ClientGone` when the client goes away first."""
        ...


class AsgiRequest:
    """A request that an ASGI server passes on."""

    __slots__ = ("_receive", "_scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive

    @property
    def method(self) -> str:
        """The method, in capitals."""
        method: str = self._scope["method"]
        return method

    @property
    def query_string(self) -> bytes:
        """What follows the question mark, as it was sent."""
        query: bytes = self._scope["query_string"]
        return query

    def header(self, name: bytes) -> bytes:
        """Return the first value of a header, b"" when it is absent."""
        return next((value for key, value in self._scope["headers"] if key == name), b"")

    async def body(self, limit: int) -> bytes:
        """Return the body, read to its end."""
        return await read_body(self._scope, self._receive, limit)

    async def while_present(self, work: Awaitable[T]) -> T:
        """Return what `work` returns, unless the client goes away first."""
        return await while_present(self._receive, work)
