"""USER_TASK: waits for a person."""

from __future__ import annotations

from rochallor.core import events as ev
from rochallor.core.definition.model import Step
from rochallor.core.model import OpenStep
from rochallor.core.run import Run
from rochallor.core.steps.timers import schedule_timers


def enter_user_task(run: Run, step: Step, entered: OpenStep) -> None:
    """Open the task and park."""
    run.emit(ev.UserTaskOpened(seq=entered.seq, step_id=step.id))
    schedule_timers(run, step, entered.seq)
