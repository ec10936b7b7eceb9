"""What goes over the wire, as both transports and everything behind them see it.

An `Exchange` is one entry of a case's journal: what was sent and what came back, in REST's words on both transports.
An `Answer` is what a case judges.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from rochallor_conformance.contract.operations import Operation

REST, GRPC = "rest", "grpc"
TRANSPORTS = (REST, GRPC)
Json = dict[str, Any]


class Inexpressible(Exception):
    """These arguments cannot be said over this transport; limit the case's `transports`, or correct the argument."""


class Unreachable(Exception):
    """The target does not answer at all; start it, or correct its address."""


class Exchange(msgspec.Struct, kw_only=True, rename="camel"):
    """One request and its answer.

    `request` and `response` read like REST's JSON on both transports; `wire` is the request's body as it was sent, a
    message in protobuf's own JSON mapping.
    `expected_error` says that the case wants a refusal, `raw` that it wrote the request by hand; then nobody blames
    the harness for its shape. `awaited` says that the case repeats the request until the answer is as it wants.
    `sent` and `answered` count the journal's events: what came before what.
    """

    number: int
    transport: str
    operation: str
    target: str
    request: Any = None
    wire: str = ""
    request_headers: Json = msgspec.field(default_factory=dict)
    status: int | str | None = None
    response: Any = None
    response_headers: Json = msgspec.field(default_factory=dict)
    is_ok: bool = False
    expected_error: bool = False
    raw: bool = False
    awaited: bool = False
    strange_fields: list[str] = msgspec.field(default_factory=list)
    sent: int = 0
    answered: int = 0


class Answer(msgspec.Struct, kw_only=True, frozen=True):
    """What a case judges: a body, or the error codes that a refusal may mean with its sentence and details.

    `implemented` is False when the target does not have the operation at all.
    """

    exchange: Exchange
    is_ok: bool
    body: Any = None
    codes: frozenset[str] = frozenset()
    message: str = ""
    details: list[Json] = msgspec.field(default_factory=list)
    implemented: bool = True

    @property
    def outcome(self) -> str:
        """`ok`, or the error in a word."""
        return "ok" if self.is_ok else min(self.codes, key=len, default=str(self.exchange.status))


class Transport(Protocol):
    """Carries out operations, and writes each exchange into the journal it is given."""

    name: str

    async def call(self, operation: Operation, args: Json, journal: Journal, *, token: str = "") -> Answer:
        """Carry out one operation.

        Raises:
            Inexpressible: the transport cannot carry these arguments.
            Unreachable: nobody answers.

        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Journal:
    """The exchanges of one case, in the order in which they were begun."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._events = 0

    def begin(self, transport: str, operation: str, target: str, request: Any, headers: Json) -> Exchange:
        """Write down a request that is about to be sent."""
        entry = Exchange(
            number=len(self.exchanges) + 1,
            transport=transport,
            operation=operation,
            target=target,
            request=request,
            request_headers=headers,
            sent=self._next(),
        )
        self.exchanges.append(entry)
        return entry

    def end(self, entry: Exchange, *, status: int | str, is_ok: bool, response: Any, headers: Json) -> None:
        """Write down what came back."""
        entry.status, entry.is_ok, entry.response = status, is_ok, response
        entry.response_headers, entry.answered = headers, self._next()

    def _next(self) -> int:
        self._events += 1
        return self._events
