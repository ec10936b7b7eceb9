"""Work for workers: poll, complete, fail, report. The busiest routes; they map and do nothing else."""

from __future__ import annotations

from rochallor.shell.engine import Engine
from rochallor.transports.rest.answers import NO_CONTENT, Answer, ok
from rochallor.transports.rest.bodies import COMPLETE_JOB, FAIL_JOB, POLL, REPORT, variables_of
from rochallor.transports.rest.call import Call

DEFAULT_MAX_JOBS = 10


async def poll(engine: Engine, call: Call) -> Answer:
    """POST /v1/jobs/poll."""
    body = await call.read(POLL)
    work = engine.poll_jobs(body, default_max_jobs=DEFAULT_MAX_JOBS)
    return ok({"jobs": await (call.while_present(work) if body.wait_ms else work)})


async def complete(engine: Engine, call: Call) -> Answer:
    """POST /v1/jobs/{id}/complete."""
    body = await call.read(COMPLETE_JOB)
    variables = variables_of(body.variables, "/variables")
    await engine.complete_job(call.ids[0], body.worker_id, variables=variables, lease_token=body.lease_token or "")
    return NO_CONTENT


async def fail(engine: Engine, call: Call) -> Answer:
    """POST /v1/jobs/{id}/fail."""
    body = await call.read(FAIL_JOB)
    await engine.fail_job(
        call.ids[0],
        body.worker_id,
        message=body.error_message,
        retryable=body.retryable,
        lease_token=body.lease_token or "",
        retry_after_ms=body.retry_after_ms,
        error_code=body.error_code or "",
    )
    return NO_CONTENT


async def report(engine: Engine, call: Call) -> Answer:
    """POST /v1/jobs/report."""
    body = await call.read(REPORT)
    if body.poll is not None:
        body.poll.worker_id = body.poll.worker_id or body.worker_id
    work = engine.report_jobs(body, default_max_jobs=DEFAULT_MAX_JOBS)
    waits = body.poll is not None and body.poll.wait_ms
    return ok(await (call.while_present(work) if waits else work))
