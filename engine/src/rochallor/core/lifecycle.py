"""What callers, people and timers ask of an instance as a whole: start, task, signal, timer, cancel, retry, chain."""

from __future__ import annotations

from rochallor.core import commands as cmd
from rochallor.core import events as ev
from rochallor.core.apply import born
from rochallor.core.context import Context
from rochallor.core.definition.model import Definition, Step, StepType
from rochallor.core.enter import enter
from rochallor.core.errors import BadRequest, BusinessKeyInUse, Conflict, Detail, NotFound, WorkflowError
from rochallor.core.model import Instance, OpenStep, OpenTimer, Token
from rochallor.core.reports import refused
from rochallor.core.routing import finish
from rochallor.core.run import Run
from rochallor.core.variables import Variables, View, check_size

INTERRUPTED = "interrupted by boundary timer"


def start(definition: Definition, command: cmd.StartInstance, context: Context) -> Run:
    """Begin an instance; refused as a whole when its input or its business key will not do."""
    _check_input(definition, command)
    check_size(command.variables, context.rules.max_variables_bytes)
    _check_key(definition.id, command.business_key, context)
    born_with = ev.InstanceStarted(
        definition_id=definition.id,
        definition_version=definition.version,
        variables=command.variables,
        business_key=command.business_key,
        parent_instance_id=command.parent_instance_id,
        traceparent=command.traceparent,
    )
    run = Run(definition, born(command.instance_id, born_with, context.now_ms), context)
    run.events.append(born_with)
    run.send(definition.entry.id, Token())
    return run


def _check_input(definition: Definition, command: cmd.StartInstance) -> None:
    schema = definition.input_schema
    violations = schema.check(View(command.variables)) if schema else []
    if violations:
        details = tuple(Detail("SCHEMA_VIOLATION", "/variables", violation) for violation in violations)
        raise BadRequest(f"variables do not fit the input schema: {'; '.join(violations)}", details=details)


def _check_key(definition_id: str, key: str | None, context: Context) -> None:
    if key is not None and context.key_holder is not None:
        message = f"business key already in use: '{key}' of '{definition_id}' is held by instance {context.key_holder}"
        raise BusinessKeyInUse(message)


def complete_user_task(run: Run, command: cmd.CompleteUserTask) -> WorkflowError | None:
    """Complete the oldest open task of a step; a repeat of a completion that counted is fine."""
    step = _step(run, command.step_id, StepType.USER_TASK, "user task")
    _check_revision(run.instance, command.expected_revision, allowed=_completed_before(run, step))
    task = _oldest_open(run, step)
    if task is None:
        _check_repeatable(run, step)
        return None
    refusal = refused(run, step, command.result)
    if refusal is not None:
        run.fail(task, refusal.message)
        return refusal
    finish(run, step, task, command.result, by=command.completed_by)
    return None


def _completed_before(run: Run, step: Step) -> bool:
    return run.instance.task_outcomes.get(step.id) == "completed" and _oldest_open(run, step) is None


def _check_repeatable(run: Run, step: Step) -> None:
    _check_in_flight(run.instance)
    outcome = run.instance.task_outcomes.get(step.id)
    if outcome is None:
        raise NotFound(f"user task '{step.id}' of instance {run.instance.id} has not been opened")
    if outcome != "completed":
        raise Conflict(f"user task '{step.id}' of instance {run.instance.id} was closed before anybody completed it")


def signal_wait(run: Run, command: cmd.SignalWait) -> WorkflowError | None:
    """Wake the oldest execution parked at a WAIT step."""
    step = _step(run, command.step_id, StepType.WAIT, "wait step")
    _check_revision(run.instance, command.expected_revision)
    _check_in_flight(run.instance)
    parked = _oldest_open(run, step)
    if parked is None:
        raise Conflict(f"instance {run.instance.id} is not parked at wait step '{step.id}'")
    refusal = refused(run, step, command.variables)
    if refusal is not None:
        run.fail(parked, refusal.message)
        return refusal
    finish(run, step, parked, command.variables, by=command.actor)
    return None


