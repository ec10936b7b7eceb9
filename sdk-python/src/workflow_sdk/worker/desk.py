"""What happens to a job once it is claimed: its handler runs, its outcome is reported, its slot comes back.

The desk knows every job under way. A job that comes again while its handler is still at work here (its lease ran out at
an engine that cannot extend it) takes the place of the first delivery: the handler goes on, and the result is reported
once, under the later claim. One that comes again while the first is being reported is reported with the same
result; after a failure its handler runs anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workflow_sdk.handler.context import JobContext
from workflow_sdk.handler.invoke import call_plain, invoke, is_plain
from workflow_sdk.handler.outcome import Completed, Outcome, no_handler
from workflow_sdk.handler.registry import Registration
from workflow_sdk.worker.bell import Bell
from workflow_sdk.worker.claimed import Claimed, key_of
from workflow_sdk.worker.handlers import registration_of
from workflow_sdk.worker.report_rules import Told

if TYPE_CHECKING:
    from workflow_sdk.worker.leases import Leases
    from workflow_sdk.worker.limits import Lane
    from workflow_sdk.worker.ports import Job
    from workflow_sdk.worker.reporter import Reporter
    from workflow_sdk.worker.threads import Threads
    from workflow_sdk.worker.timing import Timing

_log = logging.getLogger("workflow_sdk")

OnReported = Callable[[Claimed, Told], object]
"""Called once for every job that leaves the desk, with what the engine knows of it; the slot may come back later."""


class Desk:
    """Works on jobs, each in a task of its own.

    Args:
        registry: the handlers; a test's stand-in may have no more than `get`.
        reporter: who delivers outcomes.
        leases: who keeps leases.
        threads: where handlers run that block.
        metrics: a `Metrics`, or silent ones.
        timing: time.
        on_done: called with each job whose slot is free again.
        on_reported: called with each job whose report is through or given up, before `on_done`.

    """

    def __init__(
        self,
        registry: Any,
        *,
        reporter: Reporter,
        leases: Leases,
        threads: Threads,
        metrics: Any,
        timing: Timing,
        on_done: Callable[[Claimed], object],
        on_reported: OnReported | None = None,
    ) -> None:
        self._registry = registry
        self._reporter = reporter
        self._leases = leases
        self._threads = threads
        self._metrics = metrics
        self._timing = timing
        self._on_done = on_done
        self._on_reported = on_reported
        self._under_way: dict[str, Claimed] = {}
        self._tasks: dict[Claimed, asyncio.Task[None]] = {}
        self._unreported = 0
        self._reported = Bell()

    def take(self, job: Job, lane: Lane | None) -> None:
        """Begin to work on a job, unless it joins its own earlier delivery."""
        loop = asyncio.get_running_loop()
        claimed = Claimed(job, registration_of(self._registry, job), lane, loop)
        earlier = self._under_way.get(claimed.key)
        if earlier is not None and earlier.is_open and not earlier.lost:
            self._join(earlier, claimed)
            return
        self._under_way[claimed.key] = claimed
        self._leases.hold(claimed)
        self._unreported += 1
        self._tasks[claimed] = loop.create_task(self._work(claimed, earlier))

    def is_at_work(self, job: Job) -> bool:
        """Return whether the handler of a job still runs."""
        claimed = self._under_way.get(key_of(job))
        return claimed is not None and claimed.is_at_work

    async def reported(self) -> None:
        """Return when every job is reported or given up; a handler that hangs in its thread is not waited for."""
        while self._unreported:
            await self._reported.wait()

    def stop_handlers(self) -> int:
        """Cancel what still runs; each is reported as to be tried again. Return how many there were."""
        running = [claimed for claimed in self._tasks if claimed.is_open and claimed.is_at_work]
        for claimed in running:
            claimed.stop()
        return len(running)

    def abandon(self) -> int:
        """Drop everything, reports under way included; return how many jobs are left unreported."""
        unreported = self._unreported
        for task in self._tasks.values():
            task.cancel()
        return unreported

    def _join(self, earlier: Claimed, later: Claimed) -> None:
        self._leases.drop(earlier)
        earlier.job = later.job
        self._leases.hold(earlier)
        self._on_done(later)

    async def _work(self, claimed: Claimed, earlier: Claimed | None) -> None:
        told = Told.NOTHING
        try:
            try:
                told = await self._finish(claimed, earlier)
            except Exception:  # noqa: BLE001 - one job must not take the worker down
                _log.exception("job %s could not be worked on; its lease returns it", claimed.job.get("id"))
            finally:
                self._let_go(claimed, told)
            if claimed.is_at_work:
                await claimed.has_left_its_thread()  # only then is there a thread for another job
        finally:
            del self._tasks[claimed]
            self._on_done(claimed)

    async def _finish(self, claimed: Claimed, earlier: Claimed | None) -> Told:
        held = self._reporter.held_result(claimed.job)
        if earlier is not None and (held is None or earlier.job["id"] == claimed.job["id"]):
            await asyncio.wait({earlier.finished})  # one report of a job at a time
            held = held or earlier.result
        outcome = await self._execute(claimed) if held is None else claimed.settle(held)
        return Told.NOTHING if outcome is None else await self._reporter.report(claimed.job, outcome)

    async def _execute(self, claimed: Claimed) -> Outcome | None:
        registration = claimed.registration
        job_type = str(claimed.job.get("jobType", ""))
        began = self._timing.monotonic()
        outcome: Outcome | None
        if registration is None:
            outcome = claimed.settle(no_handler(job_type))
        else:
            outcome = await claimed.outcome(self._started(registration, claimed))
        self._metrics.handler_latency.labels(job_type=job_type).observe(self._timing.monotonic() - began)
        count(self._metrics, job_type, outcome)
        return outcome

    def _started(self, registration: Registration, claimed: Claimed) -> asyncio.Future[Any]:
        """Begin; what runs on a thread is kept apart, because it goes on when nobody waits for it any more."""
        context = JobContext(claimed.job, claimed.control)
        if is_plain(registration):
            claimed.in_thread = self._threads.run(call_plain, registration, context)
            return claimed.in_thread

        def run_sync(function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
            claimed.in_thread = self._threads.run(function, *arguments)
            return asyncio.shield(claimed.in_thread)

        return asyncio.get_running_loop().create_task(invoke(registration, context, run_sync))

    def _let_go(self, claimed: Claimed, told: Told) -> None:
        self._leases.drop(claimed)
        if self._under_way.get(claimed.key) is claimed:
            del self._under_way[claimed.key]
        claimed.finished.set_result(None)
        self._unreported -= 1
        self._reported.ring()
        if self._on_reported is not None:
            self._on_reported(claimed, told)


def count(metrics: Any, job_type: str, outcome: Outcome | None) -> None:
    """Count how a handler's work ended; one that nobody waits for any more counts as a conflict."""
    if outcome is None:
        metrics.lock_conflicts.inc()
        return
    succeeded = isinstance(outcome, Completed)
    metrics.jobs_completed.labels(job_type=job_type, outcome="success" if succeeded else "failure").inc()
    if not isinstance(outcome, Completed) and outcome.retryable:
        metrics.retries_total.labels(job_type=job_type).inc()
