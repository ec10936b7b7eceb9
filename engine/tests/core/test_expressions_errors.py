"""What goes wrong when an expression meets its values: always an `ExpressionError`, always in words."""

import re
import sys

import pytest
from rochallor.core.expressions import ExpressionError, compile_expression

VARIABLES: dict[str, object] = {
    "n": 1,
    "s": "text",
    "t": True,
    "o": {"a": 1},
    "l": [1],
    "z": None,
    "bytes": b"",
    "inf": float("inf"),
    "nan": float("nan"),
    "huge": 1 << 5_000,
    "big": 1 << 4_095,
    "long": "x" * (1 << 20),
    "many": [0] * 900_000,
    "wide": {str(n): "y" * 100 for n in range(11_000)},
}


def failure(source: str, now_ms: int = 0) -> str:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source).evaluate(VARIABLES, now_ms)
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("n + s", "`+` needs two numbers or two strings, not a number and a string"),
        ("n + t", "`+` needs two numbers or two strings, not a number and a boolean"),
        ("l + l", "`+` needs two numbers or two strings, not a list and a list"),
        ("s - s", "`-` needs two numbers, not a string and a string"),
        ("o * n", "`*` needs two numbers, not an object and a number"),
        ("z / n", "`/` needs two numbers, not null and a number"),
        ("n % t", "`%` needs two numbers, not a number and a boolean"),
        ("-s", "`-` needs a number, not a string"),
        ("-t", "`-` needs a number, not a boolean"),
        ("n < s", "`<` needs two numbers or two strings, not a number and a string"),
        ("t >= t", "`>=` needs two numbers or two strings, not a boolean and a boolean"),
        ("1 < 2 < 3", "`<` needs two numbers or two strings, not a boolean and a number"),
        ("n && t", "`&&` needs booleans, not a number"),
        ("t && n", "`&&` needs booleans, not a number"),
        ("t && t && z", "`&&` needs booleans, not null"),
        ("s || t", "`||` needs booleans, not a string"),
        ("!t || 1", "`||` needs booleans, not a number"),
        ("!n", "`!` needs booleans, not a number"),
        ("n ? 1 : 2", "`? :` needs booleans, not a number"),
        ("bytes + n", "`+` needs two numbers or two strings, not a value that is not JSON and a number"),
        ("n in n", "only a list, a string or an object contains something, not a number"),
        ("n in s", "a string contains only strings, not a number"),
        ("n not in o", "the keys of an object are strings, not a number"),
        ("s.field", "only an object or a list has members, not a string"),
        ("n[0]", "only an object or a list has members, not a number"),
        ("o[0]", "a key of an object is a string, not a number"),
        ("l.length", "the index of a list is a whole number, not a string"),
        ("l[t]", "the index of a list is a whole number, not a boolean"),
        ("l[0.5]", "the index of a list is a whole number, not a number"),
        ("len(n)", "`len` needs a string, a list or an object, not a number"),
        ("len(z)", "`len` needs a string, a list or an object, not null"),
        ("startsWith(s, n)", "`startsWith` needs a string, not a number"),
        ("startsWith(l, s)", "`startsWith` needs a string, not a list"),
        ("endsWith(n, s)", "`endsWith` needs a string, not a number"),
        ("endsWith(s, n)", "`endsWith` needs a string, not a number"),
        ("lower(n)", "`lower` needs a string, not a number"),
        ("upper(z)", "`upper` needs a string, not null"),
        ("trim(l)", "`trim` needs a string, not a list"),
        ("abs(t)", "`abs` needs a number, not a boolean"),
        ("min(1, s)", "`min` needs a number, not a string"),
        ("min([1], 2)", "`min` needs a number, not a list"),
        ("max([])", "`max` of an empty list"),
        ("max(['a'])", "`max` needs a number, not a string"),
        ("round(s)", "`round` needs a number, not a string"),
        ("floor(s)", "`floor` needs a number, not a string"),
        ("ceil(z)", "`ceil` needs a number, not null"),
        ("contains(z, 1)", "only a list, a string or an object contains something, not null"),
    ],
)
def test_a_wrong_type_is_named(source, message):
    """The message says which operator or function met which types, then shows the expression."""
    assert failure(source) == f"{message}, in: {source}"


