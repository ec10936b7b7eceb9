"""The worker in virtual time: what it claims, how often things run, what it reports."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from workflow_sdk import JobContext, NonRetryableError
from workflow_sdk.errors import (
    BadRequest,
    ConnectionFailed,
    EngineClientError,
    InvalidVariables,
    NotOffered,
    PayloadTooLarge,
    Unavailable,
)
from workflow_sdk.worker.ports import Job

if TYPE_CHECKING:
    from .conftest import Bench


def handler(bench: Bench, seconds: float = 0.0, result: dict[str, Any] | None = None) -> None:
    """Register a handler that takes so long and counts its runs."""

    @bench.registry.register("work")
    async def work(ctx: JobContext) -> dict[str, Any] | None:
        bench.ran[ctx.id] += 1
        await asyncio.sleep(seconds)
        return result


def test_ten_thousand_jobs_of_the_original_engine(bench: Bench) -> None:
    """16 slots, 2 s a job, 30 s leases, one report a job: never more than 16 claimed, none run twice."""
    bench.engine.ours, count = False, 10_000
    bench.engine.add(count)
    handler(bench, seconds=2)
    bench.run(lambda: bench.until(lambda: len(bench.engine.completed) == count), parallelism=16)
    assert bench.engine.most_claimed == 16
    assert set(bench.ran.values()) == {1}
    assert set(bench.engine.handed_out.values()) == {1}
    assert bench.engine.overlapping == 0


def test_ten_thousand_jobs_of_our_engine(bench: Bench) -> None:
    """The same in batches: the slots are filled by the answers to the reports, and never overfilled."""
    count = 10_000
    bench.engine.add(count)
    handler(bench, seconds=2)
    bench.run(lambda: bench.until(lambda: len(bench.engine.completed) == count), parallelism=16)
    assert bench.engine.most_claimed == 16
    assert set(bench.engine.handed_out.values()) == {1}
    assert bench.engine.calls["report"] < count / 10
    assert bench.engine.calls["poll"] < count / 100


def test_results_that_come_together_are_sent_together(bench: Bench) -> None:
    """Sixty-four jobs that end at once are one call."""
    bench.engine.add(64)
    handler(bench, seconds=1, result={"x": 1})
    bench.run(lambda: bench.until(lambda: len(bench.engine.completed) == 64))
    assert bench.engine.calls["report"] == 1
    assert bench.engine.completed["work-0"] == {"x": 1}


def test_report_that_nothing_can_join_waits_for_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last job under way is reported the moment it ends; others are waited for a little."""
    sent: list[tuple[int, float]] = []

    @bench.registry.register("work")
    async def work(ctx: JobContext) -> None:
        await asyncio.sleep(ctx.variables["seconds"])

    async def script() -> None:
        now, report = asyncio.get_running_loop().time, bench.engine.report

        async def timed(
            outcomes: Sequence[Mapping[str, Any]], poll: Mapping[str, Any] | None = None
        ) -> Mapping[str, Any]:
            sent.append((len(outcomes), round(now() - began, 4)))
            return await report(outcomes, poll)

        monkeypatch.setattr(bench.engine, "report", timed)
        bench.engine.add(1, seconds=1.0)
        bench.engine.add(1, seconds=2.0)
        began = now() + bench.engine.round_trip
        await bench.until(lambda: len(bench.engine.completed) == 2)

    bench.engine.lease_seconds = 300.0
    bench.run(script, lease_seconds=300)
    assert sent == [(1, 1.002), (1, 2.0)]


