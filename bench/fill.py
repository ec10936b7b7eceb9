"""Fills a store with as many instances as a year of work would, in seconds.

One instance is played by the real machine and projected into rows by the stores' own table of events and rows. Its
clones differ in their ids and are moved in time; everything else is what an engine would have written. What would
break it: writing a row by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, NamedTuple

from msgspec.structs import replace
from rochallor.core import commands as cmd
from rochallor.core.context import Context
from rochallor.core.definition import parse_definition
from rochallor.core.definition.model import Definition
from rochallor.core.events import Committed
from rochallor.core.ids import JobRef, ulid
from rochallor.core.machine import step
from rochallor.core.model import Instance, Lease
from rochallor.core.variables import Variables, parse_variables
from rochallor.ports import Change
from rochallor.stores.projections import project

from bench.stores import Batch

BORN_MS = 1_700_000_000_000
"""When the instances that are cloned start; times are told from other numbers by being near it."""

WORKER = "bench"
_ORIGINAL = ulid(BORN_MS, 0)
_MARK = re.compile(rf"{_ORIGINAL}|\b17000\d{{8}}\b")
_AT_ONCE = 2_000
_PACE_MS = 1_000

Values = tuple[Any, ...]


class Clone(NamedTuple):
    """One copy to make: its id, and how much later than the original it lived."""

    instance_id: str
    later_ms: int


def play(
    source: bytes,
    variables: bytes,
    *,
    results: int,
    result: bytes = b"{}",
    instance_id: str = _ORIGINAL,
    born_ms: int = BORN_MS,
) -> list[Change]:
    """Start an instance and complete its first `results` jobs, one each second; return what is to be stored."""
    parsed = parse_definition(source).definition
    assert parsed is not None
    history = _History(replace(parsed, version=1))
    history.do(cmd.StartInstance(instance_id=instance_id, variables=_map(variables)), born_ms)
    for number in range(1, results + 1):
        job = JobRef(instance_id, number, 1)
        report = cmd.CompleteJob(
            instance_id=instance_id, actor=WORKER, job=job, worker_id=WORKER, variables=_map(result)
        )
        history.do(report, born_ms + number * _PACE_MS)
    return history.changes


def _map(variables: bytes) -> Variables:
    return parse_variables(variables, pointer="/variables")


class _History:
    """The machine, with a memory of what it did to one instance of a definition's first version."""

    def __init__(self, definition: Definition) -> None:
        self.changes: list[Change] = []
        self._definition = definition
        self._instance: Instance | None = None

    def do(self, command: cmd.Command, at_ms: int) -> None:
        """Do a command and keep its change."""
        context = Context(now_ms=at_ms, lease=Lease(WORKER, "", at_ms + 1))
        outcome = step(self._definition, self._instance, command, context)
        assert outcome.error is None
        assert outcome.events
        self._instance = after = outcome.instance
        committed = Committed(after.id, after.revision, at_ms, command.actor, command.kind, outcome.events)
        self.changes.append(Change(committed, after))


def clones(changes: list[Change], wanted: Iterable[Clone]) -> Iterator[Batch]:
    """Return the rows of every clone of `changes`, played with the usual id and time, as (statement's name, rows)."""
    statements = [(name, list(rows)) for name, rows in project(changes, unique_keys=True).statements() if rows]
    mold = _Mold(row for _, rows in statements for row in rows)
    names = [name for name, rows in statements for _ in rows]
    waiting: list[list[Values]] = []
    for clone in wanted:
        waiting.append(mold.cast(clone))
        if len(waiting) == _AT_ONCE:
            yield from _gathered(names, waiting)
            waiting = []
    if waiting:
        yield from _gathered(names, waiting)


def _gathered(names: list[str], instances: list[list[Values]]) -> Iterator[Batch]:
    for name in dict.fromkeys(names):
        places = [place for place, other in enumerate(names) if other == name]
        yield name, [rows[place] for rows in instances for place in places]


class _Mold:
    """Rows in which ids and times are holes.

    A clone's values are put in a line: its id, its times, the texts that mention them, all constants; each row then
    picks its cells from that line. So the work per row is one call.
    """

    def __init__(self, rows: Iterable[Values]) -> None:
        self._times_ms: list[int] = []
        self._texts: list[tuple[str, Callable[[list[object]], Values]]] = []
        self._constants: list[object] = []
        cells = [[self._place(cell) for cell in row] for row in rows]
        starts = {"id": 0, "time": 1}
        starts["text"] = 1 + len(self._times_ms)
        starts["constant"] = starts["text"] + len(self._texts)
        self._rows = [itemgetter(*(starts[kind] + number for kind, number in row)) for row in cells]

    def cast(self, clone: Clone) -> list[Values]:
        """Return the rows of a clone."""
        line: list[object] = [clone.instance_id, *(time_ms + clone.later_ms for time_ms in self._times_ms)]
        line += [text % pick(line) for text, pick in self._texts]
        line += self._constants
        return [row(line) for row in self._rows]

    def _place(self, cell: object) -> tuple[str, int]:
        if cell == _ORIGINAL:
            return "id", 0
        if isinstance(cell, int) and _MARK.fullmatch(str(cell)):
            return "time", self._time(cell)
        if isinstance(cell, str) and _MARK.search(cell):
            places = [0 if mark == _ORIGINAL else 1 + self._time(int(mark)) for mark in _MARK.findall(cell)]
            self._texts.append((_MARK.sub("%s", cell.replace("%", "%%")), _picker(places)))
            return "text", len(self._texts) - 1
        assert not isinstance(cell, bytes) or not _MARK.search(cell.decode()), "variables that name the instance"
        self._constants.append(cell)
        return "constant", len(self._constants) - 1

    def _time(self, time_ms: int) -> int:
        if time_ms not in self._times_ms:
            self._times_ms.append(time_ms)
        return self._times_ms.index(time_ms)


def _picker(places: list[int]) -> Callable[[list[object]], Values]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda line: (line[places[0]],)


def in_a_row(count: int, first_ms: int, every_ms: float) -> Iterator[Clone]:
    """Return clones that started one after the other from `first_ms` on, as ULIDs have it: in the order of ids."""
    for number in range(count):
        at_ms = first_ms + int(number * every_ms)
        yield Clone(ulid(at_ms, number), at_ms - BORN_MS)
