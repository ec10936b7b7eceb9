"""SERVICE_TASK: one job at a time, delivered until it is done, out of retries, or killing its workers."""

from __future__ import annotations

from rochallor.core import events as ev
from rochallor.core.definition.model import RetryPolicy, Step
from rochallor.core.model import OpenJob, OpenStep
from rochallor.core.run import Run
from rochallor.core.steps.timers import schedule_timers

_ENTROPY_RANGE = 2**64


def enter_service_task(run: Run, step: Step, entered: OpenStep) -> None:
    """Queue the first delivery."""
    run.emit(
        ev.JobCreated(
            seq=entered.seq,
            step_id=step.id,
            job_type=step.job_type,
            retries_remaining=step.retry_count,
            ready_at_ms=run.now_ms,
        )
    )
    schedule_timers(run, step, entered.seq)


def retry_delay_ms(
    step: Step, entered: OpenStep, job: OpenJob, now_ms: int, entropy: int, *, asked_ms: int | None = None
) -> int | None:
    """Return how long the next retry waits, as the worker asked or by the step's policy; None when that gives up."""
    policy = step.retry_policy
    if policy is None:
        return asked_ms or 0
    delay_ms = _backoff_ms(policy, job.failures, now_ms, entropy) if asked_ms is None else asked_ms
    if policy.give_up_after and now_ms + delay_ms > policy.give_up_after.after(entered.entered_at_ms):
        return None
    return delay_ms


def _backoff_ms(policy: RetryPolicy, failures: int, now_ms: int, entropy: int) -> int:
    initial_ms = policy.initial_delay.after(now_ms) - now_ms
    max_ms = policy.max_delay.after(now_ms) - now_ms if policy.max_delay else None
    delay = min(initial_ms * policy.multiplier**failures, _FOREVER_MS if max_ms is None else max_ms)
    spread = policy.jitter * (2 * entropy / _ENTROPY_RANGE - 1)
    return max(0, int(delay * (1 + spread)))


_FOREVER_MS = 365 * 24 * 3600 * 1000
"""The longest wait of a policy that sets no `maxDelay`: a year."""
