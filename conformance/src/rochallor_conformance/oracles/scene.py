"""What an oracle looks at, and how it finds instances and jobs in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from rochallor_conformance.transports.exchange import Exchange

Json = dict[str, Any]
TERMINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED"})


class Scene(msgspec.Struct, frozen=True):
    """One case's exchanges; `secrets` must appear nowhere; `base_only` engines do not know our additions.

    `sights` are pairs of one reading over REST and the same over gRPC, with nothing that moved in between.
    """

    exchanges: list[Exchange]
    secrets: list[str] = []
    base_only: bool = False
    sights: list[tuple[Exchange, Exchange]] = []

    def seen_instances(self) -> Iterator[tuple[Exchange, Json]]:
        """Yield every sight of an instance, in the order in which the answers came."""
        for exchange in self._answered():
            for body in _objects(exchange.response):
                if "currentStepIds" in body and "definitionId" in body:
                    yield exchange, body

    def handed_out(self) -> Iterator[tuple[Exchange, Json]]:
        """Yield every job that was handed out, in the order in which the answers came."""
        for exchange in self._answered():
            if exchange.operation in ("pollJobs", "reportJobs") and isinstance(exchange.response, dict):
                for job in exchange.response.get("jobs") or []:
                    yield exchange, job

    def _answered(self) -> list[Exchange]:
        answered = [exchange for exchange in self.exchanges if exchange.is_ok]
        return sorted(answered, key=lambda exchange: (exchange.answered, exchange.number))


def _objects(body: Any) -> Iterator[Json]:
    """Yield an answer's own object, the one inside it, or those of its page."""
    if not isinstance(body, dict):
        return
    yield body
    if isinstance(body.get("instance"), dict):
        yield body["instance"]
    yield from (item for item in body.get("items") or [] if isinstance(item, dict))
