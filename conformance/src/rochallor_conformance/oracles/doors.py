"""Both doors lead to the same engine: what is read over REST is what is read over gRPC."""

from __future__ import annotations

from collections.abc import Iterator

from rochallor_conformance.contract.operations import operations
from rochallor_conformance.oracles.comparing import Said, differences
from rochallor_conformance.oracles.mapped import sayable
from rochallor_conformance.oracles.scene import Scene
from rochallor_conformance.transports.exchange import Exchange


def doors(scene: Scene) -> Iterator[str]:
    """Yield a sentence for each thing that looks different from the other side."""
    for rest, grpc in scene.sights:
        if rest.is_ok != grpc.is_ok:
            yield f"{rest.target} was answered {rest.status} over REST, and {grpc.status} over gRPC"
        elif rest.is_ok:
            for found in differences(_said(rest), _said(grpc), _everything, base_only=scene.base_only):
                yield f"{rest.target}: {found.pointer} is {found.expected!r} over REST, and {found.actual!r} over gRPC"


def _said(exchange: Exchange) -> Said:
    assert exchange.status is not None
    return Said(exchange.transport, exchange.status, sayable(exchange.response, operations()[exchange.operation]), {})


def _everything(_text: str) -> bool:
    """No time may differ either: nothing has moved between the two."""
    return True
