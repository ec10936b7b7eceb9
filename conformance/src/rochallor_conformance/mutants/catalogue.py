"""Every patch by its mutant's name.

A mutant whose sentence holds several defects has a patch for each, its strains: `division-integer` and
`division-integer+by-zero`. Each of them must be killed.
"""

from __future__ import annotations

from typing import Final

from rochallor_conformance.mutants import (
    definition,
    expression,
    gateway,
    instance,
    job,
    people,
    security,
    timer,
    wire,
)
from rochallor_conformance.mutants.patch import Patch

AREAS: Final = (definition, instance, job, gateway, timer, expression, people, wire, security)
HEALTHY: Final = "healthy"
"""The strain without a defect; no mutant has its name."""

PATCHES: Final[dict[str, Patch]] = {
    HEALTHY: (),
    **{strain: patch for area in AREAS for strain, patch in area.PATCHES.items()},
}


def mutant_of(strain: str) -> str:
    """Return the mutant that a strain is one of."""
    return strain.partition("+")[0]


def strains_of(mutant: str) -> list[str]:
    """Return the strains of a mutant, in the order of the tables."""
    return [strain for strain in PATCHES if mutant_of(strain) == mutant]