@pytest.mark.parametrize(
    "refusal", [InvalidVariables("/x: a set is not JSON"), BadRequest(400, "what is that?"), RuntimeError("odd")]
)
def test_a_result_that_cannot_be_sent_is_alone_with_it(
    bench: Bench, refusal: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty-four end at once, one of them with something that is no JSON: the others are completed."""

    @bench.registry.register("work")
    async def work(ctx: JobContext) -> dict[str, Any]:
        await asyncio.sleep(1)
        return {"x": "bad" if ctx.id == "work-5" else "good"}

    async def script() -> None:
        report = bench.engine.report

        async def strict(
            outcomes: Sequence[Mapping[str, Any]], poll: Mapping[str, Any] | None = None
        ) -> Mapping[str, Any]:
            if "bad" in str(outcomes):
                raise refusal
            return await report(outcomes, poll)

        monkeypatch.setattr(bench.engine, "report", strict)
        bench.engine.add(64)
        await bench.until(lambda: len(bench.engine.completed) == 63)

    bench.run(script, shutdown_timeout=1)
    assert "work-5" not in bench.engine.completed
    assert bench.engine.failed.keys() <= {"work-5"}


def test_results_that_are_too_large_together_are_sent_apart(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine takes three results at a time, as far as their size goes: all are completed, none is failed."""
    handler(bench, seconds=1)

    async def script() -> None:
        report = bench.engine.report

        async def narrow(
            outcomes: Sequence[Mapping[str, Any]], poll: Mapping[str, Any] | None = None
        ) -> Mapping[str, Any]:
            if len(outcomes) > 3:
                raise PayloadTooLarge(413, "over 4 MiB")
            return await report(outcomes, poll)

        monkeypatch.setattr(bench.engine, "report", narrow)
        bench.engine.add(10)
        await bench.until(lambda: len(bench.engine.completed) == 10)

    bench.run(script)
    assert (bench.engine.failed, set(bench.ran.values())) == ({}, {1})


def test_batches_can_be_switched_off(bench: Bench) -> None:
    """Then every job is reported by itself."""
    bench.engine.add(5)
    handler(bench)
    bench.run(lambda: bench.until(lambda: len(bench.engine.completed) == 5), batch_reports=False)
    assert (bench.engine.calls["report"], bench.engine.calls["complete"]) == (0, 5)


def test_engine_without_batches_is_asked_once_a_minute(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first report finds out; later ones go alone; an engine that has learned it is noticed."""
    handler(bench)

    async def script() -> None:
        probes: list[object] = []

        async def report(
            outcomes: Sequence[Mapping[str, Any]],
            poll: Mapping[str, Any] | None = None,  # noqa: ARG001 - the port's signature
        ) -> Mapping[str, Any]:
            probes.append(outcomes)
            raise NotOffered(404, "no such route")

        monkeypatch.setattr(bench.engine, "report", report)
        for _ in range(3):
            bench.engine.add(1)
            await bench.until(lambda: not bench.engine.waiting and not bench.engine.leased)
        assert (len(probes), bench.engine.calls["complete"]) == (1, 3)
        monkeypatch.undo()
        await asyncio.sleep(61)
        bench.engine.add(1)
        await bench.until(lambda: len(bench.engine.completed) == 4)
        assert bench.engine.calls["complete"] == 3

    bench.run(script)


LOST = ConnectionFailed("reset", sent=True)
FAULTS: dict[str, list[Exception]] = {
    "reset before it was sent": [ConnectionFailed("refused", sent=False)],
    "reset after it was sent": [LOST],
    "internal error": [EngineClientError(500, "boom")],
    "unavailable, with a wish": [Unavailable(503, "x", retry_after=3)],
    "garbage": [EngineClientError(0, "not JSON")],
    "an outage of many tries": [LOST] * 12,
}


@pytest.mark.parametrize("ours", [True, False], ids=["batches", "single"])
@pytest.mark.parametrize("fault", FAULTS)
def test_result_gets_through_whatever_the_network_does(bench: Bench, ours: bool, fault: str) -> None:
    """The handler runs once, the job ends completed, reports never overlap, and nothing is reported as failed."""
    bench.engine.ours = ours
    handler(bench, seconds=1, result={"x": 1})

    async def script() -> None:
        bench.engine.add(1)
        await bench.until(lambda: bench.ran)
        bench.engine.faults.extend(FAULTS[fault])
        await bench.until(lambda: bench.engine.completed)

    bench.run(script, long_poll_ms=60_000, parallelism=1)
    assert (dict(bench.ran), bench.engine.completed) == ({"work-0": 1}, {"work-0": {"x": 1}})
    assert (bench.engine.failed, bench.engine.overlapping) == ({}, 0)


@pytest.mark.parametrize("ours", [True, False], ids=["batches", "single"])
def test_result_outlasts_an_outage_of_twenty_seconds(bench: Bench, ours: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports, polls and lease extensions all meet silence: each handler ran once, every job ends completed."""
    bench.engine.ours = ours
    handler(bench, seconds=1, result={"x": 1})

    async def script() -> None:
        now, travel = asyncio.get_running_loop().time, bench.engine.travel
        bench.engine.add(3)
        await bench.until(lambda: len(bench.ran) == 3)
        ends_at = now() + 20

        async def travel_if_there_is_a_way() -> None:
            await travel()
            if now() < ends_at:
                raise LOST

        monkeypatch.setattr(bench.engine, "travel", travel_if_there_is_a_way)
        await bench.until(lambda: len(bench.engine.completed) == 3)
        assert 0 <= now() - ends_at < 10

    bench.run(script, long_poll_ms=0)
    assert (set(bench.ran.values()), set(bench.engine.handed_out.values())) == ({1}, {1})
    assert (bench.engine.failed, bench.engine.overlapping) == ({}, 0)


def test_errors_of_handlers_are_reported(bench: Bench) -> None:
    """Retryable or not, as they say."""

    @bench.registry.register("work")
    async def work(ctx: JobContext) -> None:
        raise (NonRetryableError if ctx.variables["final"] else RuntimeError)("no")

    async def script() -> None:
        bench.engine.add(1, final=True)
        bench.engine.add(1, final=False)
        await bench.until(lambda: len(bench.engine.failed) == 2)

    bench.run(script)
    assert [each["retryable"] for each in bench.engine.failed.values()] == [False, True]


def test_handler_that_is_cancelled_from_elsewhere_has_failed(bench: Bench) -> None:
    """Who awaits a task that somebody cancels does not leave the job hanging."""

    @bench.registry.register("work")
    async def work(_ctx: JobContext) -> None:
        raise asyncio.CancelledError

    bench.engine.add(1)
    bench.run(lambda: bench.until(lambda: bench.engine.failed))
    assert bench.engine.failed["work-0"]["retryable"] is True


def test_handlers_registered_later_are_served(bench: Bench) -> None:
    """A registry may grow while the worker runs."""
    bench.engine.add(1)

    async def script() -> None:
        await asyncio.sleep(1)
        assert not bench.engine.polls
        handler(bench)
        await bench.until(lambda: bench.engine.completed)

    bench.run(script)


def test_job_that_comes_again_while_it_is_worked_on_runs_once(bench: Bench) -> None:
    """A handler that outlives its lease at an engine that cannot extend it: one run, one report."""
    bench.engine.ours = False
    bench.engine.add(1)
    handler(bench, seconds=95)
    bench.run(lambda: bench.until(lambda: bench.engine.completed), parallelism=4)
    assert bench.engine.handed_out["work-0"] > 1
    assert (bench.ran["work-0"], bench.engine.calls["complete"]) == (1, 1)


def test_retry_that_comes_with_the_answer_to_its_failure_runs(bench: Bench) -> None:
    """The engine hands the job out again in the same round trip in which it takes the failure."""

    @bench.registry.register("work")
    async def work(ctx: JobContext) -> None:
        bench.ran[ctx.id] += 1
        if bench.ran[ctx.id] < 4:
            raise RuntimeError("not yet")

    fail = bench.engine.failed

    class Failed(dict[str, Any]):
        def __setitem__(self, job_id: str, failed: Any) -> None:
            fail[job_id] = failed
            bench.engine.waiting.appendleft({"id": job_id, "jobType": "work", "variables": {}})

    bench.engine.failed = Failed()
    bench.engine.add(1)
    bench.run(lambda: bench.until(lambda: bench.engine.completed, seconds=5))
    assert (bench.ran["work-0"], bench.engine.handed_out["work-0"]) == (4, 4)


def test_job_that_comes_again_while_its_result_is_reported_is_answered_from_memory(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler ran; what it returned is reported for the second delivery too, one report at a time."""
    bench.engine.ours = False
    handler(bench, result={"x": 1})

    complete = bench.engine.complete

    async def unheard(job: Job, variables: Mapping[str, Any]) -> None:
        if asyncio.get_running_loop().time() < 20:
            raise LOST
        await complete(job, variables)

    async def script() -> None:
        bench.engine.add(1)
        await bench.until(lambda: bench.engine.completed)

    monkeypatch.setattr(bench.engine, "complete", unheard)
    bench.engine.lease_seconds = 5
    bench.run(script, parallelism=2)
    assert bench.engine.handed_out["work-0"] > 1
    assert (bench.ran["work-0"], bench.engine.completed) == (1, {"work-0": {"x": 1}})
    assert bench.engine.overlapping == 0


def test_idle_worker_lets_the_engine_hold_its_polls(bench: Bench) -> None:
    """A minute with nothing to do costs thirty calls."""
    handler(bench)
    bench.run(lambda: asyncio.sleep(60))
    assert 29 <= bench.engine.calls["poll"] <= 32


def test_idle_worker_backs_off_from_an_engine_that_cannot_hold_polls(bench: Bench) -> None:
    """Pauses grow from 5 ms to the poll interval."""
    bench.engine.ours = False
    handler(bench)
    bench.run(lambda: asyncio.sleep(60), poll_interval=0.5)
    assert 118 <= bench.engine.calls["poll"] <= 130


def test_connection_is_closed_in_the_end(bench: Bench) -> None:
    """What was opened for the worker alone is given up."""
    handler(bench)
    bench.run(lambda: asyncio.sleep(1))
    assert bench.engine.calls["close"] == 1
