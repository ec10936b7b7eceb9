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


def retry_delay_ms(step: Step, entered: OpenStep, job: OpenJob, now_ms: int, entropy: int) -> int | None:
    """Return how long the next retry waits by the step's policy, or None when the policy gives up."""
    policy = step.retry_policy
    if policy is None:
        return 0
    delay_ms = _backoff_ms(policy, job.failures, now_ms, entropy)
    if policy.give_up_after and now_ms + delay_ms > policy.give_up_after.after(entered.entered_at_ms):
        return None
    return delay_ms


def _backoff_ms(policy: RetryPolicy, failures: int, now_ms: int, entropy: int) -> int:
    initial_ms = policy.initial_delay.after(now_ms) - now_ms
    max_ms = policy.max_delay.after(now_ms) - now_ms if policy.max_delay else None
    try:
        delay = initial_ms * policy.multiplier**failures
    except OverflowError:
        delay = float("inf")
    delay = min(delay, max_ms if max_ms is not None else _FOREVER_MS)
    spread = policy.jitter * (2 * entropy / _ENTROPY_RANGE - 1)
    return max(0, int(delay * (1 + spread)))


_FOREVER_MS = 365 * 24 * 3600 * 1000
"""The longest wait of a policy that sets no `maxDelay`: a year."""
