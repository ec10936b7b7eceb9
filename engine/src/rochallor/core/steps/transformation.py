"""TRANSFORMATION: set variables from literals and `${expressions}`, without a worker."""

from __future__ import annotations

from rochallor.core.definition.model import Step
from rochallor.core.errors import RoutingFailure
from rochallor.core.expressions import Budget, ExpressionError
from rochallor.core.model import OpenStep
from rochallor.core.run import Run
from rochallor.core.steps.automatic import pass_through


def enter_transformation(run: Run, step: Step, entered: OpenStep) -> None:
    """Evaluate every entry against the variables as they were before the step, then merge all.

    The entries share one work budget, which also bounds how much they can write.
    """
    view, budget = run.view(), Budget(run.work)
    outputs: dict[str, object] = {}
    for name, value in step.transformations:
        try:
            outputs[name] = value.evaluate(view, run.now_ms, budget)
        except ExpressionError as error:
            raise RoutingFailure("ExpressionError", f"step '{step.id}', variable '{name}': {error}") from error
    pass_through(run, step, entered, outputs)
