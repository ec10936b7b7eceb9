"""Templates: which strings of a definition are expressions."""

import pytest
from rochallor.core.expressions import ExpressionSyntaxError, template_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${a}", 1),
        ("${ a + 1 }", 2),
        ("${${a} + #b}", 3),
        ("${'}'}", "}"),
        ("${'{'}", "{"),
        ("${\"${a}\" + '}'}", "${a}}"),
        ("${'it\\'s }'}", "it's }"),
        ("${'x' in ['x']\n}", True),
    ],
)
def test_a_string_wholly_inside_a_template_is_an_expression(text, value):
    """`${…}` from the first to the last character is evaluated, whatever braces its strings hold."""
    expression = template_of(text)
    assert expression is not None
    assert expression.source == text
    assert expression.evaluate({"a": 1, "b": 2}, 0) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a",
        "#a",
        "${a} and ${b}",
        "${'x'} and ${b}",
        "${'x' + 'y'} and ${'z'}",
        "${a}}",
        "${a} ",
        " ${a}",
        "${a",
        "$${a}",
        "${a}'s and ${b}",
        "{a}",
        1,
        None,
        True,
        ["${a}"],
        {"a": "${a}"},
    ],
)
def test_anything_else_is_a_literal(value):
    """Text around or between templates, and values that are no strings, stay what they are."""
    assert template_of(value) is None


@pytest.mark.parametrize("text", ["${}", "${{a}}", "${a +}", "${'}", "${it's}", "${${a}"])
def test_what_looks_like_a_template_but_is_none_is_an_error(text):
    """A mistyped template is found at upload instead of becoming a literal."""
    with pytest.raises(ExpressionSyntaxError):
        template_of(text)


def test_a_template_coerces_when_told_to():
    """Coercion reaches the expression of a template."""
    expression = template_of("${'1' + 1}", coercion=True)
    assert expression is not None
    assert expression.evaluate({}, 0) == 2
