"""Partitions come and go while jobs run: nothing is committed that is not done, and by nobody but the owner."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import pytest
from workflow_sdk import JobContext
from workflow_sdk.errors import ConnectionFailed

if TYPE_CHECKING:
    from .conftest import Bench


def test_a_partition_that_goes_waits_a_moment_for_its_jobs(bench: Bench) -> None:
    """Jobs that end in three seconds are reported and committed before the next owner reads."""
    for number in range(3):
        bench.log.publish(f"j{number}", variables={"seconds": 3})

    async def script() -> None:
        await bench.until(lambda: bench.running == 3)
        bench.consumer.rebalance("going", 0)
        await bench.until(lambda: not bench.consumer.positions, 5)

    bench.run(script)
    assert bench.log.committed_at() == 3


def test_what_takes_longer_is_left_to_the_next_owner(bench: Bench) -> None:
    """The first is done and committed; the second, of a minute, is finished and reported but not committed here."""
    bench.log.publish("quick")
    bench.log.publish("slow", variables={"seconds": 60})
    bench.log.publish("after")

    async def script() -> None:
        await bench.until(lambda: bench.running and len(bench.engine.completed) == 2)
        bench.consumer.rebalance("going", 0)
        await bench.until(lambda: not bench.consumer.positions, 7)
        assert bench.log.committed_at() == 1
        await bench.until(lambda: "slow" in bench.engine.completed)
        await asyncio.sleep(10)

    bench.run(script)
    assert bench.log.committed_at() == 1


def test_what_waits_for_a_slot_goes_with_its_partition(bench: Bench) -> None:
    """A record without a slot is not begun any more, and holds nothing up."""
    bench.registry.register("other", bench.work)
    bench.log.publish("one", variables={"seconds": 60})
    bench.log.publish("two", "other", variables={"seconds": 60})

    async def script() -> None:
        await bench.until(lambda: bench.running == 1)
        await asyncio.sleep(1)
        (waiting,) = {"one", "two"} - bench.ran.keys()
        consumer = bench.consumers["work" if waiting == "one" else "other"]
        assert consumer.positions == {0: 1}
        consumer.rebalance("going", 0)
        await bench.until(lambda: not consumer.positions, 1)
        await asyncio.sleep(100)
        assert waiting not in bench.ran

    bench.run(script, parallelism=1)


def test_what_was_to_be_tried_again_goes_with_its_partition(bench: Bench) -> None:
    """Its next owner tries it; this worker does not, when its pause is over."""
    bench.engine.faults.append(ConnectionFailed("reset", sent=True))

    @bench.registry.register("work")
    async def failing(ctx: JobContext) -> None:
        bench.ran[ctx["id"]] += 1
        raise ValueError("no")

    bench.log.publish("j")

    async def script() -> None:
        await bench.until(lambda: bench.engine.reports == 1)
        await asyncio.sleep(1)
        bench.consumer.rebalance("lost", 0)
        await asyncio.sleep(60)

    bench.run(script)
    assert (bench.ran["j"], bench.log.commits) == (1, [])


def test_a_lost_partition_is_not_committed(bench: Bench) -> None:
    """Somebody else has it already."""
    bench.log.publish("j", variables={"seconds": 2})

    async def script() -> None:
        await bench.until(lambda: bench.running)
        bench.consumer.rebalance("lost", 0)
        await bench.until(lambda: bench.engine.completed)
        await asyncio.sleep(10)

    bench.run(script)
    assert bench.log.commits == []


@pytest.mark.parametrize("event", ["going", "lost"])
def test_a_partition_that_comes_back_is_read_again(bench: Bench, event: Literal["going", "lost"]) -> None:
    """A job still under way from before is not run a second time beside it, and is committed by its new record."""
    bench.log.publish("j", variables={"seconds": 60})

    async def script() -> None:
        await bench.until(lambda: bench.running)
        bench.consumer.rebalance(event, 0)
        bench.consumer.rebalance("came", 0)
        await asyncio.sleep(30)
        assert (bench.running, bench.log.committed_at()) == (1, 0)
        await bench.until(lambda: bench.log.committed_at() == 1)

    bench.run(script)
    assert (bench.ran["j"], bench.engine.reports) == (1, 1)


def test_a_partition_that_comes_while_slots_are_full_is_paused(bench: Bench) -> None:
    """Its records wait in Kafka, not here."""
    bench.log.publish("j", variables={"seconds": 20})
    bench.log.publish("new", partition=1)

    async def script() -> None:
        await bench.until(lambda: bench.running)
        bench.consumer.rebalance("came", 1)
        await bench.until(lambda: 1 in bench.consumer.paused, 2)
        await bench.until(lambda: "new" in bench.engine.completed)
        assert bench.most_running == 1

    bench.run(script, parallelism=1)
