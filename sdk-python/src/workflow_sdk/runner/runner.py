"""The worker: claims jobs, runs their handlers, reports how they went.

This module only puts the parts together (slots, poller, executor, reporter) and starts and ends them; each rule lives
with its part.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from workflow_sdk.handler.registry import HandlerRegistry
from workflow_sdk.metrics.silent import SilentMetrics
from workflow_sdk.runner.executor import Completed, Outcome, execute_registered
from workflow_sdk.runner.pace import Pace
from workflow_sdk.runner.poller import LOOK_SECONDS, Poller, PollOptions
from workflow_sdk.runner.reporter import Reporter
from workflow_sdk.runner.slots import Slots
from workflow_sdk.runner.stop import Stop, StopEvent, stopped_by_signals
from workflow_sdk.runner.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_sdk.client.interface import EngineClient
    from workflow_sdk.metrics.metrics import Metrics

_log = logging.getLogger("workflow_sdk")

DEFAULT_PARALLELISM = 64
DEFAULT_POLL_INTERVAL_SECONDS = 0.5
# How long an idle worker lets the engine hold a poll. It is also how long a stop may have to wait for that poll.
DEFAULT_LONG_POLL_MS = 2000
DEFAULT_SHUTDOWN_SECONDS = 30.0


class Runner:
    """Serves the registry's job types on one engine until it is told to stop.

    Args:
        client: where jobs come from; anything with the three methods of `EngineClient`.
        registry: the handlers.
        worker_id: names this worker to the engine; must not be empty.
        parallelism: how many jobs may be claimed at a time; 0 or less means 64.
        poll_interval: the longest pause between polls of an engine that cannot hold a poll, seconds; 0 or less
            means 0.5.
        metrics: a `Metrics`; None counts nothing.
        long_poll_ms: how long an engine that can may hold a poll; 0 switches it off.
        lease_seconds: how long a claimed job stays this worker's; 0 is the engine's default.
        shutdown_timeout: seconds that a stop waits for jobs under way.
        timing: time and chance, for tests.

    Raises:
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
        timing: Timing | None = None,
    ) -> None:
        if not worker_id:
            raise ValueError("worker_id must not be empty: the engine tells workers apart by it")
        self._client = client
        self._registry = registry
        self._worker_id = worker_id
        self._parallelism = parallelism if parallelism > 0 else DEFAULT_PARALLELISM
        self._poll_interval = poll_interval if poll_interval > 0 else DEFAULT_POLL_INTERVAL_SECONDS
        self._metrics: Any = metrics or SilentMetrics()
        self._options = PollOptions(long_poll_ms, lease_seconds)
        self._shutdown_timeout = shutdown_timeout
        self._timing = timing or Timing()
        self._gave_up = threading.Event()
        self._reporter = Reporter(
            client,
            worker_id,
            timing=self._timing,
            pause=self._gave_up.wait,
            on_conflict=self._metrics.lock_conflicts.inc,
        )

    def run(self, stop_event: StopEvent | None = None) -> None:
        """Work until `stop_event` is set, or on the main thread until SIGTERM or SIGINT; then drain and return."""
        self._tell_what_is_not_kept()
        stop, slots = Stop(stop_event), Slots(self._parallelism)
        self._gave_up.clear()
        pool = ThreadPoolExecutor(self._parallelism, thread_name_prefix=f"workflow-{self._worker_id}")
        poller = Poller(
            self._client,
            self._registry,
            self._worker_id,
            slots=slots,
            pace=Pace(self._poll_interval, self._timing.chance),
            submit=lambda job: pool.submit(self._work, job, slots),
            timing=self._timing,
            options=self._options,
            on_polled=self._polled,
        )
        with stopped_by_signals(stop):
            try:
                poller.run(stop)
            finally:
                self._drain(stop, slots, pool)

    def _tell_what_is_not_kept(self) -> None:
        """Limits of a handler need a worker that claims by type; this one does not, and says so."""
        registry: object = self._registry  # a test's stand-in may have no more than the published methods
        if isinstance(registry, HandlerRegistry):
            for job_type in registry.job_types():
                found = registry.find(job_type)
                if found and (found.max_concurrency or found.rate_limit or found.timeout):
                    _log.warning("limits of the handler for %r are not kept by this Runner yet", job_type)

    def _polled(self, seconds: float, jobs: int) -> None:
        self._metrics.poll_latency.observe(seconds)
        if not jobs:
            self._metrics.lock_conflicts.inc()

    def _work(self, job: dict[str, Any], slots: Slots) -> None:
        try:
            self._dispatch(job)
        except Exception:  # noqa: BLE001 - one job must not take the worker down
            _log.exception("job %s could not be worked on; its lease returns it", job.get("id"))
        finally:
            slots.give_back()

    def _dispatch(self, job: Mapping[str, Any]) -> None:
        """Run one job here and now, and report it."""
        outcome = self._reporter.held_result(job) or self._execute(job)
        self._reporter.report(job, outcome)

    def _execute(self, job: Mapping[str, Any]) -> Outcome:
        job_type = str(job.get("jobType", ""))
        began = self._timing.monotonic()
        outcome = execute_registered(self._registry, job)
        self._metrics.handler_latency.labels(job_type=job_type).observe(self._timing.monotonic() - began)
        succeeded = isinstance(outcome, Completed)
        self._metrics.jobs_completed.labels(job_type=job_type, outcome="success" if succeeded else "failure").inc()
        if not isinstance(outcome, Completed) and outcome.retryable:
            self._metrics.retries_total.labels(job_type=job_type).inc()
        return outcome

    def _drain(self, stop: Stop, slots: Slots, pool: ThreadPoolExecutor) -> None:
        ends_at = self._timing.monotonic() + self._shutdown_timeout
        while slots.taken and not stop.hurry and self._timing.monotonic() < ends_at:
            slots.wait_for_change(slots.given_back, LOOK_SECONDS)
        self._gave_up.set()
        if slots.taken:
            _log.warning("stopping with %d jobs unreported; their leases return them", slots.taken)
        pool.shutdown(wait=not slots.taken, cancel_futures=True)
