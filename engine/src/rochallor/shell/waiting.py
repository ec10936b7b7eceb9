"""Why an instance is not getting on: one sentence for each thing that its open steps wait for.

A pure reading of the open state and of who is asking for work; nothing is decided here, and nothing is kept. Polls are
known for this engine only: with several engines on one store, workers may be asking another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from rochallor.core.ids import JobRef, step_execution_id
from rochallor.core.model import Instance, Lease, OpenJob, OpenStep, StepType
from rochallor.shell.views import WaitingView, moment

SILENT_MS = 60_000
"""A job type that nobody has asked for this long, while a job of it waits, is worth a question."""


class Demand(NamedTuple):
    """Who asks for work: polls waiting now per job type, and for how long (ms) nobody has asked for a type."""

    now_ms: int
    pollers: Mapping[str, int]
    silent_ms: Callable[[str], int]
    leases: Mapping[JobRef, Lease]


def waiting_for(instance: Instance, demand: Demand) -> list[WaitingView]:
    """Return what each open step waits for, in entry order, a step's timers (soonest first) after it."""
    return [
        waiting
        for step in instance.open.values()
        for waiting in (_WHY[step.step_type](instance, step, demand), *_timers(instance, step, demand))
    ]


def _view(instance: Instance, step: OpenStep, kind: str, detail: str) -> WaitingView:
    return WaitingView(
        step_id=step.step_id,
        step_execution_id=step_execution_id(instance.id, step.seq),
        kind=kind,
        detail=detail,
        since=moment(step.entered_at_ms),
    )


def _signal(instance: Instance, step: OpenStep, _demand: Demand) -> WaitingView:
    return _view(instance, step, "SIGNAL", f"waits for the signal '{step.step_id}'")


def _user_task(instance: Instance, step: OpenStep, _demand: Demand) -> WaitingView:
    return _view(instance, step, "USER_TASK", f"waits for somebody to complete the user task '{step.step_id}'")


def _join(instance: Instance, step: OpenStep, _demand: Demand) -> WaitingView:
    activation = instance.activations.get(step.waits_for) if step.waits_for is not None else None
    if activation is None:
        return _view(instance, step, "JOIN", "waits for the other branches")
    detail = f"waits for the other branches: {activation.arrived} of {activation.expected} have arrived"
    return _view(instance, step, "JOIN", detail)


def _job(instance: Instance, step: OpenStep, demand: Demand) -> WaitingView:
    job = step.job
    assert job is not None, "a service task is open for as long as it has a job"
    lease = demand.leases.get(JobRef(instance.id, step.seq, job.delivery))
    view = _view(instance, step, "JOB", _held(job, lease, demand) if lease else _unheld(job, demand))
    view.job_type = job.job_type
    view.pollers = demand.pollers.get(job.job_type, 0)
    if lease is not None:
        view.worker_id, view.lock_expires_at = lease.worker_id, moment(lease.expires_at_ms)
    elif job.ready_at_ms > demand.now_ms:
        view.due_at = moment(job.ready_at_ms)
    return view


def _held(job: OpenJob, lease: Lease, demand: Demand) -> str:
    until = moment(lease.expires_at_ms)
    if lease.expires_at_ms <= demand.now_ms:
        return f"the lease of worker '{lease.worker_id}' on the job of type '{job.job_type}' ran out at {until}"
    return f"worker '{lease.worker_id}' has the job of type '{job.job_type}' until {until}"


def _unheld(job: OpenJob, demand: Demand) -> str:
    if job.ready_at_ms > demand.now_ms:
        return f"the job of type '{job.job_type}' may be tried again at {moment(job.ready_at_ms)}"
    wants = f"waits for a worker for the job of type '{job.job_type}'"
    pollers = demand.pollers.get(job.job_type, 0)
    if pollers:
        return f"{wants}; {pollers} {'poller is' if pollers == 1 else 'pollers are'} asking for that type"
    silent_ms = demand.silent_ms(job.job_type)
    if silent_ms >= SILENT_MS:
        return (
            f"{wants}; nobody has asked this engine for that type for {silent_ms // 1000} s, start a worker that does"
        )
    return f"{wants}; 0 pollers are asking for that type at this moment"


def _timers(instance: Instance, step: OpenStep, demand: Demand) -> Iterator[WaitingView]:
    for timer in sorted(step.timers, key=lambda timer: timer.due_ms):
        due_at = moment(timer.due_ms)
        says = "fires at" if timer.due_ms > demand.now_ms else "is about to fire, it was due at"
        view = _view(instance, step, "TIMER", f"timer {timer.index + 1} of step '{step.step_id}' {says} {due_at}")
        view.due_at = due_at
        yield view


_WHY: dict[StepType, Callable[[Instance, OpenStep, Demand], WaitingView]] = {
    StepType.WAIT: _signal,
    StepType.USER_TASK: _user_task,
    StepType.SERVICE_TASK: _job,
    StepType.JOIN_GATEWAY: _join,
}
"""Every other type passes at once, so it is never open in a committed state."""
