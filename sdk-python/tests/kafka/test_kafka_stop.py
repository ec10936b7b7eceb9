"""A worker on Kafka ends like any: it drains, and leaves behind what others can take up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .conftest import Bench, Settings


Stopped = Callable[..., float]


@pytest.fixture
def stopped(bench: Bench) -> Stopped:
    """Stop a worker with jobs of so many seconds under way; return how long it took to end."""

    def run(*seconds: float, after: Callable[[], object] | None = None, **settings: Unpack[Settings]) -> float:
        for number, each in enumerate(seconds):
            bench.log.publish(f"j{number}", variables={"seconds": each})
        began: list[float] = []

        async def script() -> Callable[[], float]:
            await bench.until(lambda: bench.ran)
            await asyncio.sleep(1)
            loop = asyncio.get_running_loop()
            began.append(loop.time())
            if after is not None:
                loop.call_later(1, after)
            return lambda: loop.time() - began[0]

        return bench.run(script, **settings)()

    return run


def test_jobs_under_way_are_finished_and_committed(bench: Bench, stopped: Stopped) -> None:
    """Ten seconds of work are waited for, no longer, and nothing comes again."""
    assert 8 <= stopped(10, 5) < 11
    assert bench.log.committed_at() == 2
    assert bench.consumer.closed


def test_what_was_not_begun_is_left_for_others(bench: Bench, stopped: Stopped) -> None:
    """With one slot, the second record stays in Kafka and is not committed past."""
    stopped(5, 5, 5, parallelism=1)
    assert (bench.ran, bench.log.committed_at()) == ({"j0": 1}, 1)


def test_the_group_is_not_left_before_the_end(bench: Bench) -> None:
    """While it drains the consumer is polled, paused, so that its partitions stay until they are done."""
    bench.log.publish("j", variables={"seconds": 20})

    async def script() -> None:
        await bench.until(lambda: bench.running)
        bench.stop.set()
        await asyncio.sleep(2)
        bench.log.publish("new")
        before = bench.consumer.polls
        await asyncio.sleep(10)
        assert bench.consumer.polls - before >= 15
        assert (bench.consumer.paused, bench.consumer.closed) == ({0}, False)

    bench.run(script)
    assert (bench.ran, bench.log.committed_at()) == ({"j": 1}, 1)


def test_what_does_not_end_in_time_is_reported_to_be_tried_again(bench: Bench, stopped: Stopped) -> None:
    """The engine publishes it anew, so its record is done with."""
    assert stopped(1000, shutdown_timeout=5) < 7
    assert bench.engine.failed["j0"].retryable
    assert bench.log.committed_at() == 1


def test_what_could_not_be_reported_comes_again(bench: Bench, stopped: Stopped) -> None:
    """An engine that does not answer: the worker ends all the same, and commits nothing."""
    bench.engine.answer_seconds = 10_000
    assert stopped(1, shutdown_timeout=5) < 12
    assert bench.log.commits == []


def test_second_signal_means_now(bench: Bench, stopped: Stopped) -> None:
    """Nothing is waited for but the goodbye to the group."""

    def hurry() -> None:
        bench.stopping.on_signal()
        bench.stopping.on_signal()

    assert stopped(1000, after=hurry) < 3
    assert bench.consumer.closed
