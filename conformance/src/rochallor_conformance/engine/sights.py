"""What a case leaves behind, read over REST and over gRPC, so that an oracle can hold one against the other."""

from __future__ import annotations

from collections.abc import Iterable

from rochallor_conformance.contract.operations import Operation, operations
from rochallor_conformance.engine.bench import ADDITIONS, Bench
from rochallor_conformance.transports.exchange import Exchange, Inexpressible, Journal, Unreachable

READS = ("getInstance", "getInstanceHistory", "getInstanceAudit")
MOST = 3
"""So many of a case's instances are looked at; the first ones are what a case is about."""

Pair = tuple[Exchange, Exchange]


async def sights(bench: Bench, instances: Iterable[str]) -> list[Pair]:
    """Return what the engine says of instances over either door, as far as nothing moved between the two readings.

    Nothing is returned where there is one door only, and where nobody answers: others have something to say about that.
    """
    seen: list[Pair] = []
    try:
        for instance in list(dict.fromkeys(instances))[:MOST]:
            for name in READS:
                seen += await _both(bench, operations()[name], instance)
    except (Inexpressible, Unreachable):
        pass
    return seen


async def _both(bench: Bench, operation: Operation, instance: str) -> list[Pair]:
    if bench.rest is None or bench.grpc is None or (operation.is_ours and ADDITIONS not in bench.capabilities):
        return []
    args, token, journal = {operation.id_argument: instance}, bench.address.tokens.get("admin", ""), Journal()
    before = await bench.rest.call(operation, dict(args), journal, token=token)
    other = await bench.grpc.call(operation, dict(args), journal, token=token)
    after = await bench.rest.call(operation, dict(args), journal, token=token)
    is_still = before.exchange.response == after.exchange.response
    return [(before.exchange, other.exchange)] if is_still and other.implemented else []
