"""DECISION_TABLE: rules give outputs by the hit policy, then always the next step."""

from __future__ import annotations

from rochallor.core.decision_table import evaluate_table
from rochallor.core.definition.model import Step
from rochallor.core.expressions import Budget
from rochallor.core.model import OpenStep
from rochallor.core.run import Run
from rochallor.core.steps.automatic import pass_through


def enter_decision_table(run: Run, step: Step, entered: OpenStep) -> None:
    """Evaluate the table against the variables as they are, merge its outputs, go on."""
    assert step.table is not None
    outputs = evaluate_table(step.table, step.hit_policy, run.view(), run.now_ms, Budget(run.work))
    pass_through(run, step, entered, outputs)
