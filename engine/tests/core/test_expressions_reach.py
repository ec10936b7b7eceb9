"""Every place in an expression is reached by the variables, the moment and the budget."""

from __future__ import annotations

import pytest
from rochallor.core.expressions import Budget, compile_expression
from rochallor.core.expressions.budget import EXPRESSION_WORK
from rochallor.core.expressions.coercion import as_boolean, as_number
from rochallor.core.expressions.values import MAX_INTEGER_BITS, bounded_number

NOW_MS = 1_700_000_000_000
VARIABLES: dict[str, object] = {
    "n": 7,
    "nothing": None,
    "list": [1] * 20,
    "twin": [1] * 20,
    "pairs": [[1, 2]] * 3,
    "digits": "1" * 160,
    "text": "x" * 161,
    "unit": "x" * 16,
    "short": "x" * 15,
    "long": 1 << 1_599,
    "word": (1 << 64) - 1,
    "wider": 1 << 64,
    "empty": [],
    "box": {"a": [], "b": [], "c": {}},
}
# Each is true, and each needs one thing to be so; the last one charges for its work.
TRUTHS = {"variables": "(n == 7)", "moment": "(now() == '2023-11-14T22:13:20Z')", "budget": "(list == twin)"}
# `@` is the place.
PLACES = {
    "!@": False,
    "-(@ ? 1 : 0)": -1,
    "(@ ? 1 : 0) + 1": 2,
    "1 + (@ ? 1 : 0)": 2,
    "1 + 1 + (@ ? 1 : 0)": 3,
    "1 + (@ ? 1 : 0) + 1": 3,
    "(@ ? 1 : 0) + 1 + 1": 3,
    "pairs[@ ? 1 : 0]": [1, 2],
    "pairs[0][@ ? 1 : 0]": 2,
    "pairs[@ ? 1 : 0][1]": 2,
    "[5, @][1]": True,
    "[5, [6, @]][1][1]": True,
    "[@]": [True],
    "@ && true": True,
    "true && @": True,
    "true && true && @": True,
    "@ && true && true": True,
    "[@][0] && [@][0]": True,
    "@ || false": True,
    "false || @": True,
    "@ ? 1 : 2": 1,
    "[@][0] ? 1 : 2": 1,
    "false ? 1 : @ ? 3 : 4": 3,
    "true ? @ : 0": True,
    "false ? 0 : @": True,
    "null ?? @": True,
    "@ ?? 1": True,
    "nothing ?? [@][0] ?? 1": True,
    "min(1, @ ? 0 : 5)": 0,
    "min(@ ? 0 : 5, 1)": 0,
    "round(@ ? 1.4 : 5)": 1,
    "@ in [true]": True,
    "true in [@]": True,
    "@ not in [true]": False,
    "true not in [@]": False,
}


@pytest.mark.parametrize("coercion", [False, True])
@pytest.mark.parametrize("what", TRUTHS)
@pytest.mark.parametrize("place", PLACES)
def test_each_place_is_reached(place, what, coercion):
    """Whatever an operand needs arrives, wherever it stands, and its work is charged."""
    budget = Budget()
    source = place.replace("@", TRUTHS[what])
    assert compile_expression(source, coercion=coercion).evaluate(VARIABLES, NOW_MS, budget) == PLACES[place]
    if what == "budget":
        assert EXPRESSION_WORK - budget.left >= 28


def _work(source, *, coercion=False):
    budget = Budget()
    compile_expression(source, coercion=coercion).evaluate(VARIABLES, 0, budget)
    return EXPRESSION_WORK - budget.left


@pytest.mark.parametrize(
    ("source", "charged"),
    [
        ("text + short", 22),
        ("text < text", 10),
        ("unit < unit", 1),
        ("short < short", 0),
        ("long + 1", 200),
        ("long % 7", 100),
        ("word + 0", 0),
        ("wider + 0", 8),
        ("wider % 7", 4),
        ("word % 7", 0),
        ("long % (long + long)", 400),
        ("[empty, empty]", 26),
        ("box", 35),
        ("[text]", 19),
    ],
)
def test_work_is_counted_in_whole_values(source, charged):
    """Sixteen characters, or sixteen bits of a long integer, count as one value; results count too."""
    work = _work(source)
    assert (work, type(work)) == (charged, int)


@pytest.mark.parametrize(
    ("source", "charged"),
    [("n == digits", 10), ("digits == n", 10), ("n < digits", 10), ("digits + 1", 76), ("-digits", 43)],
)
def test_reading_a_number_from_a_text_is_work(source, charged):
    """Where texts count as numbers, either operand is read through, and what is computed from it is charged too."""
    assert _work(source, coercion=True) == charged


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("+5", 5),
        ("2.5", 2.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("x", "x"),
        ("1e999", "1e999"),
        ("-1e999", "-1e999"),
        ("1" * 1_250, "1" * 1_250),
        ("1" * 1_251, "1" * 1_251),
        ("0" * 1_249 + "7", 7),
        ("0" * 1_250 + "7", "0" * 1_250 + "7"),
        (str((1 << MAX_INTEGER_BITS) - 1), (1 << MAX_INTEGER_BITS) - 1),
        (str(1 << MAX_INTEGER_BITS), str(1 << MAX_INTEGER_BITS)),
        (None, None),
        ([], []),
    ],
)
def test_text_is_a_number_where_it_fits(text, number):
    """A text that is no number, or one beyond the bounds of numbers, stays a text."""
    assert as_number(Budget(), text) == number


@pytest.mark.parametrize(
    ("value", "truth"),
    [("true", True), ("false", False), ("True", "True"), ("maybe", "maybe"), (1, 1), ([], []), ({}, {})],
)
def test_two_words_are_booleans(value, truth):
    """Nothing but the words of JSON stands for a boolean."""
    assert as_boolean(value) == truth


def test_largest_integer_is_within_bounds():
    """4,096 bits are allowed, in a result and as a literal."""
    largest = (1 << MAX_INTEGER_BITS) - 1
    assert bounded_number(Budget(), largest) == largest
    assert compile_expression(str(largest)).evaluate({}, 0) == largest


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("round(0.5)", 1),
        ("round(-0.5)", -1),
        ("round(1.5)", 2),
        ("round(-1.5)", -2),
        ("0.5 % 2", 0.5),
        ("-0.5 % 2", -0.5),
        ("1 % 5", 1),
        ("-1 % 5", -1),
        ("5 % -3", 2),
    ],
)
def test_halves_and_remainders(source, value):
    """Halves are rounded away from zero, and a remainder has the sign of what is divided."""
    assert compile_expression(source).evaluate({}, 0) == value
