"""What every worker does with a job, wherever the job came from: run it, keep its lease, report it, and end in order.

Here the parts below an intake are put together, started and ended; each rule lives with its part. It would break if it
knew where jobs come from: that is the intake's business, polls of an engine or records of a log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from workflow_sdk.worker.batches import Batches, Ride
from workflow_sdk.worker.bell import Bell
from workflow_sdk.worker.claimed import Claimed
from workflow_sdk.worker.desk import Desk
from workflow_sdk.worker.heart import Heart
from workflow_sdk.worker.leases import Leases
from workflow_sdk.worker.limits import Lane
from workflow_sdk.worker.reporter import Reporter
from workflow_sdk.worker.slots import Slots
from workflow_sdk.worker.threads import Threads

if TYPE_CHECKING:
    from workflow_sdk.worker.desk import OnReported
    from workflow_sdk.worker.ports import Job, Port
    from workflow_sdk.worker.settings import WorkerSettings
    from workflow_sdk.worker.stop import Stop

_log = logging.getLogger("workflow_sdk")

LOOK_SECONDS = 0.1
"""The caller's stop event is any object with is_set(), so it is looked at this often instead of being waited on."""
LAST_REPORTS_SECONDS = 5.0
"""What the reports of cancelled handlers get, after the time to finish is over."""


class Intake(Protocol):
    """Where jobs come from, as the end of a worker sees it."""

    def stop(self) -> None:
        """Bring no more jobs than those already on their way."""

    async def end(self) -> None:
        """Stop, and wait for the jobs on their way."""

    async def cut_off(self) -> None:
        """End for good, now that every job is reported or given up."""


class Workshop:
    """Everything of a worker but its intake, for one run. Make it and use it on the same event loop.

    Args:
        port: the engine.
        registry: the handlers.
        settings: how the worker is set up.
        metrics: a `Metrics`, or silent ones.
        connect: makes a port for the leases alone, on a thread of their own; None keeps leases over `port`.
        ride: which poll goes along with reports.
        on_rode: called with the jobs that such a poll brought.
        on_reported: called with each job that left the desk, and what became of its report.
        on_free: called when a slot came back.

    """

    def __init__(
        self,
        port: Port,
        registry: Any,
        settings: WorkerSettings,
        metrics: Any,
        connect: Callable[[], Port] | None,
        *,
        ride: Ride,
        on_rode: Callable[[Sequence[Job]], object],
        on_reported: OnReported | None = None,
        on_free: Callable[[], object] | None = None,
    ) -> None:
        self.slots = Slots(settings.parallelism)
        self._port = port
        self._settings = settings
        self._connect = connect
        self._on_free = on_free
        self._gave_up = False
        self._giving_up = Bell()
        self._leases = Leases(settings.lease_length, settings.timing)
        self._threads = Threads(settings.parallelism, f"workflow-{settings.worker_id}")
        self._batches = Batches(
            port,
            timing=settings.timing,
            ride=ride,
            on_jobs=on_rode,
            claimed=lambda: self.slots.taken,
            wanted=settings.batch_reports,
        )
        self._desk = Desk(
            registry,
            reporter=Reporter(
                self._batches.send,
                timing=settings.timing,
                pause=self._pause,
                on_conflict=metrics.lock_conflicts.inc,
            ),
            leases=self._leases,
            threads=self._threads,
            metrics=metrics,
            timing=settings.timing,
            on_done=self._done,
            on_reported=on_reported,
        )
        self._heart: Heart | None = None
        self._keeping: asyncio.Task[None] | None = None

    def take(self, jobs: Sequence[Job], lane: Lane) -> None:
        """Begin to work on jobs, whose slots are taken by now."""
        leased = any(job.get("leaseToken") for job in jobs)
        if leased and self._port.can_batch and self._heart is None and self._keeping is None:
            self._keep_leases()
        for job in jobs:
            self._desk.take(job, lane)

    def is_at_work(self, job: Job) -> bool:
        """Return whether a job's handler still runs, though its outcome may be known."""
        return self._desk.is_at_work(job)

    async def end(self, stop: Stop, intake: Intake) -> None:
        """Stop the intake, drain, cancel, report, flush, close."""
        intake.stop()
        drain = asyncio.ensure_future(self._drained(intake))
        await self._until(drain, stop, self._settings.shutdown_timeout)
        left = self._desk.stop_handlers()
        if left:
            _log.warning("stopping with %d jobs that did not finish in time; they are reported to be tried again", left)
        if not drain.done():
            await self._until(drain, None, 0.0 if stop.hurry else LAST_REPORTS_SECONDS)
        self._give_up()
        drain.cancel()
        await asyncio.gather(drain, intake.cut_off(), return_exceptions=True)
        await self._close()

    def _keep_leases(self) -> None:
        if self._connect is None:
            self._keeping = asyncio.ensure_future(self._leases.run(self._port))
        else:
            self._heart = Heart(self._leases, self._connect, f"workflow-leases-{self._settings.worker_id}")
            self._heart.start()

    def _done(self, claimed: Claimed) -> None:
        if claimed.lane is not None:
            claimed.lane.give_back()
        self.slots.give_back()
        if self._on_free is not None:
            self._on_free()

    async def _pause(self, seconds: float) -> bool:
        return self._gave_up or (await self._giving_up.wait(seconds) and self._gave_up)

    async def _drained(self, intake: Intake) -> None:
        await intake.end()
        await self._desk.reported()

    async def _until(self, task: asyncio.Future[None], stop: Stop | None, seconds: float) -> None:
        """Wait for a task, so many seconds at most; a second signal means: now."""
        ends_at = asyncio.get_running_loop().time() + seconds
        while not task.done() and not (stop is not None and stop.hurry):
            left = ends_at - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.wait({task}, timeout=min(left, LOOK_SECONDS))

    def _give_up(self) -> None:
        self._gave_up = True
        self._giving_up.ring()
        left = self._desk.abandon()
        if left:
            _log.warning("stopping with %d jobs unreported; they come back where they came from", left)

    async def _close(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._heart is not None:
            await self._heart.stop()
        self._threads.close()
        await self._port.close()
