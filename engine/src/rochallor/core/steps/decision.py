"""DECISION: the first true condition, in the author's order, says where the token goes."""

from __future__ import annotations

from rochallor.core.definition.model import Step
from rochallor.core.errors import RoutingFailure
from rochallor.core.model import OpenStep
from rochallor.core.routing import first_true
from rochallor.core.run import Run


def enter_decision(run: Run, step: Step, entered: OpenStep) -> None:
    """Route at once; no true condition fails the instance."""
    chosen = first_true(run, step, run.view())
    if chosen is None:
        raise RoutingFailure(
            "DecisionNoBranchMatched",
            f"no condition of step '{step.id}' is true; add a branch `true` as the last one",
        )
    run.close(entered)
    run.send(chosen.next_step, entered.token)
