"""PARALLEL_GATEWAY: one token in, one token out per branch."""

from __future__ import annotations

from rochallor.core.definition.model import Step
from rochallor.core.model import OpenStep
from rochallor.core.run import Run
from rochallor.core.tokens import split


def enter_gateway(run: Run, step: Step, entered: OpenStep) -> None:
    """Fan out at once."""
    run.close(entered)
    split(run, entered.seq, step, entered.token)
