"""Limits of single handlers: at a time, and per second."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, TypedDict

import pytest
from workflow_sdk import HandlerRegistry, JobContext
from workflow_sdk.worker.limits import Lane, lanes_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .conftest import Bench


class Limits(TypedDict, total=False):
    """What a handler may be limited by."""

    max_concurrency: int
    rate_limit: float
    timeout: float


class Most:
    """How many ran at a time, and when each began."""

    def __init__(self, registry: HandlerRegistry) -> None:
        self.registry = registry
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.began: list[float] = []

    def handler(self, job_type: str, seconds: float, **limits: Unpack[Limits]) -> None:
        @self.registry.register(job_type, **limits)
        async def work(_ctx: JobContext) -> None:
            self.now[job_type] += 1
            self.most[job_type] = max(self.most[job_type], self.now[job_type])
            self.began.append(asyncio.get_running_loop().time())
            await asyncio.sleep(seconds)
            self.now[job_type] -= 1


async def late(bench: Bench, count: int, job_type: str, *, seconds: float) -> None:
    """Add jobs when the others have been at work for a while; return when all of them are done, in so long at most."""
    await asyncio.sleep(5)
    bench.engine.add(count, job_type)
    await bench.until(lambda: sum(job.startswith(job_type) for job in bench.engine.completed) == count, seconds)


def test_no_more_of_a_type_at_a_time_than_allowed(bench: Bench) -> None:
    """Three of the limited type, as many of the other as there is room for; all are done."""
    most = Most(bench.registry)
    most.handler("narrow", 1, max_concurrency=3)
    most.handler("wide", 1)
    bench.engine.add(30, "narrow")
    bench.engine.add(200, "wide")
    bench.run(lambda: bench.until(lambda: len(bench.engine.completed) == 230), parallelism=16)
    assert most.most["narrow"] == 3
    assert most.most["wide"] >= 12
    assert bench.engine.most_claimed <= 16


@pytest.mark.parametrize("parallelism", [1, 2, 16])
def test_limited_type_is_not_kept_waiting_by_polls_that_bring_nothing(bench: Bench, parallelism: int) -> None:
    """The poll of the others is held with all free slots and brings nothing; the next one leaves a slot for it."""
    most = Most(bench.registry)
    most.handler("narrow", 1, max_concurrency=1)
    most.handler("wide", 1)
    bench.engine.add(20, "narrow")
    done = bench.engine.completed
    bench.run(lambda: bench.until(lambda: len(done) == 20, seconds=100), parallelism=parallelism, long_poll_ms=2_000)


def test_limited_type_gets_on_beside_one_that_always_has_more(bench: Bench) -> None:
    """Reports that bring the next jobs along leave room for a lane that waits."""
    most = Most(bench.registry)
    most.handler("narrow", 1, max_concurrency=2)
    most.handler("wide", 1)
    bench.engine.add(1_000, "wide")

    async def script() -> None:
        await late(bench, 20, "narrow", seconds=60)
        assert len(bench.engine.completed) < 1_000

    bench.run(script, parallelism=8)


def test_no_more_of_a_type_per_second_than_allowed(bench: Bench) -> None:
    """Two a second, after a burst of two: twenty take nine seconds."""
    most = Most(bench.registry)
    most.handler("slow", 0.001, rate_limit=2)
    bench.engine.add(20, "slow")
    bench.run(lambda: bench.until(lambda: len(bench.engine.completed) == 20))
    most.began.sort()
    assert all(later - earlier > 0.99 for earlier, later in zip(most.began, most.began[3:], strict=False))
    assert 8.9 <= most.began[-1] - most.began[0] <= 10


def test_rate_below_one_a_second(bench: Bench) -> None:
    """One every four seconds."""
    most = Most(bench.registry)
    most.handler("rare", 0.001, rate_limit=0.25)
    bench.engine.add(4, "rare")
    bench.run(lambda: bench.until(lambda: len(bench.engine.completed) == 4))
    assert 11.9 <= most.began[-1] - most.began[0] <= 13


def test_limited_type_with_much_to_do_does_not_starve_the_others(bench: Bench) -> None:
    """All of its jobs are slow and waiting; the other type still gets its share."""
    most = Most(bench.registry)
    most.handler("hog", 1000, max_concurrency=100)
    most.handler("quick", 0.01)
    bench.engine.add(100, "hog")

    bench.run(lambda: late(bench, 50, "quick", seconds=20), parallelism=8, shutdown_timeout=1)


def test_types_with_limits_are_polled_by_themselves() -> None:
    """The others share one poll."""
    registry = HandlerRegistry()
    served: dict[str, Limits] = {"a": {}, "b": {"max_concurrency": 1}, "c": {"timeout": 3}, "d": {"rate_limit": 1}}
    for job_type, limits in served.items():
        registry.register(job_type, print, **limits)
    assert [(lane.job_types, lane.is_limited) for lane in lanes_of(registry, float)] == [
        (["b"], True),
        (["d"], True),
        (["a", "c"], False),
    ]


def test_rate_allows_a_burst_of_one_second_and_no_more() -> None:
    """Time that passed unused is not saved up."""
    now = 0.0
    lane = Lane(["a"], None, 5, lambda: now)
    assert lane.allowance(100) == 5
    lane.take(5)
    assert lane.allowance(100) == 0
    assert lane.seconds_until_more() == pytest.approx(0.2)
    now = 1000.0
    assert lane.allowance(100) == 5
