"""The worker for programs without an event loop of their own: the published face of the core in `worker`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from workflow_sdk.handler.outcome import Completed, Outcome
from workflow_sdk.metrics.silent import SilentMetrics
from workflow_sdk.runner.checked import checked
from workflow_sdk.runner.executor import execute_registered
from workflow_sdk.runner.reach import reached, run_somewhere
from workflow_sdk.worker.desk import count
from workflow_sdk.worker.ports import BlockingPort
from workflow_sdk.worker.reporter import Reporter, variables_of
from workflow_sdk.worker.settings import (
    DEFAULT_LONG_POLL_MS,
    DEFAULT_PARALLELISM,
    DEFAULT_POLL_INTERVAL_SECONDS,
    DEFAULT_SHUTDOWN_SECONDS,
    WorkerSettings,
)
from workflow_sdk.worker.stop import Stop, StopEvent, stopped_by_signals
from workflow_sdk.worker.timing import Timing
from workflow_sdk.worker.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workflow_sdk.client.interface import EngineClient
    from workflow_sdk.handler.registry import HandlerRegistry
    from workflow_sdk.metrics.metrics import Metrics


class Runner:
    """Serves the registry's job types on one engine until it is told to stop.

    Args:
        client: where jobs come from; anything with the three methods of `EngineClient`. A client of ours is only asked
            how to connect: the worker then talks to the engine over connections of its own, faster.
        registry: the handlers.
        worker_id: names this worker to the engine; must not be empty.
        parallelism: how many jobs may be claimed at a time; 0 or less means 64.
        poll_interval: the longest pause between polls of an engine that cannot hold a poll, seconds; 0 or less
            means 0.5.
        metrics: a `Metrics`; None counts nothing.
        long_poll_ms: how long an engine that can may hold a poll; 0 switches it off.
        lease_seconds: how long a claimed job stays this worker's unless extended; 0 is the engine's default.
        shutdown_timeout: seconds that a stop waits for jobs under way.
        batch_reports: whether results may ride together, where the engine takes them so.
        timing: time and chance, for tests.

    Raises:
        TypeError: `client` is none, a URL for example.
        ValueError: `worker_id` is empty.

    """

    def __init__(  # noqa: PLR0917 - the published signature
        self,
        client: EngineClient,
        registry: HandlerRegistry,
        worker_id: str,
        parallelism: int = DEFAULT_PARALLELISM,
        poll_interval: float = DEFAULT_POLL_INTERVAL_SECONDS,
        metrics: Metrics | None = None,
        *,
        long_poll_ms: int = DEFAULT_LONG_POLL_MS,
        lease_seconds: int = 0,
        shutdown_timeout: float = DEFAULT_SHUTDOWN_SECONDS,
        batch_reports: bool = True,
        timing: Timing | None = None,
    ) -> None:
        checked(client, "RestEngineClient(url)")
        self._client = client
        self._registry = registry
        self._metrics: Any = metrics or SilentMetrics()
        self._settings = WorkerSettings(
            worker_id,
            parallelism,
            poll_interval,
            long_poll_ms,
            lease_seconds,
            shutdown_timeout,
            batch_reports,
            timing or Timing(),
        )
        self._here = BlockingPort(client, worker_id, _here)
        self._reporter = Reporter(
            self._send_here,
            timing=self._settings.timing,
            pause=_sleep,
            on_conflict=self._metrics.lock_conflicts.inc,
        )

    def run(self, stop_event: StopEvent | None = None) -> None:
        """Work until `stop_event` is set, or on the main thread until SIGTERM or SIGINT; then drain and return."""
        stop = Stop(stop_event)
        with stopped_by_signals(stop):
            run_somewhere(lambda: self._work(stop))

    async def _work(self, stop: Stop) -> None:
        with reached(self._client, self._settings) as (port, connect):
            await Worker(port, self._registry, self._settings, self._metrics, connect).run(stop)

    def _dispatch(self, job: Mapping[str, Any]) -> None:
        """Run one job here and now, through the client as it was given, and report it."""
        outcome = self._reporter.held_result(job) or self._execute(job)
        _driven(self._reporter.report(job, outcome))

    def _execute(self, job: Mapping[str, Any]) -> Outcome:
        job_type = str(job.get("jobType", ""))
        began = self._settings.timing.monotonic()
        outcome = execute_registered(self._registry, job)
        took = self._settings.timing.monotonic() - began
        self._metrics.handler_latency.labels(job_type=job_type).observe(took)
        count(self._metrics, job_type, outcome)
        return outcome

    async def _send_here(self, job: Mapping[str, Any], outcome: Outcome) -> None:
        if isinstance(outcome, Completed):
            await self._here.complete(job, variables_of(outcome))
        else:
            await self._here.fail(job, outcome)


async def _here(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


async def _sleep(seconds: float) -> bool:
    time.sleep(seconds)  # noqa: ASYNC251 - `_dispatch` has no loop; it blocks, as its callers expect
    return False


def _driven(work: Any) -> Any:
    """Return what a coroutine returns that never waits for a loop."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waited for a loop")
