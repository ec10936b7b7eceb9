"""One request as handlers see it: ids, query, body, revision; and waiting for as long as the client does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from rochallor.shell.engine import Engine
from rochallor.transports.rest.answers import Answer
from rochallor.transports.rest.bodies import JsonBody
from rochallor.transports.rest.query import Query, revision_of
from rochallor.transports.rest.request import Request
from rochallor.transports.rest.streaming import Stream

T = TypeVar("T")


class Call:
    """A request that has found its route. `ids` are the path's parameters in the order of the template, decoded."""

    __slots__ = ("_limit", "_request", "ids")

    def __init__(self, request: Request, ids: tuple[str, ...], limit: int) -> None:
        self.ids = ids
        self._request = request
        self._limit = limit

    async def raw(self, limit: int | None = None) -> bytes:
        """Return the body's bytes, at most `limit` of them (the engine's body limit when None)."""
        return await self._request.body(self._limit if limit is None else limit)

    async def read(self, kind: JsonBody[T]) -> T:
        """Return the body as a struct."""
        return kind.read(await self._request.body(self._limit))

    @property
    def query(self) -> Query:
        """The query string, parsed."""
        return Query(self._request.query_string)

    @property
    def expected_revision(self) -> int | None:
        """The revision that If-Match asks for, None for any."""
        return revision_of(self.header(b"if-match"))

    def header(self, name: bytes) -> bytes:
        """Return the value of a header (its name in lower case), b"" when it is absent."""
        return self._request.header(name)

    async def while_present(self, work: Awaitable[T]) -> T:
        """Return what `work` returns; cancel it when the client goes away first."""
        return await self._request.while_present(work)


Handler = Callable[[Engine, Call], Awaitable[Answer | Stream]]
