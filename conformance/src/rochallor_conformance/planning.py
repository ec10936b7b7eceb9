"""Which cases a run plays, in which order: pure selection, the same for the same words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from rochallor_conformance.cases.model import Case

LEVELS = ("MUST", "SHOULD", "MAY")


class Wanted(NamedTuple):
    """What was asked for. `cases` are patterns of ids, areas or requirements; none means all. `shard` is (i, n)."""

    transports: tuple[str, ...]
    cases: tuple[str, ...] = ()
    level: str = "MAY"
    shard: tuple[int, int] = (1, 1)
    revision: frozenset[str] | None = None


class Planned(NamedTuple):
    """One play: a case over one transport."""

    case: Case
    transport: str

    @property
    def name(self) -> str:
        """The case with its variant and transport."""
        return f"{self.case.name} over {self.transport}"


def plan(cases: Sequence[Case], wanted: Wanted, target: str = "engine") -> list[Planned]:
    """Return the plays of a run, in the order of the corpus, transport after transport."""
    chosen = [case for case in cases if _is_wanted(case, wanted, target)]
    plays = [
        Planned(case, transport) for transport in wanted.transports for case in chosen if transport in case.transports
    ]
    index, count = wanted.shard
    return plays[index - 1 :: count]


def _is_wanted(case: Case, wanted: Wanted, target: str) -> bool:
    if target not in case.targets or LEVELS.index(case.level) > LEVELS.index(wanted.level):
        return False
    if wanted.revision is not None and case.id not in wanted.revision:
        return False
    names = (case.name, case.id, case.area, *case.spec)
    return not wanted.cases or any(_fits(pattern, names) for pattern in wanted.cases)


def _fits(pattern: str, names: Iterable[str]) -> bool:
    """Whether a pattern fits a name; `[variant]` in it is meant as it stands."""
    literal = pattern.replace("[", "[[]")
    return any(fnmatchcase(name, literal) for name in names)
