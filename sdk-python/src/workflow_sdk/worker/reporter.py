"""Delivers outcomes to the engine until they are acknowledged. A report is never lost because the network was.

Results wait here, so a job that comes again while its result is still on the way is answered from memory. One report
per job is under way at a time. It would break if an outcome were changed here because a call failed, with one
exception: a result that can never be delivered becomes a failure that says so.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from workflow_sdk.handler.outcome import Completed, Failed, Outcome
from workflow_sdk.worker.report_rules import (
    GIVE_UP_SECONDS,
    Told,
    may_repeat_complete,
    may_repeat_fail,
    pause_before_next,
    told_by,
    undeliverable,
)

if TYPE_CHECKING:
    from workflow_sdk.worker.timing import Timing

_log = logging.getLogger("workflow_sdk")

_CONFLICT = 409
_HELD_AT_MOST = 10_000

Send = Callable[[Mapping[str, Any], Outcome], Awaitable[object]]
"""`await send(job, outcome)` sends it once; raises what went wrong."""
Pause = Callable[[float], Awaitable[bool]]
"""`await pause(seconds)`; True when it was cut short because the worker gives up."""


class Reporter:
    """Reports outcomes of one worker.

    Args:
        send: how an outcome is sent once.
        timing: time and chance.
        pause: how to wait between attempts.
        on_conflict: called when the engine says that the job was no longer ours.

    """

    def __init__(self, send: Send, *, timing: Timing, pause: Pause, on_conflict: Callable[[], object]) -> None:
        self._send = send
        self._timing = timing
        self._pause = pause
        self._on_conflict = on_conflict
        self._held: OrderedDict[str, Completed] = OrderedDict()

    def held_result(self, job: Mapping[str, Any]) -> Completed | None:
        """Return the result of an earlier delivery of this step execution that is not acknowledged yet."""
        return self._held.get(job.get("stepExecutionId") or "")

    async def report(self, job: Mapping[str, Any], outcome: Outcome) -> Told:
        """Send the outcome, again if need be; return what the engine knows of it."""
        self._hold(job, outcome)
        error = await self._deliver(job, outcome)
        if error is not None and isinstance(outcome, Completed) and undeliverable(error):
            self._release(job)
            message = f"the result cannot be delivered: {error}"
            _log.error("job %s of type %r: %s", job.get("id"), job.get("jobType"), message)
            error = await self._deliver(job, Failed(message, retryable=False))
        if error is None:
            self._release(job)
            return Told.ACCEPTED
        if getattr(error, "status_code", None) == _CONFLICT:
            self._on_conflict()
        _log.error("the report of job %s was not accepted: %s", job.get("id"), error)
        return told_by(error)

    async def _deliver(self, job: Mapping[str, Any], outcome: Outcome) -> Exception | None:
        """Send until acknowledged or hopeless; return the error it ended with, None when acknowledged."""
        may_repeat = may_repeat_complete if isinstance(outcome, Completed) else may_repeat_fail
        began, attempts = self._timing.monotonic(), 0
        while True:
            attempts += 1
            try:
                await self._send(job, outcome)
            except Exception as error:  # noqa: BLE001 - the client may be anybody's
                late = self._timing.monotonic() - began > GIVE_UP_SECONDS
                if late or not may_repeat(error, attempts):
                    return error
                _log.warning("reporting job %s again after attempt %d: %s", job.get("id"), attempts, error)
                if await self._pause(pause_before_next(error, attempts, self._timing.chance)):
                    return error
            else:
                return None

    def _hold(self, job: Mapping[str, Any], outcome: Outcome) -> None:
        key = job.get("stepExecutionId")
        if key and isinstance(outcome, Completed):
            self._held[key] = outcome
            while len(self._held) > _HELD_AT_MOST:
                self._held.popitem(last=False)

    def _release(self, job: Mapping[str, Any]) -> None:
        self._held.pop(job.get("stepExecutionId") or "", None)


def variables_of(completed: Completed) -> Mapping[str, Any]:
    """Return what to report: a handler that returns nothing sets nothing."""
    return completed.variables or {}
