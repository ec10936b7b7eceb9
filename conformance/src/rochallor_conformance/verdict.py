"""How a case ended, and where its subject was: what players make and reports show."""

from __future__ import annotations

from typing import Any

import msgspec

from rochallor_conformance.transports.exchange import REST, Exchange


class Address(msgspec.Struct, frozen=True):
    """Where an engine answers; either may be "". `control` is where a stub takes control calls."""

    rest: str = ""
    grpc: str = ""
    control: str = ""
    tokens: dict[str, str] = {}

    def has(self, transport: str) -> bool:
        """Return whether it answers over a transport."""
        return bool(self.rest if transport == REST else self.grpc)


class Difference(msgspec.Struct, frozen=True):
    """What was expected and what was there, and both in one sentence."""

    message: str
    expected: Any = None
    actual: Any = None


class Verdict(msgspec.Struct, frozen=True):
    """How a case ended: passed, failed (with `where` and `found`), or not_implemented (with `reason`)."""

    status: str
    exchanges: list[Exchange]
    where: str = ""
    found: Difference | None = None
    reason: str = ""
