"""One job under way in this worker: what was claimed, and how its handler's work ends, whoever ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from workflow_sdk.handler.context import Control
from workflow_sdk.handler.outcome import Completed, Failed, Outcome

if TYPE_CHECKING:
    from workflow_sdk.handler.registry import Registration
    from workflow_sdk.worker.limits import Lane

TIMED_OUT, STOPPED = "timeout", "worker-stopped"
_CANCELLED = Failed("the handler was cancelled, and not by its worker", retryable=True)

Work = Outcome | Coroutine[Any, Any, Outcome]
"""What a handler's work comes to: how it ended, or what is yet to be awaited of it."""


class Claimed:
    """A job that this worker has.

    Its handler's work ends once: because the handler returned or raised, because its time is up, because the worker
    stops, or because the lease was lost, which may be found out on another thread while the loop is busy.

    Args:
        job: as the engine handed it out.
        registration: its handler, None when there is none.
        lane: the poll it came with; None when it came without one.
        loop: the worker's loop.

    """

    __slots__ = (
        "_ending",
        "_loop",
        "_work",
        "control",
        "finished",
        "in_thread",
        "job",
        "key",
        "lane",
        "lost",
        "registration",
    )

    def __init__(
        self,
        job: Mapping[str, Any],
        registration: Registration | None,
        lane: Lane | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.job = job
        self.key = key_of(job)
        """What a redelivery of the same work has in common with it."""
        self.registration = registration
        self.lane = lane
        self.control = Control(_deadline(registration))
        self.lost = False
        """Whether the lease is lost: nobody waits for a result any more. Set from the keeper's thread."""
        self.finished: asyncio.Future[None] = loop.create_future()
        """Done when it is reported or given up."""
        self.in_thread: asyncio.Future[Any] | None = None
        """What its code on a thread becomes, if it runs on one. Never to be cancelled: the thread would go on."""
        self._loop = loop
        self._ending: asyncio.Future[Outcome | None] = loop.create_future()
        self._work: asyncio.Future[Work] | asyncio.Future[Outcome] | None = None

    @property
    def result(self) -> Completed | None:
        """What its handler returned, None when it did not, or is not wanted any more."""
        ended = self._ending.result() if self._ending.done() and not self.lost else None
        return ended if isinstance(ended, Completed) else None

    @property
    def is_open(self) -> bool:
        """Whether it is yet to be seen how its work ends."""
        return not self._ending.done()

    @property
    def is_at_work(self) -> bool:
        """Whether the handler still runs: a thread cannot be stopped from outside."""
        return _is_on(self._work) or _is_on(self.in_thread)

    def settle(self, outcome: Outcome) -> Outcome:
        """End it without work."""
        self._end(outcome)
        return outcome

    async def outcome(self, work: asyncio.Future[Work]) -> Outcome | None:
        """Return how the work ended, None when nobody wants to know any more."""
        self._follow(work)
        timeout = self.registration.timeout if self.registration else None
        timer = None if timeout is None else self._loop.call_later(timeout, self._time_is_up, timeout)
        try:
            ended = await self._ending
        finally:
            if timer is not None:
                timer.cancel()
        return None if self.lost else ended

    async def has_left_its_thread(self) -> None:
        """Return when the handler's code has really ended."""
        for each in (self.in_thread, self._work):
            if each is not None:
                await asyncio.wait({each})

    def lose(self, reason: str) -> None:
        """Note, on any thread, that the lease is lost: the handler is cancelled and its result is not reported."""
        self.lost = True
        self.control.cancel(reason)
        with suppress(RuntimeError):  # the worker is gone, and so is whoever would report
            self._loop.call_soon_threadsafe(self._end, None)

    def stop(self) -> None:
        """End the work because the worker ends; the job is for another worker, or another time."""
        reason = "the worker stopped before the handler was done"
        self.control.cancel(reason)
        self._end(Failed(reason, retryable=True, code=STOPPED))

    def _time_is_up(self, timeout: float) -> None:
        reason = f"the handler took longer than its timeout of {timeout:g} s"
        self.control.cancel(reason)
        self._end(Failed(reason, retryable=True, code=TIMED_OUT))

    def _follow(self, work: asyncio.Future[Work] | asyncio.Future[Outcome]) -> None:
        self._work = work
        work.add_done_callback(self._worked)

    def _worked(self, work: asyncio.Future[Any]) -> None:
        # A handler may have waited for something that somebody else cancelled; to the job that is a failure like any.
        ended = _CANCELLED if work.cancelled() else work.result()
        if not isinstance(ended, (Completed, Failed)):
            if self.is_open:
                self._follow(self._loop.create_task(ended))
            else:
                ended.close()
        elif self.is_open:
            self._ending.set_result(ended)

    def _end(self, outcome: Outcome | None) -> None:
        if self.is_open:
            self._ending.set_result(outcome)
            if self._work is not None and self._work is not self.in_thread:
                self._work.cancel()


def _is_on(future: asyncio.Future[Any] | None) -> bool:
    return future is not None and not future.done()


def key_of(job: Mapping[str, Any]) -> str:
    """Return what all deliveries of the same work have in common."""
    return str(job.get("stepExecutionId") or job.get("id"))


def _deadline(registration: Registration | None) -> datetime | None:
    if registration is None or registration.timeout is None:
        return None
    return datetime.now(timezone.utc) + timedelta(seconds=registration.timeout)
