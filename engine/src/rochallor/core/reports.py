"""What workers and leases say of a job: complete, fail, expire.

A report counts only when it is about the current delivery and comes from its holder; everything else is late or
repeated, changes nothing, and is answered as such. That makes reports safe to repeat and races have one winner.
"""

from __future__ import annotations

from enum import Enum

from rochallor.core import commands as cmd
from rochallor.core import events as ev
from rochallor.core.definition.model import Step
from rochallor.core.errors import BadRequest, Detail, PayloadTooLarge, WorkflowError
from rochallor.core.ids import JobRef
from rochallor.core.model import Instance, OpenJob, OpenStep
from rochallor.core.routing import finish
from rochallor.core.run import Run
from rochallor.core.steps.service_task import retry_delay_ms
from rochallor.core.variables import Variables, View


class Verdict(str, Enum):
    """What became of a report. CLOSED: its step is over, and only history knows whether the delivery ever existed."""

    ACCEPTED = "ACCEPTED"
    STALE = "STALE"
    CLOSED = "CLOSED"
    NOT_FOUND = "NOT_FOUND"
    REJECTED = "REJECTED"


def judge(instance: Instance, job: JobRef) -> Verdict:
    """Return whether a job id names the current delivery (ACCEPTED), an earlier one, or none that ever was."""
    if job.seq > instance.last_seq:
        return Verdict.NOT_FOUND
    step = instance.open.get(job.seq)
    if step is None:
        return Verdict.CLOSED
    if step.job is None or job.delivery > step.job.delivery:
        return Verdict.NOT_FOUND
    return Verdict.ACCEPTED if job.delivery == step.job.delivery else Verdict.STALE


def _judge_report(run: Run, command: cmd.CompleteJob | cmd.FailJob) -> Verdict:
    verdict = judge(run.instance, command.job)
    if verdict is Verdict.ACCEPTED and not _holds(run, command):
        return Verdict.STALE
    return verdict


def _holds(run: Run, command: cmd.CompleteJob | cmd.FailJob) -> bool:
    lease = run.context.lease
    if lease is None:
        return not run.context.rules.jobs_are_leased
    if command.lease_token:
        return command.lease_token == lease.token
    return command.worker_id == lease.worker_id


def complete_job(run: Run, command: cmd.CompleteJob) -> tuple[Verdict, WorkflowError | None]:
    """Accept a worker's result; a result that breaks a rule fails the instance and is refused to the worker."""
    verdict = _judge_report(run, command)
    if verdict is not Verdict.ACCEPTED:
        return verdict, None
    done, step = _open(run, command.job)
    refusal = refused(run, step, command.variables)
    if refusal is not None:
        run.fail(done, refusal.message)
        return Verdict.REJECTED, refusal
    finish(run, step, done, command.variables, by=command.worker_id)
    return verdict, None


def refused(run: Run, step: Step, result: Variables) -> WorkflowError | None:
    """Return why a result cannot be merged: it breaks the step's schema, or the variables' limit."""
    if step.outputs_schema is not None:
        violations = step.outputs_schema.check(View(result))
        if violations:
            details = tuple(Detail("SCHEMA_VIOLATION", "/variables", violation) for violation in violations)
            message = f"OutputSchemaViolation: result of step '{step.id}': {'; '.join(violations)}"
            return BadRequest(message, details=details)
    if not run.fits(result):
        limit = run.context.rules.max_variables_bytes
        return PayloadTooLarge(f"VariablesTooLarge: step '{step.id}' would take the variables over {limit} bytes")
    return None


def fail_job(run: Run, command: cmd.FailJob) -> tuple[Verdict, None]:
    """Accept a worker's failure: queue the job again, or fail the instance with the worker's message."""
    verdict = _judge_report(run, command)
    if verdict is not Verdict.ACCEPTED:
        return verdict, None
    failed, step = _open(run, command.job)
    assert failed.job is not None
    message = command.message.replace("\x00", "") or "the worker gave no message"
    delay_ms = _retry_in_ms(run, command, step, failed, failed.job)
    if delay_ms is None:
        run.fail(failed, message)
        return verdict, None
    run.emit(
        ev.JobRetried(
            seq=failed.seq,
            step_id=step.id,
            job_type=failed.job.job_type,
            delivery=failed.job.delivery + 1,
            retries_remaining=failed.job.retries_remaining - 1,
            ready_at_ms=run.now_ms + delay_ms,
            message=message,
            error_code=command.error_code,
        )
    )
    return verdict, None


def _retry_in_ms(run: Run, command: cmd.FailJob, step: Step, failed: OpenStep, job: OpenJob) -> int | None:
    if not command.retryable or job.retries_remaining < 1:
        return None
    return retry_delay_ms(step, failed, job, run.now_ms, run.context.entropy, asked_ms=command.retry_after_ms)


def expire_lease(run: Run, command: cmd.ExpireLease) -> tuple[Verdict, None]:
    """Queue a job again whose lease ran out, unless it was extended or reported meanwhile."""
    lease = run.context.lease
    verdict = judge(run.instance, command.job)
    if verdict is not Verdict.ACCEPTED or lease is None or lease.expires_at_ms > run.now_ms:
        return Verdict.STALE, None
    lost, step = _open(run, command.job)
    job = lost.job
    assert job is not None
    limit = run.context.rules.max_deliveries
    if job.expiries >= limit:
        ran_out = f"{job.expiries + 1} leases of step '{step.id}' ran out"
        message = f"DeliveryLimitExceeded: {ran_out}; its job may kill its workers"
        run.fail(lost, message)
        return verdict, None
    run.emit(
        ev.JobExpired(
            seq=lost.seq,
            step_id=step.id,
            job_type=job.job_type,
            delivery=job.delivery + 1,
            retries_remaining=job.retries_remaining,
            ready_at_ms=run.now_ms,
        )
    )
    return verdict, None


def _open(run: Run, job: JobRef) -> tuple[OpenStep, Step]:
    entered = run.instance.open[job.seq]
    step = run.definition.step(entered.step_id)
    assert step is not None
    return entered, step
