"""The workers' side of the engine: polls, reports, leases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Raw

from rochallor.access import ANYBODY, Caller
from rochallor.core import commands as cmd
from rochallor.core.errors import (
    BadRequest,
    Conflict,
    InternalError,
    NotFound,
    TooManyRequests,
    Unavailable,
    WorkflowError,
)
from rochallor.core.ids import JobRef, parse_job_id
from rochallor.core.machine import Outcome
from rochallor.core.reports import Verdict
from rochallor.core.variables import parse_variables
from rochallor.ports import ClaimedJob, ClaimRequest, Entropy, Reads
from rochallor.shell import checks, traces
from rochallor.shell.answers import job_view
from rochallor.shell.executor import Executor
from rochallor.shell.history import delivered
from rochallor.shell.requests import JobFailed, JobOutcome, Poll, Report
from rochallor.shell.settings import Settings
from rochallor.shell.views import JobView, OutcomeResult, ReportView, moment
from rochallor.shell.work import Do, Extend, OfTypes, Work

_TOKEN_BITS = 80
T = TypeVar("T")


def passed_on(claimed: ClaimedJob) -> str | None:
    """Return the starter's traceparent: an engine that makes no spans of its own stands in nobody's way."""
    return claimed.traceparent


NOT_ITS_FAULT = (Unavailable, TooManyRequests, InternalError, Conflict)
"""How an outcome may end that is right in itself: its worker has to send it again, and must not be told to drop it."""


class JobDesk:
    """Every operation of a worker, over an executor. `traceparent_of` says under what a worker's spans belong.

    `caller` is whose token the worker has: the audit names it, and it may be limited to some job types. A poll for
    another type is refused (`Forbidden`), and so is a report about a job of another type while its step is open.
    """

    def __init__(self, executor: Executor, reads: Reads, settings: Settings, entropy: Entropy) -> None:
        self.executor = executor
        self.settings = settings
        self.entropy = entropy
        self.traceparent_of: Callable[[ClaimedJob], str | None] = passed_on
        self._reads = reads

    async def poll_jobs(
        self, poll: Poll, *, default_max_jobs: int, max_bytes: int | None = None, caller: Caller = ANYBODY
    ) -> list[JobView]:
        """Return ready jobs, leased to this worker; waits up to `poll.wait_ms` (at most 30 s) for the first one.

        `max_bytes` is about how much of variables, as JSON, the answer may carry.
        """
        request = self._claim_request(poll, default_max_jobs, max_bytes, caller)
        claimed = await self.executor.poll(request, self._wait_ms(poll))
        return self._views(claimed)

    async def complete_job(
        self,
        job_id: str,
        worker_id: str,
        *,
        variables: bytes | None = None,
        lease_token: str = "",
        caller: Caller = ANYBODY,
    ) -> None:
        """Report a job's success. Late and repeated reports succeed and change nothing."""
        command = self._complete(_job(job_id), checks.worker(worker_id), variables, lease_token, caller)
        await self._report(command, job_id, caller)

    async def fail_job(
        self,
        job_id: str,
        worker_id: str,
        *,
        message: str,
        retryable: bool,
        lease_token: str = "",
        retry_after_ms: int | None = None,
        error_code: str = "",
        caller: Caller = ANYBODY,
    ) -> None:
        """Report a job's failure. Late and repeated reports succeed and change nothing."""
        failed = JobFailed(
            error_message=message, retryable=retryable, retry_after_ms=retry_after_ms, error_code=error_code
        )
        command = _failure(job_id, checks.worker(worker_id), failed, lease_token, caller)
        await self._report(command, job_id, caller)

    async def report_jobs(
        self, report: Report, *, default_max_jobs: int, max_bytes: int | None = None, caller: Caller = ANYBODY
    ) -> ReportView:
        """Take many outcomes and the next poll in one round trip; each outcome is answered for itself."""
        worker_id = checks.worker(report.worker_id)
        request = self._claim_request(report.poll, default_max_jobs, max_bytes, caller) if report.poll else None
        pending = [self._enqueue(outcome, worker_id, caller) for outcome in report.outcomes or ()]
        try:
            claimed = await self.executor.poll(request, self._wait_ms(report.poll)) if request and report.poll else []
        except WorkflowError:
            await self._results(pending)
            raise
        try:
            results = await self._results(pending)
        except BaseException:  # all of it is to be sent again, or the caller has gone: no answer brings the jobs along
            self.executor.polls.unheard(claimed)
            raise
        return ReportView(results=results, jobs=self._views(claimed))

    def _views(self, claimed: list[ClaimedJob]) -> list[JobView]:
        return [job_view(job, self.traceparent_of(job)) for job in claimed]

    def _claim_request(self, poll: Poll, default_max_jobs: int, max_bytes: int | None, caller: Caller) -> ClaimRequest:
        wanted = poll.max_jobs or default_max_jobs
        if wanted < 0:
            raise BadRequest("maxJobs must be 0 or more; 0 is the default")
        return ClaimRequest(
            worker_id=checks.worker(poll.worker_id),
            job_types=checks.allowed_types(checks.job_types(poll.job_types), caller),
            max_jobs=min(wanted, self.settings.max_jobs),
            lease_ms=checks.lease_ms(poll.lease_seconds, self.settings),
            lease_token=f"{self.entropy.bits(_TOKEN_BITS):020x}",
            max_bytes=max_bytes or self.settings.poll_bytes,
        )

    def _wait_ms(self, poll: Poll) -> int:
        return min(max(poll.wait_ms or 0, 0), self.settings.max_wait_ms)

    def _complete(
        self, job: JobRef, worker_id: str, variables: bytes | Raw | None, lease_token: str, caller: Caller
    ) -> cmd.CompleteJob:
        return cmd.CompleteJob(
            instance_id=job.instance_id,
            actor=caller.name or worker_id,
            traceparent=traces.current(),
            job=job,
            worker_id=worker_id,
            variables=parse_variables(variables, pointer="/variables"),
            lease_token=lease_token,
        )

    async def _report(self, command: cmd.CompleteJob | cmd.FailJob, job_id: str, caller: Caller) -> None:
        outcome = await self.executor.submit(_within(Do(command), command.job, caller))
        if outcome.error is not None:
            raise outcome.error
        if await self._settled(outcome, command.job) is Verdict.NOT_FOUND:
            raise checks.no_such_job(job_id)

    async def _settled(self, outcome: Outcome, job: JobRef) -> Verdict:
        """Return the verdict, with the record consulted where only it knows whether a delivery ever existed."""
        assert outcome.verdict is not None
        if outcome.verdict is not Verdict.CLOSED:
            return outcome.verdict
        existed = delivered(await self._reads.history(job.instance_id), job)
        return Verdict.STALE if existed else Verdict.NOT_FOUND

    def _enqueue(self, outcome: JobOutcome, worker_id: str, caller: Caller) -> _Pending | OutcomeResult:
        """Queue one outcome; what is wrong with it already is its own answer, not the batch's."""
        try:
            job, work = self._work(outcome, worker_id, caller)
        except WorkflowError as error:
            status = "NOT_FOUND" if isinstance(error, NotFound) else "REJECTED"
            return OutcomeResult(job_id=outcome.job_id, status=status, message=error.message)
        return _Pending(outcome.job_id, job, self.executor.enqueue(_within(work, job, caller)))

    def _work(self, outcome: JobOutcome, worker_id: str, caller: Caller) -> tuple[JobRef, Work[Outcome | int | None]]:
        """Return the job and the work on it. What is wrong with the outcome itself comes before an unknown job."""
        token = outcome.lease_token or ""
        told = [part for part in (outcome.completed, outcome.failed, outcome.extend) if part is not None]
        if len(told) != 1:
            raise BadRequest("an outcome has exactly one of completed, failed and extend")
        if outcome.completed is not None:
            job = _job(outcome.job_id)
            return job, Do(self._complete(job, worker_id, outcome.completed.variables, token, caller))
        if outcome.failed is not None:
            failure = _failure(outcome.job_id, worker_id, outcome.failed, token, caller)
            return failure.job, Do(failure)
        assert outcome.extend is not None
        lease_ms = checks.lease_ms(outcome.extend.lease_seconds, self.settings)
        job = _job(outcome.job_id)
        return job, Extend(job, worker_id, token, lease_ms)

    async def _results(self, pending: Sequence[_Pending | OutcomeResult]) -> list[OutcomeResult]:
        """Return what became of each, once all are done; raises what is no answer, but a reason to ask again."""
        results, passing = [], None
        for entry in pending:
            try:
                results.append(await self._result(entry))
            except NOT_ITS_FAULT as error:
                passing = error
        if passing is not None:
            raise passing
        return results

    async def _result(self, pending: _Pending | OutcomeResult) -> OutcomeResult:
        if isinstance(pending, OutcomeResult):
            return pending
        job_id = pending.job_id
        try:
            answer = await pending.answer
        except NOT_ITS_FAULT:
            raise
        except WorkflowError as error:
            return OutcomeResult(job_id=job_id, status="REJECTED", message=error.message)
        if isinstance(answer, Outcome):
            if answer.error is not None:
                return OutcomeResult(job_id=job_id, status="REJECTED", message=answer.error.message)
            return OutcomeResult(job_id=job_id, status=(await self._settled(answer, pending.job)).value)
        if answer is None:
            return OutcomeResult(job_id=job_id, status="STALE", message="the lease is not this worker's any more")
        return OutcomeResult(job_id=job_id, status="ACCEPTED", lock_expires_at=moment(answer))


class _Pending(msgspec.Struct, frozen=True):
    """A reported outcome that is queued; its answer is known once it is committed."""

    job_id: str
    job: JobRef
    answer: Awaitable[Outcome | int | None]


def _within(work: Work[T], job: JobRef, caller: Caller) -> Work[T]:
    """Return the work, held to the job types of the caller."""
    return work if caller.job_types is None else OfTypes(work, job, caller)


def _failure(job_id: str, worker_id: str, failed: JobFailed, lease_token: str, caller: Caller) -> cmd.FailJob:
    if failed.retry_after_ms is not None and failed.retry_after_ms < 0:
        raise BadRequest("retryAfterMs must be 0 or more")
    job = _job(job_id)
    return cmd.FailJob(
        instance_id=job.instance_id,
        actor=caller.name or worker_id,
        traceparent=traces.current(),
        job=job,
        worker_id=worker_id,
        retryable=failed.retryable,
        message=failed.error_message,
        lease_token=lease_token,
        retry_after_ms=failed.retry_after_ms,
        error_code=failed.error_code or "",
    )


def _job(job_id: str) -> JobRef:
    job = parse_job_id(job_id)
    if job is None:
        raise checks.no_such_job(job_id[:64])
    return job
