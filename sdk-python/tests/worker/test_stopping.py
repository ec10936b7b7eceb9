"""How a worker ends: it drains, it does not wait for ever, and nothing is lost by that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from workflow_sdk import JobContext
from workflow_sdk.errors import ConnectionFailed

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .conftest import Bench, Settings


Started = Callable[..., float]


@pytest.fixture
def started(bench: Bench) -> Started:
    """Run a worker with one job of so many seconds under way, and stop it; return how long that took."""

    @bench.registry.register("work")
    async def work(ctx: JobContext) -> None:
        bench.ran[ctx.id] += 1
        try:
            await asyncio.sleep(ctx.variables["seconds"])
        except asyncio.CancelledError:
            bench.cancelled.append(ctx)
            raise

    def run(seconds: float, after: Callable[[], object] | None = None, **settings: Unpack[Settings]) -> float:
        bench.engine.add(1, seconds=seconds)
        began: list[float] = []

        async def script() -> Callable[[], float]:
            await bench.until(lambda: bench.ran)
            began.append(asyncio.get_running_loop().time())
            if after is not None:
                asyncio.get_running_loop().call_later(1, after)
            loop = asyncio.get_running_loop()
            return lambda: loop.time() - began[0]

        return bench.run(script, **settings)()

    return run


def test_handlers_under_way_are_finished_and_reported(bench: Bench, started: Started) -> None:
    """Ten seconds of work are waited for, and no job is claimed meanwhile."""
    took = started(10)
    assert list(bench.engine.completed) == ["work-0"]
    assert 9.9 <= took < 13


def test_lease_is_kept_while_draining(bench: Bench, started: Started) -> None:
    """A drain longer than the lease."""
    started(100, shutdown_timeout=200)
    assert (list(bench.engine.completed), bench.engine.handed_out["work-0"]) == (["work-0"], 1)


def test_what_does_not_end_in_time_is_cancelled_and_reported(
    bench: Bench, started: Started, caplog: pytest.LogCaptureFixture
) -> None:
    """After the shutdown timeout the job goes back to be tried again, by somebody else and at once."""
    with caplog.at_level(logging.WARNING, "workflow_sdk"):
        took = started(1000, shutdown_timeout=5)
    assert 5 <= took < 7
    assert [ctx.id for ctx in bench.cancelled] == ["work-0"]
    assert bench.engine.failed["work-0"] == {
        "errorMessage": "the worker stopped before the handler was done",
        "retryable": True,
        "errorCode": "worker-stopped",
    }
    assert "1 jobs that did not finish in time" in caplog.text


def test_second_signal_means_now(bench: Bench, started: Started) -> None:
    """Nothing is waited for."""

    def hurry() -> None:
        bench.stopping.on_signal()
        bench.stopping.on_signal()

    assert started(1000, hurry) < 2
    assert [ctx.id for ctx in bench.cancelled] == ["work-0"]


def test_engine_that_is_away_does_not_keep_a_worker_from_ending(
    bench: Bench, started: Started, caplog: pytest.LogCaptureFixture
) -> None:
    """Reports are tried for as long as there is time; then the leases return the jobs."""
    with caplog.at_level(logging.WARNING, "workflow_sdk"):
        took = started(
            3, lambda: bench.engine.faults.extend([ConnectionFailed("down", sent=True)] * 1000), shutdown_timeout=8
        )
    assert took < 15
    assert "stopping with 1 jobs unreported" in caplog.text


def test_long_poll_under_way_is_finished(started: Started) -> None:
    """What it claims must not be forgotten: the stop waits for it, two seconds at most."""
    assert started(0.1) < 2.5


def test_worker_whose_task_is_cancelled_drains_as_well(bench: Bench) -> None:
    """An application that cancels its tasks at the end loses no result; the cancellation goes on afterwards."""

    @bench.registry.register("work")
    async def work(ctx: JobContext) -> None:
        bench.ran[ctx.id] += 1
        await asyncio.sleep(10)

    bench.engine.add(1)

    async def script() -> dict[str, dict[str, Any]]:
        await bench.until(lambda: bench.ran)
        bench.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await bench.running
        return dict(bench.engine.completed)

    assert bench.run(script) == {"work-0": {}}
