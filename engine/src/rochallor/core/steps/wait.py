"""WAIT: parks until it is signalled or an interrupting timer fires."""

from __future__ import annotations

from rochallor.core.definition.model import Step
from rochallor.core.model import OpenStep
from rochallor.core.run import Run
from rochallor.core.steps.timers import schedule_timers


def enter_wait(run: Run, step: Step, entered: OpenStep) -> None:
    """Park."""
    schedule_timers(run, step, entered.seq)
