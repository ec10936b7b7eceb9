"""The journal: every exchange with a client, in the order of arrival, as it went over the wire.

What proves who the caller is does not get in: the value of such a header is replaced, and a short digest of what was in
`authorization` tells only whether it was the one that somebody knows. Lease tokens stay, because which lease a report
names is what a journal is read for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import msgspec
from rochallor.shell.views import moment

from rochallor_stub.messages import Headers, Reply, Request

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})
REDACTED = "[redacted]"
SCHEMES = frozenset({"basic", "bearer", "digest", "negotiate"})
"""Words that may stand before a credential and are no part of it."""
DIGEST_LENGTH = 12

UNDER_WAY, ANSWERED, DROPPED, CUT, GONE = "under-way", "answered", "dropped", "cut", "gone"
"""What became of an exchange. `gone`: the client did not wait for its answer."""


class Exchange(msgspec.Struct, kw_only=True, rename="camel"):
    """One request and what became of it. Times are virtual, in ms since the epoch; `faults` are those applied to it.

    `status` is an HTTP status or the name of a gRPC one. Of an exchange that was dropped or cut, `status` and
    `response` are what the client should have got; both are None when the engine never saw the request.
    `credentials` is what `credentials_in` makes of the request. `request_body` and `response_body` are the bytes; a
    stream's parts follow each other in `response_body`.
    """

    number: int
    at_ms: int
    transport: str
    operation: str
    method: str
    path: str
    request_headers: Headers
    request: Any
    outcome: str = UNDER_WAY
    status: int | str | None = None
    response_headers: Headers = ()
    response: Any = None
    faults: tuple[str, ...] = ()
    answered_at_ms: int | None = None
    request_body: bytes = b""
    response_body: bytes = b""
    credentials: str = ""

    @property
    def at(self) -> str:
        """When it arrived, as RFC 3339."""
        return moment(self.at_ms)

    def note(self, reply: Reply) -> None:
        """Write down what the engine says."""
        self.status = reply.status
        self.response_headers = redacted(reply.headers)
        self.response = reply.read()
        self.response_body = reply.body

    def end(self, outcome: str, now_ms: int) -> None:
        """Write down what became of it."""
        self.outcome = outcome
        self.answered_at_ms = now_ms

    def line(self) -> bytes:
        """Return it as one line of JSON, without the raw bytes."""
        fields = {
            name: getattr(self, attribute)
            for attribute, name in zip(self.__struct_fields__, self.__struct_encode_fields__, strict=True)
            if not attribute.endswith("_body")
        }
        return msgspec.json.encode({**fields, "at": self.at})


class Journal(Sequence[Exchange]):
    """All exchanges since the start or the last reset; read it like a list."""

    def __init__(self) -> None:
        self._entries: list[Exchange] = []
        self._last = 0

    @overload
    def __getitem__(self, index: int) -> Exchange: ...

    @overload
    def __getitem__(self, index: slice) -> list[Exchange]: ...

    def __getitem__(self, index: int | slice) -> Exchange | list[Exchange]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Exchange]:
        return iter(list(self._entries))

    def of(self, operation: str, transport: str | None = None) -> list[Exchange]:
        """Return the exchanges of one operation, `completeJob` for example, over both transports or one."""
        return [
            entry
            for entry in self
            if entry.operation == operation and (transport is None or transport == entry.transport)
        ]

    def ndjson(self, after: int = 0) -> bytes:
        """Return the exchanges with a number over `after`, one JSON object per line."""
        return b"".join(entry.line() + b"\n" for entry in self if entry.number > after)

    def write(self, path: str | Path) -> None:
        """Write all of it to a file as NDJSON."""
        Path(path).write_bytes(self.ndjson())

    def clear(self) -> None:
        """Forget everything; numbers begin at 1 again."""
        self._entries.clear()
        self._last = 0

    def begin(self, request: Request, now_ms: int) -> Exchange:
        """Write down a request that has arrived."""
        self._last += 1
        entry = Exchange(
            number=self._last,
            at_ms=now_ms,
            transport=request.transport,
            operation=request.operation,
            method=request.method,
            path=request.path,
            request_headers=redacted(request.headers),
            request=request.read(),
            request_body=request.body,
            credentials=credentials_in(request.headers),
        )
        self._entries.append(entry)
        return entry


def redacted(headers: Headers) -> Headers:
    """Return headers without what proves who the caller is."""
    return tuple((name, REDACTED if name.lower() in SECRET_HEADERS else value) for name, value in headers)


def credentials_in(headers: Headers) -> str:
    """Return scheme and digest of each `authorization`, `bearer sha256:0123456789ab` for example; "" without any."""
    return ", ".join(_digest(value) for name, value in headers if name.lower() == "authorization")


def _digest(value: str) -> str:
    scheme, _, secret = value.partition(" ")
    if scheme.lower() not in SCHEMES:
        scheme, secret = "", value
    return f"{scheme.lower()} sha256:{hashlib.sha256(secret.encode()).hexdigest()[:DIGEST_LENGTH]}".lstrip()
