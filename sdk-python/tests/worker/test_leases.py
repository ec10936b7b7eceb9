"""Leases are kept for as long as it takes, and a lost one ends the work: in virtual time."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from workflow_sdk import JobContext
from workflow_sdk.errors import ConnectionFailed, JobCancelled, NotOffered

if TYPE_CHECKING:
    from workflow_sdk.handler.registry import CallNext

    from .conftest import Bench


LongJob = Callable[..., None]


@pytest.fixture
def long_job(bench: Bench) -> LongJob:
    """A handler that takes as long as `seconds` says; `bench.cancelled` tells what cancelled ones were told."""

    def register(seconds: float, timeout: float | None = None) -> None:
        @bench.registry.register("work", timeout=timeout)
        async def work(ctx: JobContext) -> dict[str, Any]:
            bench.ran[ctx.id] += 1
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                bench.cancelled.append(ctx)
                raise
            return {"done": True}

        bench.engine.add(1)

    return register


def test_handler_of_95_seconds_under_a_lease_of_30_completes_once(bench: Bench, long_job: LongJob) -> None:
    """The lease is extended while it runs; nobody else gets the job."""
    long_job(95)
    bench.run(lambda: bench.until(lambda: bench.engine.completed))
    assert (bench.ran["work-0"], bench.engine.handed_out["work-0"]) == (1, 1)
    assert 6 <= bench.engine.calls["extend"] <= 10


def test_short_lease_that_was_asked_for_is_kept_as_well(bench: Bench, long_job: LongJob) -> None:
    """With `lease_seconds=5`, extensions come in time and ask for as much."""
    long_job(20)
    bench.engine.lease_seconds = 5
    bench.run(lambda: bench.until(lambda: bench.engine.completed), lease_seconds=5)
    assert bench.engine.handed_out["work-0"] == 1
    assert {poll[3] for poll in bench.engine.polls} == {5}


def test_jobs_that_end_soon_cost_no_extensions(bench: Bench, long_job: LongJob) -> None:
    """A minute of jobs of a second each: not one call for leases."""
    long_job(1)

    async def script() -> None:
        for _ in range(60):
            await bench.until(lambda: not bench.engine.waiting and not bench.engine.leased)
            bench.engine.add(1)

    bench.run(script)
    assert bench.engine.calls["extend"] == 0


def test_lost_lease_cancels_the_handler_and_suppresses_its_result(
    bench: Bench, long_job: LongJob, caplog: pytest.LogCaptureFixture
) -> None:
    """When the engine has given the job to somebody else, the handler ends, is told why, and nothing is reported."""
    long_job(95)

    async def script() -> None:
        await asyncio.sleep(20)
        bench.engine.take_away("work-0")
        await bench.until(lambda: bench.cancelled)
        await asyncio.sleep(100)

    with caplog.at_level(logging.WARNING, "workflow_sdk"):
        bench.run(script)
    (ctx,) = bench.cancelled
    assert (bench.engine.completed, bench.engine.failed) == ({}, {})
    assert ctx.cancelled
    with pytest.raises(JobCancelled, match="somebody else"):
        ctx.check_cancelled()
    assert "the lease of job work-0 is lost" in caplog.text


def test_slot_of_a_lost_job_comes_back(bench: Bench, long_job: LongJob) -> None:
    """With one slot, the next job is taken once the lost one has ended."""
    long_job(95)

    async def script() -> None:
        await asyncio.sleep(5)
        bench.engine.take_away("work-0")
        bench.engine.add(1)
        await bench.until(lambda: "work-1" in bench.engine.completed)

    bench.run(script, parallelism=1)


def test_lease_that_cannot_be_extended_any_more_is_lost_when_it_ends(bench: Bench, long_job: LongJob) -> None:
    """An engine that is away for longer than the lease: by then another worker may have the job."""
    long_job(95)

    async def script() -> float:
        await asyncio.sleep(1)
        bench.engine.faults.extend([ConnectionFailed("down", sent=False)] * 1000)
        await bench.until(lambda: bench.cancelled)
        ended_at = asyncio.get_running_loop().time()
        bench.engine.faults.clear()
        return ended_at

    assert 29.9 <= bench.run(script, long_poll_ms=200_000, parallelism=1) <= 31
    assert bench.cancelled[0].cancelled


def test_outage_shorter_than_the_lease_is_survived(bench: Bench, long_job: LongJob) -> None:
    """Extensions are tried again every second, so 20 s without an engine lose nothing."""
    long_job(95)

    async def script() -> None:
        await asyncio.sleep(11)
        bench.engine.faults.extend([ConnectionFailed("down", sent=False)] * 12)
        await bench.until(lambda: bench.engine.completed)

    bench.run(script, long_poll_ms=200_000, parallelism=1)
    assert (bench.ran["work-0"], bench.cancelled) == (1, [])


def test_lease_is_kept_until_the_report_got_through(
    bench: Bench, long_job: LongJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result that waits for its engine is still this worker's."""
    long_job(1)

    async def script() -> None:
        await bench.until(lambda: bench.ran)
        report = bench.engine.report

        async def only_extensions(
            outcomes: Sequence[Mapping[str, Any]], poll: Mapping[str, Any] | None = None
        ) -> Mapping[str, Any]:
            if any("extend" in each for each in outcomes):
                return await report(outcomes, poll)
            raise ConnectionFailed("down", sent=True)

        monkeypatch.setattr(bench.engine, "report", only_extensions)
        await asyncio.sleep(120)
        monkeypatch.undo()
        await bench.until(lambda: bench.engine.completed)

    bench.run(script)
    assert bench.engine.handed_out["work-0"] == 1


