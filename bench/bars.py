"""What speed is promised, as ratios of two contestants of one run: a table. Durations in ms and µs stand alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.cases import (
    ACROSS_HALF,
    ANALYSED,
    FIRST,
    LAST,
    LONG_HALF,
    OPEN,
    PINNED,
    UNANALYSED,
    UNPINNED,
    many_open,
)
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
from bench.peer_turns import BATCHED, DBOS, DBOS_TWICE, SINGLE
from bench.shape_turns import SINGLE as SHAPE_SINGLE
from bench.shape_turns import STORM

Figures = Mapping[str, float]
Rounds = Mapping[str, Mapping[str, Sequence[Figures]]]
"""Figures of each round, by store and contestant."""


class Bar(NamedTuple):
    """A promise about a figure of a contestant: itself, or divided by that of another one in the same round.

    Speeds must be at least the limit, times and sizes at most; ratios of them as well.
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
        whom = f"{name}{'' if store == self.store else ' on ' + store}"
        return (
            f"{whom} ≥ {self.limit:g}" if self.more_is_better else f"{_SHARES[self.figure]} ÷ {whom} ≤ {self.limit:g}"
        )

    @property
    def more_is_better(self) -> bool:
        """Tell speeds from times and sizes."""
        return self.figure == _SPEED


_TIMES = {
    "p50_ms": "p50 ≤ {:g} ms",
    "p99_ms": "p99 ≤ {:g} ms",
    "engine_cpu_us": "engine CPU ≤ {:g} µs",
    "engine_rss_mb": "engine ≤ {:g} MB",
}
_SHARES = {"poll_p50_ms": "poll p50", "poll_p99_ms": "poll p99"}

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
    Bar(_PG, STORM, _SPEED, 0.5, (_PG, SHAPE_SINGLE)),
    Bar(_LITE, STORM, _SPEED, 0.5, (_LITE, SHAPE_SINGLE)),
    *(
        Bar(_PG, name, _SPEED, limit, (_PG, other))
        for name, limit in ((SINGLE, 20), (BATCHED, 35))
        for other in (DBOS, DBOS_TWICE)
    ),
    *(
        Bar(store, name, figure, limit)
        for store, name in ((_PG, LONG_HALF), (_PG, ACROSS_HALF), (_LITE, LONG_HALF))
        for figure, limit in (("p50_ms", 5), ("p99_ms", 25))
    ),
    # As fast at the end as at first: what ten seconds differ from ten others by chance is allowed.
    *(Bar(store, LAST, _SPEED, 0.95, (store, FIRST)) for store in (_PG, _LITE)),
    *(Bar(_PG, PINNED, figure, 2, (_PG, UNPINNED)) for figure in ("poll_p50_ms", "poll_p99_ms")),
    Bar(_PG, UNANALYSED, _SPEED, 0.8, (_PG, ANALYSED)),
    Bar(_PG, UNANALYSED, "poll_p99_ms", 1.2, (_PG, ANALYSED)),
    Bar(_PG, many_open(OPEN), "engine_rss_mb", 150),
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
        if bar.against is None:
            values = [each[bar.figure] for each in of]
        else:
            others = rounds.get(bar.against[0], {}).get(bar.against[1])
            if not others:
                continue
            values = ratios(of, others, bar.figure)
        middle = statistics.median(values)
        passed = middle >= bar.limit if bar.more_is_better else middle <= bar.limit
        judged.append(Judged(bar.store, bar.name, bar.words, bar.limit, middle, min(values), max(values), passed))
    return judged


def ratios(of: Sequence[Figures], others: Sequence[Figures], figure: str = _SPEED) -> list[float]:
    """Return how many times as fast as the others, or how much more of another figure, round by round."""
    return [_value(mine, figure) / _value(other, figure) for mine, other in zip(of, others, strict=True)]


def _value(figures: Figures, figure: str) -> float:
    return speed(figures) if figure == _SPEED else figures[figure]


def speed_key(figures: Figures) -> str:
    """Return which figure tells what was finished per second: jobs, or instances started where there are no jobs."""
    return _SPEED if _SPEED in figures else "starts_per_s"


def speed(figures: Figures) -> float:
    """Return what was finished per second."""
    return figures[speed_key(figures)]
