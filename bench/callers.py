"""One way to talk to an engine each: claim, complete one, report many. The load's loops are the same over all of them.

As little work per call as Python allows, so that the engine is what is measured. Any answer that is not a success
raises, and so voids the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import grpc
from msgspec import Raw
from rochallor.shell.engine import Engine
from rochallor.shell.requests import JobCompleted, JobOutcome, Poll, Report
from rochallor_proto import engine_pb2 as pb
from rochallor_proto.engine_pb2_grpc import WorkflowEngineStub

from bench.flow import JOB_TYPE, RESULT, WORKER
from bench.wire import Connection

WAIT_MS = 50
PATIENCE_S = 30.0


class Caller(Protocol):
    """A worker's side of the contract."""

    async def claim(self, at_once: int) -> list[str]:
        """Return the ids of up to so many jobs, after a short wait if there are none."""
        ...

    async def complete(self, job_id: str) -> None:
        """Report one job."""
        ...

    async def report(self, job_ids: Sequence[str], at_once: int) -> list[str]:
        """Report many jobs and claim the next in one call."""
        ...


class Rest:
    """JSON over one HTTP connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, at_once: int) -> list[str]:
        """POST /v1/jobs/poll."""
        wish = {"workerId": WORKER, "jobTypes": [JOB_TYPE], "maxJobs": at_once, "waitMs": WAIT_MS}
        answer = await self._connection.post("/v1/jobs/poll", json.dumps(wish).encode())
        jobs = json.loads(answer)["jobs"]
        if len(jobs) < at_once:
            self._connection.latencies.pop()  # it waited for work, as it was asked to; that is no latency
        return [job["id"] for job in jobs]

    async def complete(self, job_id: str) -> None:
        """POST /v1/jobs/{id}/complete."""
        await self._connection.post(f"/v1/jobs/{job_id}/complete", _RESULT)

    async def report(self, job_ids: Sequence[str], at_once: int) -> list[str]:
        """POST /v1/jobs/report."""
        outcomes = b",".join(_OUTCOME % job_id.encode() for job_id in job_ids)
        answer = json.loads(await self._connection.post("/v1/jobs/report", _REPORT % (outcomes, at_once)))
        _all_accepted(result["status"] for result in answer["results"])
        return [job["id"] for job in answer["jobs"]]


_RESULT = b'{"workerId":"%b","variables":%b}' % (WORKER.encode(), RESULT)
_OUTCOME = b'{"jobId":"%%b","completed":{"variables":%b}}' % RESULT
_REPORT = b'{"workerId":"%b","outcomes":[%%b],"poll":{"jobTypes":["%b"],"maxJobs":%%d,"waitMs":%d}}' % (
    WORKER.encode(),
    JOB_TYPE.encode(),
    WAIT_MS,
)


class Grpc:
    """Unary calls over a channel, variables as JSON text."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = WorkflowEngineStub(channel)  # type: ignore[no-untyped-call]  # generated

    async def claim(self, at_once: int) -> list[str]:
        """PollJobs."""
        answer = await self._stub.PollJobs(_wish(at_once), timeout=PATIENCE_S)
        return [job.id for job in answer.jobs]

    async def complete(self, job_id: str) -> None:
        """CompleteJob."""
        request = pb.CompleteJobRequest(job_id=job_id, worker_id=WORKER, variables_json=RESULT)
        await self._stub.CompleteJob(request, timeout=PATIENCE_S)

    async def report(self, job_ids: Sequence[str], at_once: int) -> list[str]:
        """ReportJobs."""
        done = pb.JobCompleted(variables_json=RESULT)
        outcomes = [pb.JobOutcome(job_id=job_id, completed=done) for job_id in job_ids]
        request = pb.ReportJobsRequest(worker_id=WORKER, outcomes=outcomes, poll=_wish(at_once))
        answer = await self._stub.ReportJobs(request, timeout=PATIENCE_S)
        _all_accepted(pb.JobOutcomeStatus.Name(result.status).rpartition("_")[2] for result in answer.results)
        return [job.id for job in answer.jobs]


class Door(Grpc):
    """Calls to a server on which no engine is: it knows no jobs, so they are made up."""

    async def claim(self, at_once: int) -> list[str]:
        """Return ids as long as real ones."""
        return [_NO_JOB] * at_once


class Inside:
    """An engine in this very process: no transport at all."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def claim(self, at_once: int) -> list[str]:
        """Poll."""
        return [job.id for job in await self._engine.poll_jobs(_poll(at_once), default_max_jobs=1)]

    async def complete(self, job_id: str) -> None:
        """Complete."""
        await self._engine.complete_job(job_id, WORKER, variables=RESULT)

    async def report(self, job_ids: Sequence[str], at_once: int) -> list[str]:
        """Report."""
        done = JobCompleted(variables=Raw(RESULT))
        outcomes = [JobOutcome(job_id=job_id, completed=done) for job_id in job_ids]
        report = Report(worker_id=WORKER, outcomes=outcomes, poll=_poll(at_once))
        answer = await self._engine.report_jobs(report, default_max_jobs=1)
        _all_accepted(result.status for result in answer.results)
        return [job.id for job in answer.jobs]


_NO_JOB = f"{'0' * 26}.1.1"


def _wish(at_once: int) -> pb.PollJobsRequest:
    return pb.PollJobsRequest(
        worker_id=WORKER, job_types=[JOB_TYPE], max_jobs=at_once, wait_ms=WAIT_MS, json_variables=True
    )


def _poll(at_once: int) -> Poll:
    return Poll(worker_id=WORKER, job_types=[JOB_TYPE], max_jobs=at_once, wait_ms=WAIT_MS)


def _all_accepted(statuses: Iterable[str]) -> None:
    others = set(statuses) - {"ACCEPTED"}
    if others:
        raise RuntimeError(f"reports were answered with {sorted(others)}")