def fire_timer(run: Run, command: cmd.FireTimer) -> None:
    """Fire a due boundary timer of an open step; anything else has been overtaken and is nothing."""
    step = run.instance.open.get(command.seq)
    due = _due(step, command.index, run.now_ms) if step else None
    if step is None or due is None:
        return
    described = run.definition.step(step.step_id)
    assert described is not None
    timer = described.boundary_timers[command.index]
    activation = None if timer.interrupting else step.token.activation
    run.emit(
        ev.TimerFired(
            seq=step.seq,
            index=command.index,
            step_id=step.step_id,
            interrupting=timer.interrupting,
            activation=activation,
            due_ms=due.due_ms,
        )
    )
    if timer.interrupting:
        run.close(step, "FAILED", reason=INTERRUPTED)
        run.send(timer.target, step.token)
    else:
        run.send(timer.target, Token(activation, extra=activation is not None))


def _due(step: OpenStep, index: int, now_ms: int) -> OpenTimer | None:
    """Return the timer when it has not fired and its time has come."""
    return next((timer for timer in step.timers if timer.index == index and timer.due_ms <= now_ms), None)


def cancel(run: Run, command: cmd.CancelInstance) -> None:
    """Stop an instance that is in flight."""
    _check_revision(run.instance, command.expected_revision)
    _check_in_flight(run.instance)
    run.emit(ev.InstanceCancelled(command.reason.replace("\x00", "") or "cancelled"))
    run.close_rest("CANCELLED")


def retry_step(run: Run, command: cmd.RetryStep) -> None:
    """Bring a failed instance back: everything that was open is opened anew, the failed step among it."""
    instance = run.instance
    if run.definition.step(command.step_id) is None:
        raise NotFound(f"definition '{instance.definition_id}' has no step '{command.step_id}'")
    _check_revision(instance, command.expected_revision)
    frozen = instance.frozen
    if frozen is None:
        raise Conflict(f"instance {instance.id} is {instance.status.value}; only a FAILED instance can be retried")
    failed = next(step for step in frozen.steps if step.seq == frozen.failed)
    if failed.step_id != command.step_id:
        raise Conflict(f"step '{command.step_id}' did not fail instance {instance.id}; retry '{failed.step_id}'")
    check_size({**instance.variables, **command.variables}, run.context.rules.max_variables_bytes)
    _check_key(instance.definition_id, instance.business_key, run.context)
    run.emit(ev.InstanceReopened(step_id=command.step_id, variables=command.variables))
    for pending in frozen.pending:
        run.send(pending.step_id, pending.token)
    for step in frozen.steps:
        if step is not failed:
            _reopen(run, step)
    # Last, because only this one may be automatic and fail again: then all else is already open or pending.
    _reopen(run, failed, retry_with=command.variables)


def _reopen(run: Run, before: OpenStep, *, retry_with: Variables | None = None) -> None:
    if before.waits_for is None:
        enter(run, before.step_id, before.token, retry_with=retry_with)
        return
    step = run.definition.step(before.step_id)
    assert step is not None
    run.open_step(step, before.token, waits_for=before.waits_for)


def link_child(run: Run, command: cmd.LinkChild) -> None:
    """Note the next workflow's instance, once."""
    if run.instance.child_instance_id is None:
        run.emit(ev.ChildStarted(command.child_instance_id))


def _step(run: Run, step_id: str, wanted: StepType, noun: str) -> Step:
    step = run.definition.step(step_id)
    if step is None:
        raise NotFound(f"definition '{run.instance.definition_id}' has no {noun} '{step_id}'")
    if step.type is not wanted:
        raise BadRequest(f"step '{step_id}' is a {step.type.value}, not a {wanted.value}; use the route of its type")
    return step


def _oldest_open(run: Run, step: Step) -> OpenStep | None:
    return next((entered for entered in run.instance.open.values() if entered.step_id == step.id), None)


def _check_in_flight(instance: Instance) -> None:
    if instance.status.terminal:
        raise Conflict(f"instance {instance.id} is {instance.status.value} and takes no more changes")


def _check_revision(instance: Instance, expected: int | None, *, allowed: bool = False) -> None:
    if expected is not None and expected != instance.revision and not allowed:
        message = (
            f"instance {instance.id} is at revision {instance.revision}, not {expected}; read it again and decide anew"
        )
        raise Conflict(message)
