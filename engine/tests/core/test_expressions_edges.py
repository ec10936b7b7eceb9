"""Where exactly the work budget ends, and that both sides of an operator are told the time."""

import pytest
from rochallor.core.expressions import Budget, ExpressionError, compile_expression
from rochallor.core.expressions.budget import EXPRESSION_WORK

NOON = "2026-11-21T12:00:00Z"
NOON_MS = 1_795_262_400_000


def test_budget_may_be_used_up_to_the_last_value():
    """All of it is allowed; one value more is not."""
    budget = Budget()
    budget.charge(EXPRESSION_WORK)
    with pytest.raises(ExpressionError, match="EXPRESSION_WORK"):
        budget.charge(1)


@pytest.mark.parametrize("source", ["now() == at", "at == now()", "at == now() && now() == at", "now() + '' == at"])
def test_either_side_of_an_operator_knows_the_time(source):
    """The clock is read in the same way left and right, and in a chain."""
    assert compile_expression(source).evaluate({"at": NOON}, NOON_MS) is True
