"""Claims jobs: exactly as many as there are free slots, as soon as there are any."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workflow_sdk.worker.limits import Lane
from workflow_sdk.worker.ports import Job, Port

if TYPE_CHECKING:
    from workflow_sdk.worker.pace import Pace, Rest
    from workflow_sdk.worker.slots import Slots
    from workflow_sdk.worker.timing import Timing

_log = logging.getLogger("workflow_sdk")

MOST_PER_POLL = 1000
POLITE_SECONDS = 0.05
"""After so long a lane looks again whether those it has left its slots for have taken them."""


@dataclass(frozen=True)
class PollOptions:
    """What a poll asks for beside jobs: a hold of `wait_ms` and a lease of `lease_seconds`; 0 = the engine's choice."""

    wait_ms: int = 0
    lease_seconds: int = 0


class Poller:
    """Polls for one lane and hands on what comes.

    Args:
        port: the engine.
        lane: what is asked for.
        slots: all of the worker's.
        share: how many lanes have to live with these slots.
        pace: when to poll next.
        timing: time.
        options: what is asked for beside jobs.
        on_jobs: called with the jobs that came; their slots are taken by then.
        on_polled: called with the seconds a poll took and how many jobs it brought.
        told_to_stop: asked before every poll; what is set on another thread is so heard at once.

    """

    def __init__(
        self,
        port: Port,
        lane: Lane,
        *,
        slots: Slots,
        share: int,
        pace: Pace,
        timing: Timing,
        options: PollOptions,
        on_jobs: Callable[[Sequence[Job], Lane], object],
        on_polled: Callable[[float, int], object],
        told_to_stop: Callable[[], bool],
    ) -> None:
        self._port = port
        self._lane = lane
        self._slots = slots
        self._share = share
        self._pace = pace
        self._timing = timing
        self._options = options
        self._on_jobs = on_jobs
        self._on_polled = on_polled
        self._told_to_stop = told_to_stop
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Claim no more. A poll under way is finished first: what it claims must not be forgotten."""
        self._stopping.set()

    async def run(self) -> None:
        """Poll until told to stop."""
        has_waited = False
        while not (self._stopping.is_set() or self._told_to_stop()):
            since = self._slots.given_back
            free = self._allowance(has_waited=has_waited)
            has_waited = not free
            if free:
                await self._rest(await self._poll(free), since)
            else:
                await self._await_room(since)

    def _allowance(self, *, has_waited: bool) -> int:
        """Return how many jobs to ask for; a limited lane leaves the others their share of what is free.

        Every lane leaves a slot to each other one that waits for its due, or a poll that is held and brings nothing
        would keep them all, again and again. Who has waited for its own due takes one in any case.
        """
        free = self._slots.free()
        if self._lane.is_limited:
            free = min(free, max(1, free // self._share))
        free = max(free - self._slots.wanting, min(free, 1) if has_waited and self._has_less_than_its_due() else 0)
        return self._lane.allowance(min(free, MOST_PER_POLL))

    async def _await_room(self, since: int) -> None:
        seconds = self._lane.seconds_until_more()
        could = self._lane.allowance(1)  # nothing, when it is the lane's own limit that it waits for
        if self._slots.free() and could:
            seconds = POLITE_SECONDS
        wants = could if self._has_less_than_its_due() else 0
        self._slots.wanting += wants
        try:
            await self._first(self._slots.changed(since, seconds))
        finally:
            self._slots.wanting -= wants

    def _has_less_than_its_due(self) -> bool:
        return self._lane.under_way < max(1, self._slots.size // self._share)

    async def _poll(self, free: int) -> Rest:
        self._slots.reserve(free)
        began, jobs = self._timing.monotonic(), []
        wait_ms = self._options.wait_ms if self._port.can_wait else 0
        try:
            jobs = await self._port.poll(self._lane.job_types, free, wait_ms, self._options.lease_seconds)
        except Exception as error:  # noqa: BLE001 - the client may be anybody's, and a worker outlives its engine
            return self._after_error(error)
        finally:
            self._slots.settle(free, len(jobs))
        took = self._timing.monotonic() - began
        self._on_polled(took, len(jobs))
        self._lane.take(len(jobs))
        self._on_jobs(jobs, self._lane)
        return self._pace.after_answer(asked=free, got=len(jobs), wait_seconds=wait_ms / 1000, took_seconds=took)

    def _after_error(self, error: Exception) -> Rest:
        rest = self._pace.after_error(getattr(error, "retry_after", None))
        count = self._pace.errors
        if count & (count - 1) == 0:  # the 1st, 2nd, 4th, 8th ...: an outage must not fill the log
            _log.warning("poll failed (%d in a row), next try in %.2f s: %s", count, rest.seconds, error)
        return rest

    async def _rest(self, rest: Rest, since: int) -> None:
        if rest.seconds <= 0:
            await asyncio.sleep(0)
        elif rest.ends_with_a_slot:
            await self._first(self._slots.changed(since, rest.seconds))
        else:
            await self._first(asyncio.sleep(rest.seconds))

    async def _first(self, waiting: Coroutine[Any, Any, object]) -> None:
        """Wait for something, or for the order to stop."""
        task = asyncio.ensure_future(waiting)
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
            stop.cancel()
