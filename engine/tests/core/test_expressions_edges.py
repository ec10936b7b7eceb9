"""Where exactly the work budget ends, and that both sides of an operator are told the time."""

import pytest
from rochallor.core.expressions import Budget, ExpressionError, compile_expression, template_of
from rochallor.core.expressions.budget import EXPRESSION_WORK
from rochallor.core.expressions.expression import _SHOWN

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


def test_first_of_two_operands_is_charged():
    """What it looks at comes off the same budget as what the second looks at."""
    budget = Budget()
    compiled = compile_expression("contains(text, 'z') == flag")
    assert compiled.evaluate({"text": "a" * 1600, "flag": False}, 0, budget) is True
    assert budget.left < EXPRESSION_WORK


@pytest.mark.parametrize(("more", "dots"), [(0, False), (1, True)])
def test_source_in_a_message_is_cut_only_when_it_is_longer_than_shown(more, dots):
    """Dots stand for what is left out, and for nothing else."""
    with pytest.raises(ExpressionError) as caught:
        compile_expression(f"'a' > {'1' * (_SHOWN + more - 6)}").evaluate({}, 0)
    assert str(caught.value).endswith("…") is dots


def test_values_nested_too_deeply_are_said_to_be():
    """Word for word."""
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ExpressionError, match=r"^the values are nested too deeply to compare"):
        compile_expression("a == b").evaluate({"a": deep, "b": [deep]}, 0)


def test_template_is_strict_unless_told_otherwise():
    """A text is no number."""
    with pytest.raises(ExpressionError, match="not a string and a number"):
        template_of("${'10' > 9}").evaluate({}, 0)


def test_looking_for_a_list_among_lists_is_charged():
    """Lists that differ in their last element are compared to their end, and that counts."""
    many = list(range(300_000))
    lists = [[*many[:-1], -number] for number in range(1, 6)]
    with pytest.raises(ExpressionError, match="EXPRESSION_WORK"):
        compile_expression("many in lists").evaluate({"many": many, "lists": lists}, 0)
