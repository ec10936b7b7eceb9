"""Boundary timers of the steps that wait."""

from __future__ import annotations

from rochallor.core import events as ev
from rochallor.core.definition.model import Step
from rochallor.core.run import Run


def schedule_timers(run: Run, step: Step, seq: int) -> None:
    """Schedule every boundary timer of a step that has just been entered."""
    for index, timer in enumerate(step.boundary_timers):
        run.emit(ev.TimerScheduled(seq=seq, index=index, due_ms=timer.duration.after(run.now_ms)))
