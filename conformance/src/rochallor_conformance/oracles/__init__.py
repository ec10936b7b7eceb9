"""What must hold in every case, whatever it is about: judged over the journal once the case is through.

`ORACLES` is the table. An oracle is a function of a scene that yields sentences; one module per kind of promise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rochallor_conformance.oracles.doors import doors
from rochallor_conformance.oracles.leaks import leaks
from rochallor_conformance.oracles.leases import leases
from rochallor_conformance.oracles.lifecycle import lifecycle
from rochallor_conformance.oracles.repeats import repeats
from rochallor_conformance.oracles.scene import Scene
from rochallor_conformance.oracles.wire import wire

__all__ = ["ORACLES", "Scene", "findings"]

ORACLES: dict[str, Callable[[Scene], Iterator[str]]] = {
    "wire": wire,
    "lifecycle": lifecycle,
    "leases": leases,
    "repeats": repeats,
    "doors": doors,
    "leaks": leaks,
}


def findings(scene: Scene) -> Iterator[tuple[str, str]]:
    """Yield the name of an oracle and its sentence for everything that should not be."""
    is_misshapen = False
    for name, oracle in ORACLES.items():
        try:
            for sentence in oracle(scene):
                is_misshapen = is_misshapen or name == "wire"
                yield name, sentence
        except (AttributeError, KeyError, TypeError, ValueError):
            if not is_misshapen:  # what the others stand on is missing, and `wire` has said so
                raise
