"""The work budget: how much of the variables the expressions of one step may look at.

Sizes are bounded elsewhere, but a text of 4 KiB can compare the same long list hundreds of times, and the engine
evaluates between other people's requests. Whatever walks a value therefore first charges what it is about to visit,
in values, not in time: the same definition and variables are refused on every machine or on none. What touches no
more than a few numbers or short strings is bounded by the text of the definition and charges nothing.

Whoever evaluates several expressions in one go hands the same budget to all of them, and a command's steps have one
budget together.
"""

from __future__ import annotations

from typing import Final

from rochallor.core.expressions.errors import ExpressionError

EXPRESSION_WORK: Final = 1_000_000
"""Values that may be visited: elements of lists, keys of objects; strings and long integers by their length."""

RUN_WORK: Final = 10_000_000
"""Values that all automatic steps of one command may visit together, reading their variables included."""

PER_VALUE: Final = 16
"""Characters of a string, or bits of a long integer, that count as one value."""


class Budget:
    """What may still be visited by the evaluations it is handed to; what they take comes off the `whole`, too."""

    left = EXPRESSION_WORK  # of the class, because most evaluations charge nothing and all make a budget

    def __init__(self, whole: Budget | None = None) -> None:
        self._whole = whole

    def charge(self, values: int) -> None:
        """Take `values` off the budget; raises `ExpressionError` when there are not as many left."""
        self.left -= values
        if self.left < 0:
            raise ExpressionError(self._used_up())
        if self._whole is not None:
            self._whole.charge(values)

    def _used_up(self) -> str:
        return (
            f"the step's expressions look at more than EXPRESSION_WORK = {EXPRESSION_WORK:,} values; "
            "compare and search less here, or let a service task do it"
        )


class RunBudget(Budget):
    """What all steps of one command share, so that a chain of costly ones cannot hold the engine."""

    left = RUN_WORK

    def _used_up(self) -> str:
        return (
            f"the automatic steps of this run look at more than RUN_WORK = {RUN_WORK:,} values in one go; "
            "keep large data elsewhere, or put a service task between them"
        )
