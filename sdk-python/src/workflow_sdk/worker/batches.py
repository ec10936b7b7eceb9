"""Reports ride together: what ends within two milliseconds goes in one call, and the next poll with it.

When everything that is claimed has ended, there is nothing left to wait for, and the call goes at once.

An engine of the first generation has no such call. Whether this one has it is found out with the first report and
looked at again after a while, because an engine may be replaced while its workers run.

It would break if what is wrong with one outcome were told of the others: a call that is refused for what it holds is
sent again in halves, down to the one that is to blame.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workflow_sdk.errors import BadRequest, EngineClientError, InternalError, NotFound, NotOffered, WorkflowSDKError
from workflow_sdk.handler.outcome import Completed, Outcome
from workflow_sdk.worker.ports import Job, Port
from workflow_sdk.worker.report_rules import undeliverable
from workflow_sdk.worker.reporter import variables_of

if TYPE_CHECKING:
    from workflow_sdk.worker.timing import Timing

GATHER_SECONDS = 0.002
MOST_TOGETHER = 100
LOOK_AGAIN_SECONDS = 60.0

Ride = Callable[[Sequence[Job]], Mapping[str, Any] | None]
"""`ride(jobs)`: the poll to send with the reports of these jobs, None for none."""

_Waiting = tuple[Job, Outcome, "asyncio.Future[None]"]


class Batches:
    """Sends outcomes, together when the engine can take them so.

    Args:
        port: the engine.
        timing: time.
        ride: which poll goes along.
        on_jobs: called with what that poll brought, before those who wait for the reports go on.
        claimed: how many jobs the worker has, reports under way included.
        wanted: whether batches may be used at all.

    """

    def __init__(
        self,
        port: Port,
        *,
        timing: Timing,
        ride: Ride,
        on_jobs: Callable[[Sequence[Job]], object],
        claimed: Callable[[], int],
        wanted: bool,
    ) -> None:
        self._port = port
        self._timing = timing
        self._ride = ride
        self._on_jobs = on_jobs
        self._claimed = claimed
        self._waiting: list[_Waiting] = []
        self._gathering: asyncio.TimerHandle | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._single_until = 0.0 if port.can_batch and wanted else math.inf

    @property
    def is_offered(self) -> bool:
        """Whether the engine takes batches, as far as is known."""
        return self._timing.monotonic() >= self._single_until

    async def send(self, job: Job, outcome: Outcome) -> None:
        """Send one outcome, with others when that is possible; raises what went wrong with this one."""
        if self.is_offered:
            try:
                await self._together(job, outcome)
            except NotOffered:
                self._single_until = self._timing.monotonic() + LOOK_AGAIN_SECONDS
            else:
                return
        if isinstance(outcome, Completed):
            await self._port.complete(job, variables_of(outcome))
        else:
            await self._port.fail(job, outcome)

    def flush(self) -> None:
        """Send what waits for company, now."""
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        if self._waiting:
            waiting, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            call = asyncio.get_running_loop().create_task(self._call(waiting))
            self._calls.add(call)  # the loop alone would forget it
            call.add_done_callback(self._calls.discard)

    async def _together(self, job: Job, outcome: Outcome) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((job, outcome, done))
        if len(self._waiting) >= min(MOST_TOGETHER, self._claimed()):
            self.flush()
        elif self._gathering is None:
            self._gathering = loop.call_later(GATHER_SECONDS, self.flush)
        await done

    async def _call(self, waiting: list[_Waiting]) -> None:
        poll = self._ride([job for job, _, _ in waiting])
        try:
            answer = await self._port.report([_item(job, outcome) for job, outcome, _ in waiting], poll)
            results = answer["results"]
        except BaseException as error:
            if len(waiting) > 1 and _is_about_the_contents(error):
                half = len(waiting) // 2
                await self._call(waiting[:half])
                await self._call(waiting[half:])
                return
            for _, _, done in waiting:
                if not done.done():
                    done.set_exception(error if isinstance(error, Exception) else _cut_short())
            if not isinstance(error, Exception):
                raise
            return
        if poll is not None:
            self._on_jobs(answer["jobs"])
        for index, (_, _, done) in enumerate(waiting):
            refusal = _error_of(results[index]) if index < len(results) else _left_out()
            if done.done():
                continue
            if refusal is None:
                done.set_result(None)
            else:
                done.set_exception(refusal)


def _is_about_the_contents(error: BaseException) -> bool:
    """Return whether a call was refused as a whole for what it holds, so that smaller ones may pass.

    One result may be no JSON, or all together too large. Nothing was taken then, and the others must not suffer. What
    neither the engine nor the network said was raised on the way to them, most likely by one of the results.
    """
    if not isinstance(error, Exception):
        return False
    return undeliverable(error) or not isinstance(error, (EngineClientError, OSError))


def _cut_short() -> WorkflowSDKError:
    return WorkflowSDKError("the worker stopped while the report was on its way")


def _left_out() -> EngineClientError:
    # Wrong with the engine and not with the outcome, so no refusal of it.
    return InternalError(500, "the engine left it out")


def _item(job: Job, outcome: Outcome) -> dict[str, Any]:
    item: dict[str, Any] = {"jobId": job["id"]}
    if job.get("leaseToken"):
        item["leaseToken"] = job["leaseToken"]
    if isinstance(outcome, Completed):
        item["completed"] = {"variables": variables_of(outcome)}
        return item
    failed: dict[str, Any] = {"errorMessage": outcome.message, "retryable": outcome.retryable}
    item["failed"] = failed
    if outcome.code:
        failed["errorCode"] = outcome.code
    if outcome.retry_after_ms is not None:
        failed["retryAfterMs"] = outcome.retry_after_ms
    return item


def _error_of(result: Mapping[str, Any]) -> Exception | None:
    """Return what the engine has against one outcome; late and repeated ones changed nothing, as they should."""
    status, message = result.get("status"), str(result.get("message") or "")
    if status in {"ACCEPTED", "STALE"}:
        return None
    if status == "NOT_FOUND":
        return NotFound(404, message)
    return BadRequest(400, message)
