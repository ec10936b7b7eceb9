"""Array statements of a batch as one, because a round trip costs as much as the rows of ten jobs.

Each becomes a common table expression that changes rows. All of them see the tables as they were before, so no row may
go and another come at its place (`Batch.replaces`). PostgreSQL runs first what the end reads, and that is the instances
that move: so they are locked before anything else, as everywhere.

Only what a batch has rows for is in its statement, because a part costs the database without rows, too: the one for new
instances 130 µs. There are few combinations, and the connection keeps the plan of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial

from rochallor.stores.postgres.claims import SQL

MOVES, RELIES = "update_instance", "superseded"
_ENDS = {MOVES: "all_moved", RELIES: "none_superseded"}

_PARAMETER = re.compile(r"\$(\d+)")


@lru_cache(maxsize=512)
def together(names: tuple[str, ...]) -> str:
    """Return one statement that does these; its parameters are theirs, in this order.

    If `MOVES` is among them, two more follow: how many instances have to move, and what to say if others did. If
    `RELIES` is, one more: what to say if it is not the newest version.
    """
    ends = [end for name, end in _ENDS.items() if name in names]
    shifted = dict(zip((*names, *ends), _shifted(SQL[name] for name in (*names, *ends)), strict=True))
    checks = [f"({shifted.pop(end)})" for end in ends]
    if MOVES in names:
        shifted[MOVES] += " RETURNING 1"
    parts = ", ".join(f"{name} AS ({statement})" for name, statement in shifted.items())
    return f"WITH {parts} SELECT {', '.join(checks) or 0}"


def _shifted(statements: Iterable[str]) -> Iterator[str]:
    """Give statements whose parameters count on from those of the one before."""
    before = 0
    for statement in statements:
        numbers = [int(number) for number in _PARAMETER.findall(statement)]
        yield _PARAMETER.sub(partial(_moved, before), statement)
        before += max(numbers)


def _moved(by: int, parameter: re.Match[str]) -> str:
    return f"${int(parameter[1]) + by}"
