"""The worker that polls: claims jobs at an engine, as many as it has room for, on one event loop.

This module only puts the pollers on top of the workshop; what happens to a claimed job is the workshop's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from workflow_sdk.worker.limits import Lane, lanes_of
from workflow_sdk.worker.pace import Pace
from workflow_sdk.worker.poller import Poller
from workflow_sdk.worker.workshop import LOOK_SECONDS, Workshop

if TYPE_CHECKING:
    from workflow_sdk.worker.ports import Job, Port
    from workflow_sdk.worker.settings import WorkerSettings
    from workflow_sdk.worker.stop import Stop

_log = logging.getLogger("workflow_sdk")


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
        self._workshop = Workshop(port, registry, settings, metrics, connect, ride=self._ride, on_rode=self._rode)
        self._lanes: list[Lane] = []
        self._stopping = False

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
            self._stopping = True
            await self._workshop.end(stop, polling)

    def _start_polling(self, stop: Stop) -> _Polling:
        self._lanes = lanes_of(self._registry, self._settings.timing.monotonic)
        if not self._lanes:
            _log.error("no handler is registered, so there is nothing to poll for; register one on the registry")
        return _Polling([self._poller(lane, stop) for lane in self._lanes])

    def _poller(self, lane: Lane, stop: Stop) -> Poller:
        return Poller(
            self._port,
            lane,
            slots=self._workshop.slots,
            share=len(self._lanes),
            pace=Pace(self._settings.poll_interval, self._settings.timing.chance),
            timing=self._settings.timing,
            options=self._settings.poll_options,
            on_jobs=self._workshop.take,
            on_polled=self._polled,
            told_to_stop=stop.is_set,
        )

    def _polled(self, seconds: float, jobs: int) -> None:
        self._metrics.poll_latency.observe(seconds)
        if not jobs:
            self._metrics.lock_conflicts.inc()

    def _ride(self, jobs: Sequence[Job]) -> dict[str, Any] | None:
        """Ask, along with reports, for as many jobs as they make room for, of types that have no limits.

        A job that is reported because its time is up makes no room while its code keeps its thread.
        """
        together = next((lane for lane in self._lanes if not lane.is_limited), None)
        if together is None or self._stopping:
            return None
        room = sum(job.get("jobType") in together.job_types and not self._workshop.is_at_work(job) for job in jobs)
        room -= self._workshop.slots.wanting  # lanes have waited for these
        if room <= 0:
            return None
        wish: dict[str, Any] = {"jobTypes": together.job_types, "maxJobs": room}
        if self._settings.lease_seconds:
            wish["leaseSeconds"] = self._settings.lease_seconds
        return wish

    def _rode(self, jobs: Sequence[Job]) -> None:
        together = next(lane for lane in self._lanes if not lane.is_limited)
        self._workshop.slots.take(len(jobs))
        together.take(len(jobs))
        self._workshop.take(jobs, together)


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