@pytest.mark.parametrize("source", ["n / 0", "n / 0.0", "n % 0", "1.5 % 0", "0 / 0"])
def test_division_by_zero_is_an_error(source):
    """Neither a quotient nor a remainder by zero exists."""
    what = "the remainder of a division by zero" if "%" in source else "division by zero"
    assert failure(source) == f"{what}, in: {source}"


@pytest.mark.parametrize(
    "source",
    [
        "absent",
        "absent.a",
        "true || absent",
        "false && absent",
        "true ? 1 : absent",
        "1 ?? absent",
        "absent + (absent ?? 1)",
        "len(absent) ?? 1",
        "o[absent] ?? 1",
        "absent[absent] ?? 1",
        "(absent ?? z) ?? absent",
        "(absent + 1) ?? 1",
        "-absent ?? 1",
        "[absent] ?? 1",
    ],
)
def test_an_undefined_variable_is_an_error_wherever_it_stands(source):
    """Only the left side of `??` is forgiven; neither a short circuit nor an untaken branch is."""
    assert failure(source).startswith("the variable `absent` is not defined; set it before this step, or write")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("big * 2", "the result is an integer of more than 4,096 bits"),
        ("big + big", "the result is an integer of more than 4,096 bits"),
        ("0 - huge", "the result is an integer of more than 4,096 bits"),
        ("1e308 * 10", "the result is too large for a number"),
        ("-1e308 - 1e308", "the result is too large for a number"),
        ("inf - inf", "the result is too large for a number"),
        ("huge / 3", "a number or the time is out of range"),
        ("huge * 0.5", "a number or the time is out of range"),
        ("inf % 2", "a number or the time is out of range"),
        ("round(inf)", "a number or the time is out of range"),
        ("floor(nan)", "a number or the time is out of range"),
        ("long + 'x'", "the result is a string of more than 1,048,576 characters"),
        ("upper('ß' + long)", "the result is a string of more than 1,048,576 characters"),
    ],
)
def test_a_result_too_large_is_an_error(source, message):
    """Integers, reals and strings have bounds that no expression passes."""
    assert failure(source) == f"{message}, in: {source}"


@pytest.mark.parametrize("source", ["[[wide], s]", "[many, n]", "[long, n]", "big - 1", "long + ''"])
def test_a_result_within_bounds_is_none(source):
    """Large values that could still be stored are let through."""
    assert compile_expression(source).evaluate(VARIABLES, 0) is not None


def test_a_time_beyond_the_calendar_is_an_error():
    """`now()` past the year 9999 has no RFC 3339 text."""
    assert failure("now()", now_ms=10**17) == "a number or the time is out of range, in: now()"


def test_values_nested_beyond_the_stack_are_an_error():
    """Comparing values of absurd depth fails as an expression, not as the engine."""
    left: list[object] = []
    right: list[object] = []
    for _ in range(sys.getrecursionlimit() * 200):
        left, right = [left], [right]
    with pytest.raises(ExpressionError, match="nested too deeply"):
        compile_expression("a == b").evaluate({"a": left, "b": right}, 0)


def test_an_error_shows_no_more_than_the_beginning_of_a_long_expression():
    """Failure reasons stay short, whatever the length of the expression."""
    source = "n + s" + " + 1" * 100
    assert failure(source).endswith(f"in: {source[:80]}…")


def test_an_error_never_shows_values():
    """Errors end in histories and logs; what variables hold does not."""
    with pytest.raises(ExpressionError) as caught:
        compile_expression("a + b").evaluate({"a": "secret-1", "b": 4711}, 0)
    assert not re.search("secret|4711", str(caught.value))


def test_a_condition_must_be_boolean():
    """`holds` refuses what is not true or false, and coerces only when told to."""
    with pytest.raises(ExpressionError, match="a condition must be a boolean, not a number, in: n"):
        compile_expression("n").holds(VARIABLES, 0)
    with pytest.raises(ExpressionError, match="not a string"):
        compile_expression("v").holds({"v": "true"}, 0)
    with pytest.raises(ExpressionError, match="not a string"):
        compile_expression("v", coercion=True).holds({"v": "yes"}, 0)