def test_engine_that_cannot_extend_is_said_once_and_left_alone(
    bench: Bench, long_job: LongJob, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler goes on and its result is reported, late as it is; the engine decides."""
    long_job(95)
    report = bench.engine.report

    async def no_extensions(
        outcomes: Sequence[Mapping[str, Any]], poll: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        if any("extend" in each for each in outcomes):
            raise NotOffered(501, "no extensions")
        return await report(outcomes, poll)

    monkeypatch.setattr(bench.engine, "report", no_extensions)
    bench.engine.lease_seconds = 1000
    with caplog.at_level(logging.WARNING, "workflow_sdk"):
        bench.run(lambda: bench.until(lambda: bench.engine.completed))
    assert caplog.text.count("cannot extend leases") == 1
    assert bench.cancelled == []


def test_timeout_of_a_handler_ends_it_and_fails_the_job(bench: Bench, long_job: LongJob) -> None:
    """After its 40 s the handler is cancelled, the job is reported as to be tried again, and says why."""
    long_job(95, timeout=40)
    bench.run(lambda: bench.until(lambda: bench.engine.failed))
    (failed,) = bench.engine.failed.values()
    assert failed == {
        "errorMessage": "the handler took longer than its timeout of 40 s",
        "retryable": True,
        "errorCode": "timeout",
    }
    assert bench.cancelled[0].cancelled
    assert bench.engine.handed_out["work-0"] == 1


@pytest.mark.parametrize("around", [False, True], ids=["alone", "in middleware"])
def test_handler_that_overstays_on_its_thread_keeps_its_slot(bench: Bench, around: bool) -> None:
    """Its job is reported when its time is up, and no other is claimed until there is a thread to run it."""
    release = threading.Event()

    async def pass_on(call_next: CallNext, ctx: JobContext) -> object:
        return await call_next(ctx)

    def overstay(_ctx: JobContext) -> None:
        release.wait(30)

    bench.registry.register("work", overstay, timeout=40, middleware=[pass_on] if around else [])
    bench.engine.add(2)

    async def script() -> None:
        await bench.until(lambda: bench.engine.failed)
        await asyncio.sleep(60)
        assert (set(bench.engine.failed), set(bench.engine.handed_out)) == ({"work-0"}, {"work-0"})
        release.set()
        await bench.until(lambda: "work-1" in bench.engine.handed_out)

    bench.run(script, parallelism=1)


def test_handler_within_its_timeout_knows_when_it_ends(bench: Bench) -> None:
    """`ctx.deadline` is there to plan with; without a timeout there is none."""
    seen: dict[str, datetime | None] = {}

    @bench.registry.register("timed", timeout=60)
    async def timed(ctx: JobContext) -> None:
        seen["timed"] = ctx.deadline

    @bench.registry.register("free")
    async def free(ctx: JobContext) -> None:
        seen["free"] = ctx.deadline

    bench.engine.add(1, "timed")
    bench.engine.add(1, "free")
    bench.run(lambda: bench.until(lambda: len(bench.engine.completed) == 2))
    assert seen["timed"] is not None
    assert seen["free"] is None
