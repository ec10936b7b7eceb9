"""How each event changes the state: total, mechanical, no decisions.

`fold` over an instance's stored events gives exactly the state the engine holds; `rochallor doctor` and the tests check
that. So a rule never hides here: whatever has to be decided was decided before the event existed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from rochallor.core import events as ev
from rochallor.core.model import (
    Activation,
    Frozen,
    Instance,
    InstanceStatus,
    OpenJob,
    OpenStep,
    OpenTimer,
    StepType,
)

_PARKS = frozenset({StepType.USER_TASK, StepType.WAIT})


def apply(instance: Instance, event: ev.AnyEvent, at_ms: int) -> None:
    """Change `instance` (a working copy) by one event that happened at `at_ms`."""
    _APPLY[type(event)](instance, event, at_ms)


def fold(history: Iterable[ev.Committed]) -> Instance | None:
    """Return the state that a history of one instance adds up to, or None for an empty one."""
    instance: Instance | None = None
    for committed in history:
        for event in committed.events:
            if instance is None:
                assert isinstance(event, ev.InstanceStarted)
                instance = born(committed.instance_id, event, committed.at_ms)
            else:
                apply(instance, event, committed.at_ms)
        assert instance is not None
        instance.revision = committed.revision
    return instance


def born(instance_id: str, event: ev.InstanceStarted, at_ms: int) -> Instance:
    """Return the state just after an instance's first event."""
    return Instance(
        id=instance_id,
        definition_id=event.definition_id,
        definition_version=event.definition_version,
        started_at_ms=at_ms,
        variables=dict(event.variables),
        business_key=event.business_key,
        parent_instance_id=event.parent_instance_id,
        traceparent=event.traceparent,
    )


def _step_entered(instance: Instance, event: ev.StepEntered, at_ms: int) -> None:
    instance.last_seq = event.seq
    instance.visits[event.step_id] = event.attempt
    instance.open[event.seq] = OpenStep(
        seq=event.seq,
        step_id=event.step_id,
        step_type=event.step_type,
        attempt=event.attempt,
        entered_at_ms=at_ms,
        token=event.token,
        waits_for=event.waits_for,
    )
    if event.step_type in _PARKS:
        instance.parked += 1
        instance.status = InstanceStatus.WAITING


def _step_closed(instance: Instance, event: ev.StepClosed, _at_ms: int) -> None:
    step = instance.open.pop(event.seq)
    if event.output:
        instance.variables.update(event.output)
    if step.step_type in _PARKS:
        instance.parked -= 1
        if not instance.parked and not instance.status.terminal:
            instance.status = InstanceStatus.ACTIVE
    if step.step_type is StepType.USER_TASK:
        instance.task_outcomes[step.step_id] = "completed" if event.outcome == "COMPLETED" else "closed"


def _job_queued(instance: Instance, event: ev.JobCreated | ev.JobRetried | ev.JobExpired, _at_ms: int) -> None:
    step = instance.open[event.seq]
    before = step.job
    step.job = OpenJob(
        job_type=event.job_type,
        delivery=event.delivery,
        retries_remaining=event.retries_remaining,
        ready_at_ms=event.ready_at_ms,
        failures=(before.failures if before else 0) + isinstance(event, ev.JobRetried),
        expiries=(before.expiries if before else 0) + isinstance(event, ev.JobExpired),
    )


def _timer_scheduled(instance: Instance, event: ev.TimerScheduled, _at_ms: int) -> None:
    step = instance.open[event.seq]
    step.timers = (*step.timers, OpenTimer(event.index, event.due_ms))


def _timer_fired(instance: Instance, event: ev.TimerFired, _at_ms: int) -> None:
    step = instance.open[event.seq]
    step.timers = tuple(timer for timer in step.timers if timer.index != event.index)
    if event.activation is not None:
        instance.activations[event.activation].expected += 1


def _gateway_fired(instance: Instance, event: ev.GatewayFired, _at_ms: int) -> None:
    instance.activations[event.activation] = Activation(
        id=event.activation, join=event.join, expected=event.branches, parent=event.parent
    )


def _token_arrived(instance: Instance, event: ev.TokenArrived, _at_ms: int) -> None:
    instance.activations[event.activation].arrived += 1


def _tokens_expected(instance: Instance, event: ev.TokensExpected, _at_ms: int) -> None:
    instance.activations[event.activation].expected += event.change


def _activation_ended(instance: Instance, event: ev.ActivationEnded, _at_ms: int) -> None:
    del instance.activations[event.activation]


def _end(instance: Instance, status: InstanceStatus, at_ms: int, reason: str | None = None) -> None:
    instance.status = status
    instance.completed_at_ms = at_ms
    instance.failure_reason = reason
    instance.activations = {}


def _instance_completed(instance: Instance, _event: ev.InstanceCompleted, at_ms: int) -> None:
    _end(instance, InstanceStatus.COMPLETED, at_ms)


def _instance_failed(instance: Instance, event: ev.InstanceFailed, at_ms: int) -> None:
    instance.frozen = Frozen(
        failed=event.seq,
        steps=tuple(replace(step) for step in instance.open.values()),
        activations=tuple(replace(activation) for activation in instance.activations.values()),
        pending=event.pending,
    )
    _end(instance, InstanceStatus.FAILED, at_ms, event.reason)


def _instance_cancelled(instance: Instance, event: ev.InstanceCancelled, at_ms: int) -> None:
    _end(instance, InstanceStatus.CANCELLED, at_ms, event.reason)


def _instance_reopened(instance: Instance, event: ev.InstanceReopened, _at_ms: int) -> None:
    frozen = instance.frozen
    assert frozen is not None
    instance.activations = {activation.id: replace(activation) for activation in frozen.activations}
    instance.status = InstanceStatus.ACTIVE
    instance.completed_at_ms = instance.failure_reason = instance.frozen = None
    instance.variables.update(event.variables)


def _child_started(instance: Instance, event: ev.ChildStarted, _at_ms: int) -> None:
    instance.child_instance_id = event.child_instance_id


def _nothing(_instance: Instance, _event: ev.AnyEvent, _at_ms: int) -> None:
    """The event is for the projections; the state has it already."""


_APPLY: dict[type, Callable[[Instance, Any, int], None]] = {
    ev.StepEntered: _step_entered,
    ev.StepClosed: _step_closed,
    ev.JobCreated: _job_queued,
    ev.JobRetried: _job_queued,
    ev.JobExpired: _job_queued,
    ev.UserTaskOpened: _nothing,
    ev.TimerScheduled: _timer_scheduled,
    ev.TimerFired: _timer_fired,
    ev.GatewayFired: _gateway_fired,
    ev.TokenArrived: _token_arrived,
    ev.TokensExpected: _tokens_expected,
    ev.ActivationEnded: _activation_ended,
    ev.InstanceCompleted: _instance_completed,
    ev.InstanceFailed: _instance_failed,
    ev.InstanceCancelled: _instance_cancelled,
    ev.InstanceReopened: _instance_reopened,
    ev.ChainRequested: _nothing,
    ev.ChildStarted: _child_started,
}
