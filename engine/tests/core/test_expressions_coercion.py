"""Coercion: what changes when strings may stand for numbers and booleans, and what does not."""

import pytest
from rochallor.core.expressions import ExpressionError, compile_expression


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("'5' + 3", 8),
        ("'5' + '3'", 8),
        ("'1.5' * 2", 3.0),
        ("'10' / '4'", 2.5),
        ("-'5'", -5),
        ("-5", -5),
        ("'+7' - 1", 6),
        ("'.5' + 0", 0.5),
        ("'5.' + 0", 5.0),
        ("'1e2' % 7", 2.0),
        ("'a' + 'b'", "ab"),
        ("'invoice-' + '7'", "invoice-7"),
        ("'7' + 'th'", "7th"),
        ("'10' > 9", True),
        ("'10' > '9'", True),
        ("'b' > 'a'", True),
        ("'10' < '9a'", True),
        ("'1' == 1", True),
        ("1.0 == '1'", True),
        ("'1' == '1.0'", True),
        ("'1' != 1", False),
        ("'a' == 'a'", True),
        ("'1' == true", False),
        ("'true' == true", False),
        ("null == '0'", False),
        ("'true' && true", True),
        ("'false' || 'false'", False),
        ("!'true'", False),
        ("'true' ? 1 : 2", 1),
        ("'1' in [1]", False),
        ("['1'] == [1]", False),
        ("'true'", "true"),
    ],
)
def test_coercion_reads_numbers_and_booleans_out_of_strings(source, value):
    """Arithmetic, ordering, `==` and logic coerce; joining, `in` and what lists hold stay as they are."""
    result = compile_expression(source, coercion=True).evaluate({}, 0)
    assert (type(result), result) == (type(value), value)


@pytest.mark.parametrize(
    "source",
    [
        "'5x' + 3",
        "'' + 1",
        "' 5' + 1",
        "'\u0665' + 1",
        "'1_000' + 1",
        "'inf' + 1",
        "'1e999' + 1",
        "'" + "9" * 1_240 + "' + 1",
        "'" + "9" * 1_300 + "' + 1",
        "'a' < 1",
        "-'x'",
        "true + 1",
        "'yes' && true",
        "'True' && true",
        "1 && true",
        "abs('5')",
    ],
)
def test_coercion_does_not_guess(source):
    """What is not exactly a number or a boolean stays a string, and function arguments always do."""
    with pytest.raises(ExpressionError):
        compile_expression(source, coercion=True).evaluate({}, 0)


@pytest.mark.parametrize("source", ["'5' + 3", "'10' > 9", "'true' && true", "-'5'", "'true' ? 1 : 2"])
def test_without_coercion_a_string_is_a_string(source):
    """Coercion is off unless asked for."""
    with pytest.raises(ExpressionError):
        compile_expression(source).evaluate({}, 0)
