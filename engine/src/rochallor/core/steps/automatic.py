"""What the automatic steps that set variables share: merge, check size and depth, go on."""

from __future__ import annotations

from rochallor.core.definition.model import Step
from rochallor.core.errors import RoutingFailure
from rochallor.core.model import OpenStep
from rochallor.core.routing import finish
from rochallor.core.run import Run
from rochallor.core.variables import MAX_DEPTH, TooDeep, raw_of


def pass_through(run: Run, step: Step, entered: OpenStep, outputs: dict[str, object]) -> None:
    """Finish an automatic step with computed outputs."""
    try:
        delta = {name: raw_of(value) for name, value in outputs.items()}
    except TooDeep as error:
        message = f"step '{step.id}' would nest a variable deeper than {MAX_DEPTH} levels"
        raise RoutingFailure("VariablesTooDeep", message) from error
    if not run.fits(delta):
        limit = run.context.rules.max_variables_bytes
        raise RoutingFailure("VariablesTooLarge", f"step '{step.id}' would take the variables over {limit} bytes")
    finish(run, step, entered, delta)
