"""A token enters a step: the loop's body, and the guard against definitions that never park."""

from __future__ import annotations

from rochallor.core.definition.model import Step, StepType
from rochallor.core.errors import RoutingFailure
from rochallor.core.model import OpenStep, Token
from rochallor.core.run import Run
from rochallor.core.steps import ENTER, READS
from rochallor.core.tokens import arrive
from rochallor.core.variables import Variables

_WAITS = frozenset({StepType.SERVICE_TASK, StepType.USER_TASK, StepType.WAIT})


def enter(run: Run, step_id: str, token: Token, *, retry_with: Variables | None = None) -> None:
    """Let a token enter a step and do what that step does."""
    step = run.definition.step(step_id)
    assert step is not None  # validation resolves every reference
    if step.type not in _WAITS and not _affordable(run):
        run.fail(run.open_step(step, token), _over_budget(run, step))
    elif step.type is StepType.JOIN_GATEWAY:
        arrive(run, step, token)
    else:
        _behave(run, step, run.open_step(step, token, read=_read(run, step, retry_with)))


def _behave(run: Run, step: Step, entered: OpenStep) -> None:
    try:
        ENTER[step.type](run, step, entered)
    except RoutingFailure as failure:
        run.fail(entered, str(failure))


def _affordable(run: Run) -> bool:
    run.steps_taken += 1
    return run.steps_taken <= run.context.rules.step_budget


def _over_budget(run: Run, step: Step) -> str:
    budget = run.context.rules.step_budget
    return (
        f"StepBudgetExceeded: more than {budget} automatic steps in one go, last '{step.id}'; let the loop pass a task"
    )


def _read(run: Run, step: Step, retry_with: Variables | None) -> Variables | None:
    """Return what the history shows as the step's input: what a retry gave it, or what its expressions read."""
    if retry_with is not None:
        return retry_with
    if step.type not in READS:
        return None
    variables = run.instance.variables
    return {name: variables[name] for name in sorted(_names(step)) if name in variables}


def _names(step: Step) -> frozenset[str]:
    names: frozenset[str] = frozenset().union(*(condition.expression.names for condition in step.conditions))
    if step.table is None:
        return names
    cells = (cell.expression.names for rule in step.table.rules for cell in rule.when)
    values = (value.names for rule in step.table.rules for _, value in rule.outputs)
    return names.union(*cells, *values)
