"""The worker: claims jobs, runs their handlers, reports how they went, on one event loop.

This module only puts the parts together and starts and ends them; each rule lives with its part.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from workflow_sdk.worker.batches import Batches
from workflow_sdk.worker.bell import Bell
from workflow_sdk.worker.claimed import Claimed
from workflow_sdk.worker.desk import Desk
from workflow_sdk.worker.heart import Heart
from workflow_sdk.worker.leases import Leases
from workflow_sdk.worker.limits import Lane, lanes_of
from workflow_sdk.worker.pace import Pace
from workflow_sdk.worker.poller import Poller
from workflow_sdk.worker.reporter import Reporter
from workflow_sdk.worker.slots import Slots
from workflow_sdk.worker.threads import Threads

if TYPE_CHECKING:
    from workflow_sdk.worker.ports import Job, Port
    from workflow_sdk.worker.settings import WorkerSettings
    from workflow_sdk.worker.stop import Stop

_log = logging.getLogger("workflow_sdk")

LOOK_SECONDS = 0.05
"""The caller's stop event is any object with is_set(), so it is looked at this often instead of being waited on."""
LAST_REPORTS_SECONDS = 5.0
"""What the reports of cancelled handlers get, after the time to finish is over."""


class Worker:
    """One worker, for one run. Make it and use it on the same event loop.

    Args:
        port: the engine.
        registry: the handlers.
        settings: how it is set up.
        metrics: a `Metrics`, or silent ones.
        connect: makes a port for the leases alone, on a thread of their own; None keeps leases over `port`.

    """

    def __init__(
        self,
        port: Port,
        registry: Any,
        settings: WorkerSettings,
        metrics: Any,
        connect: Callable[[], Port] | None = None,
    ) -> None:
        self._port = port
        self._registry = registry
        self._settings = settings
        self._metrics = metrics
        self._connect = connect
        self._slots = Slots(settings.parallelism)
        self._gave_up = False
        self._giving_up = Bell()
        self._stopping = False
        self._leases = Leases(settings.lease_length, settings.timing)
        self._threads = Threads(settings.parallelism, f"workflow-{settings.worker_id}")
        self._batches = Batches(
            port,
            timing=settings.timing,
            ride=self._ride,
            on_jobs=self._rode,
            claimed=lambda: self._slots.taken,
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
        )
        self._lanes: list[Lane] = []
        self._heart: Heart | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def run(self, stop: Stop) -> None:
        """Work until told to stop, then drain."""
        polling = _Polling([])
        known: object = None
        try:
            while not stop.is_set():
                served = list(self._registry.job_types())
                if served != known:  # handlers may be registered while it runs
                    known = served
                    await polling.end()
                    polling = self._start_polling(stop)
                await asyncio.sleep(LOOK_SECONDS)
                polling.raise_bugs()
        finally:
            await self._end(stop, polling)

    def _start_polling(self, stop: Stop) -> _Polling:
        self._lanes = lanes_of(self._registry, self._settings.timing.monotonic)
        if not self._lanes:
            _log.error("no handler is registered, so there is nothing to poll for; register one on the registry")
        return _Polling([self._poller(lane, stop) for lane in self._lanes])

    def _poller(self, lane: Lane, stop: Stop) -> Poller:
        return Poller(
            self._port,
            lane,
            slots=self._slots,
            share=len(self._lanes),
            pace=Pace(self._settings.poll_interval, self._settings.timing.chance),
            timing=self._settings.timing,
            options=self._settings.poll_options,
            on_jobs=self._take,
            on_polled=self._polled,
            told_to_stop=stop.is_set,
        )

    def _take(self, jobs: Sequence[Job], lane: Lane) -> None:
        if jobs and self._port.can_batch and self._heart is None and self._keeping is None:
            self._keep_leases()
        for job in jobs:
            self._desk.take(job, lane)

    def _keep_leases(self) -> None:
        if self._connect is None:
            self._keeping = asyncio.ensure_future(self._leases.run(self._port))
        else:
            self._heart = Heart(self._leases, self._connect, f"workflow-leases-{self._settings.worker_id}")
            self._heart.start()

    def _polled(self, seconds: float, jobs: int) -> None:
        self._metrics.poll_latency.observe(seconds)
        if not jobs:
            self._metrics.lock_conflicts.inc()

    def _done(self, claimed: Claimed) -> None:
        if claimed.lane is not None:
            claimed.lane.give_back()
        self._slots.give_back()

    def _ride(self, jobs: Sequence[Job]) -> dict[str, Any] | None:
        """Ask, along with reports, for as many jobs as they make room for, of types that have no limits."""
        together = next((lane for lane in self._lanes if not lane.is_limited), None)
        if together is None or self._stopping:
            return None
        room = sum(job.get("jobType") in together.job_types for job in jobs)
        wish: dict[str, Any] = {"jobTypes": together.job_types, "maxJobs": room}
        if self._settings.lease_seconds:
            wish["leaseSeconds"] = self._settings.lease_seconds
        return wish if room else None

    def _rode(self, jobs: Sequence[Job]) -> None:
        together = next(lane for lane in self._lanes if not lane.is_limited)
        self._slots.take(len(jobs))
        together.take(len(jobs))
        self._take(jobs, together)

    async def _pause(self, seconds: float) -> bool:
        return self._gave_up or (await self._giving_up.wait(seconds) and self._gave_up)

    async def _end(self, stop: Stop, polling: _Polling) -> None:
        """Stop polling, drain, cancel, report, flush, close."""
        self._stopping = True
        polling.stop()
        drain = asyncio.ensure_future(self._drained(polling))
        await self._until(drain, stop, self._settings.shutdown_timeout)
        left = self._desk.stop_handlers()
        if left:
            _log.warning("stopping with %d jobs that did not finish in time; they are reported to be tried again", left)
        if not drain.done():
            await self._until(drain, None, 0.0 if stop.hurry else LAST_REPORTS_SECONDS)
        self._give_up()
        drain.cancel()
        await asyncio.gather(drain, polling.cut_off(), return_exceptions=True)
        await self._close()

    async def _drained(self, polling: _Polling) -> None:
        await polling.end()
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
            _log.warning("stopping with %d jobs unreported; their leases return them", left)

    async def _close(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._heart is not None:
            await self._heart.stop()
        self._threads.close()
        await self._port.close()


class _Polling:
    """The pollers of one set of lanes, at work from the beginning."""

    def __init__(self, pollers: Sequence[Poller]) -> None:
        self._pollers = pollers
        self._tasks = [asyncio.ensure_future(poller.run()) for poller in pollers]

    def raise_bugs(self) -> None:
        """Raise what a poller should have handled."""
        for task in self._tasks:
            if task.done():
                task.result()

    def stop(self) -> None:
        """Let nobody begin another poll."""
        for poller in self._pollers:
            poller.stop()

    async def end(self) -> None:
        """Stop, and wait for the polls under way."""
        self.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def cut_off(self) -> None:
        """End them without waiting for an answer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
