"""A whole runner on a real socket: it claims what it can run, never more, and forgets nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from prometheus_client import CollectorRegistry
from workflow_sdk import HandlerRegistry, JobContext, Metrics, RestEngineClient, Runner

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..conftest import FakeEngine


class Options(TypedDict, total=False):
    """What a test may set of a `Runner`."""

    parallelism: int
    shutdown_timeout: float
    metrics: Metrics


@contextmanager
def _running(
    engine: FakeEngine, handler: Callable[[JobContext], object], *, long_poll_ms: int = 200, **options: Unpack[Options]
) -> Generator[threading.Event, None, None]:
    """Run a worker beside the test; leaving the block stops and drains it."""
    registry, stop = HandlerRegistry(), threading.Event()
    registry.register("greet", handler)
    with RestEngineClient(engine.url) as client:
        runner = Runner(client, registry, "w1", long_poll_ms=long_poll_ms, **options)
        thread = threading.Thread(target=runner.run, args=(stop,))
        thread.start()
        try:
            yield stop
        finally:
            stop.set()
            thread.join(20)
    assert not thread.is_alive()


def test_jobs_of_our_engine_are_all_completed_once(engine: FakeEngine) -> None:
    """Every job is completed exactly once, and claimed jobs never exceed the parallelism."""
    engine.add_jobs(60, name="Ada")
    with _running(engine, lambda ctx: {"hi": ctx["variables"]["name"]}, parallelism=7):
        done = engine.wait_for("/complete", 60)
    assert (len({each.path for each in done}), engine.most_outstanding <= 7) == (60, True)
    assert done[0].body["variables"] == {"hi": "Ada"}


def test_jobs_of_the_original_engine_are_all_completed_once(old_engine: FakeEngine) -> None:
    """The same against an engine without long polls and tokens."""
    old_engine.add_jobs(60)
    with _running(old_engine, lambda _: None, parallelism=7):
        done = old_engine.wait_for("/complete", 60)
    assert (len({each.path for each in done}), old_engine.most_outstanding <= 7) == (60, True)
    assert "leaseToken" not in done[0].body


def test_a_poll_asks_for_the_free_slots(engine: FakeEngine) -> None:
    """With two of three slots busy, the next poll asks for one."""
    release = threading.Event()
    engine.add_jobs(2)
    with _running(engine, lambda _: release.wait(10) and None, parallelism=3):
        polls = engine.wait_for("/poll", 2)
        release.set()
    assert [poll.body["maxJobs"] for poll in polls[:2]] == [3, 1]


def test_a_job_is_claimed_until_its_report_is_acknowledged(engine: FakeEngine) -> None:
    """A report that does not get through holds its slot: nothing is claimed on top of it."""
    engine.add_jobs(2)
    engine.answer("/v1/jobs/job-0/complete", 503, {"message": "store down"}, Retry_After="0.2")
    with _running(engine, lambda _: None, parallelism=1):
        engine.wait_for("/complete", 3)
    calls = [each.path.removeprefix("/v1/jobs/") for each in engine.exchanges]
    expected = ["poll", "job-0/complete", "job-0/complete", "poll", "job-1/complete"]
    assert [call for call in calls if call != "report"][:5] == expected


def test_a_lost_acknowledgement_is_asked_for_again(engine: FakeEngine) -> None:
    """When the answer to a completion is lost, the completion is sent again and no failure follows."""
    engine.add_jobs(1)
    engine.hang_up("/v1/jobs/job-0/complete")
    with _running(engine, lambda _: None):
        engine.wait_for("/complete", 2)
    assert engine.requests("/fail") == []


def test_a_lost_acknowledgement_of_a_failure_is_let_be(engine: FakeEngine) -> None:
    """When the answer to a failure is lost, it may have counted: there is no second one."""
    engine.add_jobs(1)
    engine.hang_up("/v1/jobs/job-0/fail")
    with _running(engine, lambda _: 1 / 0):
        engine.wait_for("/fail", 1)
        engine.wait_for("/poll", 2)
    assert len(engine.requests("/fail")) == 1


def test_an_idle_worker_lets_our_engine_hold_the_poll(engine: FakeEngine) -> None:
    """Against an engine that holds polls, an idle second costs a handful of requests."""
    with _running(engine, lambda _: None):
        engine.wait_for("/poll", 4)
        began, before = time.monotonic(), len(engine.requests("/poll"))
        engine.wait_for("/poll", before + 3)
    assert time.monotonic() - began > 0.4


def test_a_job_that_appears_is_picked_up_at_once(engine: FakeEngine) -> None:
    """A held poll is answered the moment a job is there, long before the wait would end."""
    with _running(engine, lambda _: None, long_poll_ms=3000):
        engine.wait_for("/poll", 1)
        began = time.monotonic()
        engine.add_jobs(1)
        engine.wait_for("/complete", 1)
        took = time.monotonic() - began
        with engine.changed:
            engine.closing = True
            engine.changed.notify_all()
    assert took < 1.5


def test_a_stop_drains_what_was_claimed(engine: FakeEngine) -> None:
    """A stop lets running handlers end and reports them before run() returns."""
    began, release = threading.Event(), threading.Event()

    def handler(_: JobContext) -> dict[str, Any]:
        began.set()
        release.wait(10)
        return {"done": True}

    engine.add_jobs(1)
    with _running(engine, handler) as stop:
        began.wait(10)
        stop.set()
        release.set()
    assert [each.body["variables"] for each in engine.requests("/complete")] == [{"done": True}]


def test_a_stop_does_not_wait_for_ever(engine: FakeEngine) -> None:
    """A handler that does not end is left to its lease after the shutdown timeout."""
    began, release = threading.Event(), threading.Event()

    def handler(_: JobContext) -> None:
        began.set()
        release.wait(30)

    engine.add_jobs(1)
    with _running(engine, handler, shutdown_timeout=0.1):
        began.wait(10)
    assert engine.requests("/complete") == []
    release.set()


def test_an_engine_that_is_away_is_waited_for(engine: FakeEngine) -> None:
    """Polls that fail are repeated; the worker goes on when the engine is back."""
    for _ in range(3):
        engine.answer("/v1/jobs/poll", 503, {"message": "starting"})
    engine.add_jobs(1)
    with _running(engine, lambda _: None):
        engine.wait_for("/complete", 1)
    assert len(engine.requests("/poll")) >= 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_stops_a_runner_on_the_main_thread(engine: FakeEngine, number: signal.Signals) -> None:
    """SIGTERM and SIGINT drain and return, and the handlers that were there are back afterwards."""
    # What other tests' event loops left behind as a handler is not this test's business.
    left = signal.signal(number, signal.default_int_handler)
    registry = HandlerRegistry()

    @registry.register("greet")
    def greet(_: JobContext) -> dict[str, Any]:
        os.kill(os.getpid(), number)
        return {"done": True}

    engine.add_jobs(1)
    try:
        with RestEngineClient(engine.url) as client:
            Runner(client, registry, "w1", long_poll_ms=100).run()
        assert len(engine.requests("/complete")) == 1
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, left)


def test_the_applications_own_signal_handler_still_runs(engine: FakeEngine) -> None:
    """Our handler does not silence the one that was there."""
    registry = HandlerRegistry()
    heard: list[int] = []
    registry.register("greet", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    engine.add_jobs(1)
    try:
        with RestEngineClient(engine.url) as client:
            Runner(client, registry, "w1", long_poll_ms=100).run()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_metrics_count_what_happened(engine: FakeEngine) -> None:
    """The five series carry their published names and count jobs by type and outcome."""
    collector = CollectorRegistry()
    engine.add_jobs(1)
    engine.add_jobs(2, job_type="greet", bad=True)
    engine.answer("/v1/jobs/job-0/complete", 409, {"message": "lost"})

    def handler(ctx: JobContext) -> None:
        if ctx["variables"].get("bad"):
            raise RuntimeError("bad")

    with _running(engine, handler, metrics=Metrics(collector)):
        engine.wait_for("/fail", 2)
        engine.wait_for("/complete", 1)
    value = collector.get_sample_value
    greet = {"job_type": "greet"}
    assert value("workflow_sdk_jobs_completed_total", {**greet, "outcome": "success"}) == 1
    assert value("workflow_sdk_jobs_completed_total", {**greet, "outcome": "failure"}) == 2
    assert value("workflow_sdk_retries_total", greet) == 2
    assert (value("workflow_sdk_lock_conflicts_total") or 0) >= 1
    assert value("workflow_sdk_handler_latency_seconds_count", greet) == 3
    assert (value("workflow_sdk_poll_latency_seconds_count") or 0) >= 1
