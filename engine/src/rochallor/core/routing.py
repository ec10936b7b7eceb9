"""How a step that is done hands its token on: conditions first, then `nextStep`.

Results are judged and routed on before anything is recorded as completed, so that a step whose way on cannot be found
is itself the failed step.
"""

from __future__ import annotations

from rochallor.core.definition.model import Condition, Step
from rochallor.core.errors import RoutingFailure
from rochallor.core.expressions import Budget, Expression, ExpressionError
from rochallor.core.model import OpenStep
from rochallor.core.run import Run
from rochallor.core.tokens import onward
from rochallor.core.variables import Variables, View


def finish(run: Run, step: Step, done: OpenStep, output: Variables, *, by: str = "") -> None:
    """Complete a step with what it set, and send its token on; a routing failure fails the instance."""
    try:
        target = next_of(run, step, output)
    except RoutingFailure as failure:
        run.fail(done, str(failure), output=output)
        return
    run.close(done, output=output, by=by)
    onward(run, target, done.token)


def next_of(run: Run, step: Step, output: Variables) -> str | None:
    """Return where the token goes with `output` merged; None is a dead end."""
    if step.conditions:
        chosen = first_true(run, step, run.view(output))
        if chosen is not None:
            return chosen.next_step
    return step.next_step


def first_true(run: Run, step: Step, view: View) -> Condition | None:
    """Return the first branch, in the author's order, whose condition is true; they share one work budget."""
    budget = Budget(run.work)
    for condition in step.conditions:
        if truth(condition.expression, step.id, view, run.now_ms, budget):
            return condition
    return None


def truth(expression: Expression, step_id: str, view: View, now_ms: int, budget: Budget) -> bool:
    """Return what a condition says; raises `RoutingFailure` when it cannot be evaluated or is no boolean."""
    try:
        return expression.holds(view, now_ms, budget)
    except ExpressionError as error:
        raise RoutingFailure("ExpressionError", f"step '{step_id}': {error}") from error
