"""One engine under loads of all shapes: few callers and many, starts only, wide and heavy instances, two engines.

Each shape is compared with single REST reports from 64 connections on the same store, in the same round. See
`bench.shape_turns` for what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple

from rich.console import Console

from bench import bars
from bench.completions import Herd
from bench.contestants import CONNECTIONS, Turn
from bench.engine import EngineProcess
from bench.flow import CLAIM, definition
from bench.shape_turns import SINGLE, STORM, Figures, Shape, shapes
from bench.sidebyside import Effort, Entry, figures_of, in_turns, table_of
from bench.stores import Environment, Stores

_FASTEST_PER_S = 9_000
TITLE = "Shapes of load, durable commits"


class Wanted(NamedTuple):
    """How much to measure: rounds and seconds, parts of names (none: all), how many instances wait at each start."""

    effort: Effort = Effort()
    only: tuple[str, ...] = ()
    instances: int | None = None

    @property
    def herd_size(self) -> int:
        """Return how many instances wait: enough for the fastest unless told."""
        return self.instances or round((self.effort.warm_s + self.effort.measure_s + 0.5) * _FASTEST_PER_S)

    def takes_part(self, name: str) -> bool:
        """Tell whether a shape does; what the others are compared with always does."""
        return not self.only or name == SINGLE or any(part.lower() in name.lower() for part in self.only)


def measure(console: Console, places: Sequence[Stores], wanted: Wanted) -> dict[str, Any]:
    """Run all rounds; return the figures of each round by store and shape, and how they stand to the bars."""
    herd = Herd.born_before(wanted.herd_size)
    filled = {place.name: _filled(console, place, herd) for place in places}
    labels = (f"shape_{number}" for number in count())
    entries = [
        Entry(place.name, name, _turn(place, filled[place.name], shape, Turn({}, herd, *wanted.effort[1:]), labels))
        for place in places
        for name, shape in shapes(place.name).items()
        if wanted.takes_part(name)
    ]
    rounds, _ = in_turns(console, entries, wanted.effort.rounds)
    for place in places:
        place.drop(filled[place.name])
    settings = {"connections": CONNECTIONS, "claim": CLAIM, "instances": herd.size, **wanted.effort._asdict()}
    return figures_of(rounds, SINGLE, settings)


def _turn(place: Stores, filled: Environment, shape: Shape, given: Turn, labels: Iterator[str]) -> Any:
    def turn() -> Figures:
        label = next(labels)
        store = place.copy(filled, label) if shape.herd else place.empty(label)
        figures = shape.turn(given._replace(store=store))
        place.drop(store)
        return figures

    return turn


def _filled(console: Console, place: Stores, herd: Herd) -> Environment:
    console.print(f"{place.name}: {herd.size:,} instances are made to wait …", highlight=False)
    store = place.empty("shapes")
    with EngineProcess(store) as engine:
        engine.upload(definition())
    place.pour(store, herd.waiting())
    return store


def report(console: Console, measured: dict[str, Any]) -> None:
    """Print the table."""
    rounds = measured["rounds"]
    console.print(table_of(TITLE, rounds, bars.judge(rounds), SINGLE))
    console.print(f"{STORM}: a start takes the place of a job. Shapes with starts: a job has its share of starting.")
