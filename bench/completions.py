"""The rows that completing a job writes, ready made: as an engine would write them, without the work of an engine.

They come from the real machine by way of `bench.fill`, like the store that they go into.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import repeat
from typing import Any, NamedTuple

from bench.fill import Clone, clones, in_a_row, play
from bench.flow import RESULT, STEPS, VARIABLES, definition
from bench.stores import Batch

Values = tuple[Any, ...]

EVERY_MS = 1
_AGE_MS = 3_600_000


class Completion(NamedTuple):
    """One row per statement; `insert_job` is None for the last job of an instance."""

    update_instance: Values
    insert_event: Values
    delete_job: Values
    insert_job: Values | None


class Herd(NamedTuple):
    """Instances that wait at their first job: so many, the first of them born then."""

    size: int
    first_ms: int

    @classmethod
    def born_before(cls, size: int) -> Herd:
        """Return instances that started one each millisecond and ended doing so an hour ago."""
        return cls(size, time.time_ns() // 1_000_000 - _AGE_MS - size * EVERY_MS)

    def members(self) -> Iterator[Clone]:
        """Return who they are."""
        return in_a_row(self.size, self.first_ms, EVERY_MS)

    def waiting(self) -> Iterator[Batch]:
        """Return their rows before anything is completed."""
        return clones(play(definition(), VARIABLES, results=0), self.members())

    def completions(self) -> dict[tuple[str, int], Completion]:
        """Return by (instance, step) what completing that job writes."""
        found: dict[tuple[str, int], Completion] = {}
        for change in play(definition(), VARIABLES, results=STEPS, result=RESULT)[1:]:
            rows: dict[str, list[Values]] = {}
            for name, some in clones([change], self.members()):
                rows.setdefault(name, []).extend(some)
            assert set(rows) - {"insert_job"} == set(Completion._fields) - {"insert_job"}
            columns = [rows.get(name, repeat(None)) for name in Completion._fields]
            for row in zip(*columns, strict=False):  # the repeated None has no end
                done = Completion(*row)
                found[done.delete_job[0], done.delete_job[1]] = done
        return found
