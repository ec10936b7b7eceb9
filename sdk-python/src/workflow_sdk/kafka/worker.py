"""The worker that reads Kafka: one intake for each job type, on top of the workshop that every worker has."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from workflow_sdk.kafka.deliveries import DeadLetter, Deliveries, Seen
from workflow_sdk.kafka.intake import Intake
from workflow_sdk.worker.limits import Lane, lane_of
from workflow_sdk.worker.workshop import LOOK_SECONDS, Workshop

if TYPE_CHECKING:
    from workflow_sdk.kafka.port import Consumer
    from workflow_sdk.worker.ports import Job, Port
    from workflow_sdk.worker.settings import WorkerSettings
    from workflow_sdk.worker.stop import Stop

_log = logging.getLogger("workflow_sdk")

LEAVE_SECONDS = 10.0
"""What the last commit and the goodbye to the group get; brokers that are away must not keep a worker from ending."""


class KafkaWorker:
    """One worker, for one run. Make it and use it on the same event loop.

    Args:
        port: the engine, to report to.
        registry: the handlers.
        settings: how it is set up.
        metrics: a `Metrics`, or silent ones.
        connect: makes a port for leases, should a job have one; None keeps them over `port`.
        consumer: makes the consumer for a job type.
        seen: the ids of what is settled.
        dead_letter: gets records that are no jobs, or that the engine never takes a report of.

    """

    def __init__(
        self,
        port: Port,
        registry: Any,
        settings: WorkerSettings,
        metrics: Any,
        connect: Callable[[], Port] | None = None,
        *,
        consumer: Callable[[str], Consumer],
        seen: Seen,
        dead_letter: DeadLetter,
    ) -> None:
        self._registry = registry
        self._settings = settings
        self._consumer = consumer
        self._deliveries = Deliveries(
            self._start, seen=seen, dead_letter=dead_letter, monotonic=settings.timing.monotonic
        )
        self._workshop = Workshop(
            port,
            registry,
            settings,
            metrics,
            connect,
            ride=_nothing,
            on_rode=_nothing,
            on_reported=self._deliveries.reported,
            on_free=self._feed,
        )
        self._intakes: dict[str, Intake] = {}
        self._turns: deque[Intake] = deque()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, stop: Stop) -> None:
        """Work until told to stop, then drain.

        Raises:
            ConsumerBroken: Kafka will deliver no more; what was under way is finished and reported first.

        """
        if not self._registry.job_types():
            _log.error("no handler is registered, so there is no topic to read; register one on the registry")
        try:
            while not stop.is_set():
                for job_type in self._registry.job_types():
                    if job_type not in self._intakes:  # handlers may be registered while it runs
                        self._read(job_type)
                await asyncio.sleep(LOOK_SECONDS)
                self._raise_bugs()
        finally:
            await self._workshop.end(stop, self)

    def stop(self) -> None:
        """Begin no more jobs; the consumers stay in their groups until the jobs under way are reported."""
        for intake in self._turns:
            intake.stop()

    async def end(self) -> None:
        """Stop; nothing is on its way that was not begun."""
        self.stop()

    async def cut_off(self) -> None:
        """Commit what is done, leave the groups."""
        self._deliveries.close()
        for intake in self._turns:
            intake.leave()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LEAVE_SECONDS)
            for task in late:
                task.cancel()
            if late:
                _log.warning("%d consumers did not leave their groups in time; some records come again", len(late))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _read(self, job_type: str) -> None:
        timing = self._settings.timing
        intake = Intake(
            job_type,
            self._consumer(job_type),
            lane=lane_of(self._registry, job_type, timing.monotonic),
            slots=self._workshop.slots,
            deliveries=self._deliveries,
            timing=timing,
        )
        self._intakes[job_type] = intake
        self._turns.append(intake)
        self._tasks.append(asyncio.ensure_future(intake.run()))

    def _raise_bugs(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()

    def _start(self, job: Job, lane: Lane) -> None:
        self._workshop.take([job], lane)

    def _feed(self) -> None:
        """Let every type have its turn at being the first."""
        self._turns.rotate(-1)
        for intake in list(self._turns):
            intake.feed()


def _nothing(jobs: Sequence[Job]) -> None:
    """No poll goes along with the reports: the engine hands nothing out while it publishes to Kafka."""
    del jobs
