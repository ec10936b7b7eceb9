"""The matrix: every journey on every cell, undisturbed and killed, and the one table that reports it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import NamedTuple

from e2e.faults.places import PostgresPlace, SqlitePlace
from e2e.journeys.bank import Bank
from e2e.journeys.journey import Journey, Json
from e2e.journeys.kills import Killer, plan, victims_of
from e2e.journeys.loan import LOAN_JOURNEYS
from e2e.journeys.player import Played, Player
from e2e.journeys.shapes import SHAPES
from e2e.journeys.site import Cell, Site

JOURNEYS = (*LOAN_JOURNEYS, *SHAPES)
CELLS = (
    Cell("sqlite", "rest"),
    Cell("sqlite", "grpc"),
    Cell("postgres", "rest"),
    Cell("postgres", "grpc"),
    Cell("postgres", "rest", engines=2),
    Cell("postgres", "grpc", engines=2),
)
STORES = tuple(dict.fromkeys(cell.store for cell in CELLS))
TRANSPORTS = tuple(dict.fromkeys(cell.transport for cell in CELLS))
ENDED, ELSEWHERE = "✓", "✗"
LEGEND = (
    f"ms from start to end, then {ENDED} for as expected; a letter for each kill that changed nothing: "
    f"E engine, W worker, D database; {ELSEWHERE} in its place when it did"
)
MODES = UNDISTURBED, KILLED = "undisturbed", "killed"
Say = Callable[[str], None]


class Failure(NamedTuple):
    """A journey that came out otherwise, the last history of it and its child, and how to play it again."""

    sentence: str
    history: Sequence[Json]
    again: str

    def __str__(self) -> str:
        """Show it as it is printed: the sentence, a line for each step execution, the command."""
        lines = [f"    {json.dumps(item, ensure_ascii=False)}" for item in self.history]
        return "\n".join([self.sentence, *(lines or ["    there is no history: it was not started"]), self.again])


class Report:
    """What came of everything: a text for each field of the table, and the failures."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.marks: dict[tuple[str, Cell], str] = {}
        self.failures: list[Failure] = []

    def note(self, journey: Journey, cell: Cell, played: Played, kill: str = "") -> None:
        """Add one played journey; `kill` says what was killed in it."""
        field, ok = (journey.name, cell), not played.problems
        mark = (kill[0].upper() if kill else ENDED) if ok else ELSEWHERE
        if kill:
            self.marks[field] = self.marks.get(field, "") + mark
        else:
            self.marks[field] = f"{played.ms} {mark} "
        if not ok:
            where = f"{journey.name} on {cell.name}" + (f", {kill}" if kill else "")
            again = f"  again: python -m e2e.journeys --store {cell.store} --transport {cell.transport}"
            again += f' --journey "{journey.name}"' + (f" --kill --seed {self._seed}" if kill else "")
            self.failures.append(Failure(f"{where}: {'; '.join(played.problems)}", played.history, again))

    def table(self) -> str:
        """Return the table, a row for each journey and a column for each cell."""
        cells = [cell for cell in CELLS if any(cell == there for _, there in self.marks)]
        names = [journey.name for journey in JOURNEYS if any(journey.name == there for there, _ in self.marks)]
        rows = [["journey", *(cell.name for cell in cells)]]
        rows += [[name, *(self.marks.get((name, cell), "-").rstrip() for cell in cells)] for name in names]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(line.rstrip() for line in (*lines, "", LEGEND))


def _hush(_sentence: str) -> None:
    """Say nothing."""


async def play(
    cells: Sequence[Cell], journeys: Sequence[Journey], *, seed: int, modes: Sequence[str] = MODES, say: Say = _hush
) -> Report:
    """Play journeys on cells, in this order and these modes. `seed` decides when what is killed."""
    report = Report(seed)
    async with _ground(cells) as (folder, places), Bank() as bank:
        for cell in cells:
            for mode in modes:
                say(f"{cell.name}, {mode}")
                short_leases, place = mode == KILLED, places[cell.store]
                async with Site(cell, place, folder, bank_port=bank.port, short_leases=short_leases) as site:
                    stage = _Stage(site, bank, report, mode=mode, seed=seed)
                    await (stage.killed(journeys) if mode == KILLED else stage.undisturbed(journeys))
    return report


class _Stage:
    """One site on which journeys are played one after the other, each under a business key of its own."""

    def __init__(self, site: Site, bank: Bank, report: Report, *, mode: str, seed: int) -> None:
        self._site = site
        self._bank = bank
        self._report = report
        self._seed = seed
        self._keys = (f"{site.cell.name} {mode} {number}" for number in count())

    async def undisturbed(self, journeys: Sequence[Journey]) -> None:
        # Once for nothing, so that no journey's time is that of a worker that starts.
        await Player(self._site.client, self._bank).play(journeys[0], next(self._keys))
        for journey in journeys:
            played = await Player(self._site.client, self._bank).play(journey, next(self._keys))
            self._report.note(journey, self._site.cell, played)

    async def killed(self, journeys: Sequence[Journey]) -> None:
        for journey in journeys:
            for victim in victims_of(self._site):
                await self._kill(journey, victim)

    async def _kill(self, journey: Journey, victim: str) -> None:
        chance = Random(f"{self._seed} {journey.name} {self._site.cell.name} {victim}")  # noqa: S311 - a schedule
        kill, key = plan(journey, victim, chance), next(self._keys)
        killer = Killer(kill, self._site, self._bank, key)
        player = Player(self._site.client, self._bank, after_act=killer.after_act)
        played = await player.play(journey, key)
        played.problems.extend(await killer.finish())
        self._report.note(journey, self._site.cell, played, str(kill))


@asynccontextmanager
async def _ground(cells: Sequence[Cell]) -> AsyncIterator[tuple[Path, dict[str, SqlitePlace | PostgresPlace]]]:
    """Have a folder, and a place for each store that the cells need."""
    with tempfile.TemporaryDirectory(prefix="journeys-") as name:
        places: dict[str, SqlitePlace | PostgresPlace] = {"sqlite": SqlitePlace(Path(name))}
        try:
            if any(cell.store == "postgres" for cell in cells):
                places["postgres"] = postgres = PostgresPlace()
                await postgres.start()
            yield Path(name), places
        finally:
            for place in places.values():
                await place.close()
