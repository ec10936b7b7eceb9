"""END: the instance is complete, whatever else was open."""

from __future__ import annotations

from rochallor.core.definition.model import Step
from rochallor.core.model import OpenStep
from rochallor.core.run import Run


def enter_end(run: Run, step: Step, entered: OpenStep) -> None:
    """Close the END itself, then the instance."""
    run.close(entered)
    run.end(step.id)
