"""What speed is promised, as ratios of two contestants of one run: a table. Durations in ms and µs stand alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.contestants import (
    CHATTY,
    DOOR,
    FLOOR,
    GRPC,
    GRPC_BATCHED,
    INSIDE,
    INSIDE_BATCHED,
    LEAN,
    REST,
    REST_BATCHED,
    WIDTHS,
)

Figures = Mapping[str, float]
Rounds = Mapping[str, Mapping[str, Sequence[Figures]]]
"""Figures of each round, by store and contestant."""


class Bar(NamedTuple):
    """A promise about a figure of a contestant: itself, or divided by that of another one in the same round.

    Ratios must be at least the limit, and times at most.
    """

    store: str
    name: str
    figure: str
    limit: float
    against: tuple[str, str] | None = None

    @property
    def words(self) -> str:
        """Say what is compared and promised."""
        if self.against is None:
            return _TIMES[self.figure].format(self.limit)
        store, name = self.against
        return f"{name}{'' if store == self.store else ' on ' + store} ≥ {self.limit:g}"


_TIMES = {"p50_ms": "p50 ≤ {:g} ms", "engine_cpu_us": "engine CPU ≤ {:g} µs"}

_PG, _LITE = "postgres", "sqlite"
_SPEED = "jobs_per_s"

BARS = (
    Bar(_PG, REST, _SPEED, 0.3, (_PG, FLOOR)),
    Bar(_PG, REST, _SPEED, 2, (_PG, LEAN)),
    Bar(_PG, REST, _SPEED, 5, (_PG, CHATTY)),
    Bar(_PG, REST, "p50_ms", 6),
    Bar(_PG, REST, "engine_cpu_us", 90),
    Bar(_PG, REST_BATCHED, _SPEED, 0.5, (_PG, FLOOR)),
    Bar(_PG, REST_BATCHED, "engine_cpu_us", 35),
    Bar(_PG, GRPC, _SPEED, 0.07, (_PG, FLOOR)),
    Bar(_PG, GRPC, _SPEED, 0.6, (_PG, DOOR)),
    Bar(_PG, GRPC_BATCHED, _SPEED, 0.5, (_PG, FLOOR)),
    Bar(_PG, GRPC_BATCHED, "engine_cpu_us", 35),
    Bar(_LITE, REST, _SPEED, 1, (_PG, REST)),
    Bar(_LITE, REST, "engine_cpu_us", 90),
    Bar(_LITE, REST_BATCHED, _SPEED, 1.2, (_PG, REST_BATCHED)),
    Bar(_LITE, REST_BATCHED, "engine_cpu_us", 35),
)

ORDER = (FLOOR, LEAN, CHATTY, REST, *WIDTHS, REST_BATCHED, GRPC, GRPC_BATCHED, INSIDE, INSIDE_BATCHED, DOOR)


class Judged(NamedTuple):
    """A bar with what was measured: the median over the rounds, and the lowest and the highest round."""

    store: str
    name: str
    words: str
    limit: float
    measured: float
    lowest: float
    highest: float
    passed: bool


def judge(rounds: Rounds) -> list[Judged]:
    """Return every bar of which both sides were measured."""
    judged = []
    for bar in BARS:
        of = rounds.get(bar.store, {}).get(bar.name)
        if not of:
            continue
        values = [each[bar.figure] for each in of]
        if bar.against is not None:
            others = rounds.get(bar.against[0], {}).get(bar.against[1])
            if not others:
                continue
            values = ratios(of, others)
        middle = statistics.median(values)
        passed = middle <= bar.limit if bar.against is None else middle >= bar.limit
        judged.append(Judged(bar.store, bar.name, bar.words, bar.limit, middle, min(values), max(values), passed))
    return judged


def ratios(of: Sequence[Figures], others: Sequence[Figures]) -> list[float]:
    """Return how many times as fast as the others, round by round."""
    return [mine[_SPEED] / other[_SPEED] for mine, other in zip(of, others, strict=True)]
