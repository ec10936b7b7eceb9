"""What is no expression, and what its author is told."""

import pytest
from rochallor.core.expressions import ExpressionSyntaxError, compile_expression


def complaint(source: str) -> ExpressionSyntaxError:
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_expression(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "position", "sentence"),
    [
        ("a @ b", 2, "unexpected `@`: expected an operator or the end"),
        ("a b", 2, "unexpected `b`: expected an operator or the end"),
        ("a ==", 4, "the expression ends too early: expected a value"),
        ("(a", 2, "the expression ends too early: expected `)`"),
        ("[1, 2", 5, "the expression ends too early: expected `]` or `,`"),
        ("len(1", 5, "the expression ends too early: expected `)` or `,`"),
        ("len(1,)", 6, "unexpected `)`: expected a value"),
        ("[,]", 1, "unexpected `,`: expected a value or `]`"),
        ("a ? b", 5, "the expression ends too early: expected `:`"),
        ("${a", 3, "the expression ends too early: expected `}`"),
        ("${}", 2, "unexpected `}`: expected a value"),
        ("a.", 2, "the expression ends too early: expected the name of a field"),
        ("a.1", 2, "unexpected `1`: expected the name of a field"),
        ("a[]", 2, "unexpected `]`: expected a value"),
        ("]", 0, "unexpected `]`: expected a value"),
        ("in", 0, "unexpected `in`: expected a value"),
        ("#len(a)", 4, "unexpected `(`: expected an operator or the end"),
        ("1 2", 2, "unexpected `2`: expected an operator or the end"),
        ("1x", 1, "unexpected `x`: expected an operator or the end"),
        (".5", 0, "unexpected `.`: expected a value"),
        ("a = 1", 2, "unexpected `=`: expected an operator or the end; write `==` to compare"),
        ("a === 1", 4, "unexpected `=`: expected a value; write `==` to compare"),
        ("a and b", 2, "unexpected `and`: expected an operator or the end; write `&&` for and"),
        ("a or b", 2, "unexpected `or`: expected an operator or the end; write `||` for or"),
        ("not a", 4, "unexpected `a`: expected an operator or the end; write `!` for not"),
        ("a & b", 2, "unexpected `&`: expected an operator or the end; write `&&` for and"),
        ("a | b", 2, "unexpected `|`: expected an operator or the end; write `||` for or"),
        ("$a", 0, "unexpected `$`: expected a value; write `${name}` or `#name` for a variable"),
        ("{}", 0, "unexpected `{`: expected a value; an object cannot be written in an expression"),
        ("'abc", 0, "this string is never closed: expected ' at its end"),
        ('a + "abc', 4, 'this string is never closed: expected " at its end'),
        (r"'abc\'", 0, "this string is never closed: expected ' at its end"),
        (r"'a\x'", 2, r"unknown escape `\x`: known are \' \" \\ \/ \b \f \n \r \t and \uXXXX"),
        (r"'\u12'", 1, r"unknown escape `\u`: known are \' \" \\ \/ \b \f \n \r \t and \uXXXX"),
        (r"1 + '\ud83d'", 4, "half a surrogate pair in this string; write both halves"),
        ("'\ud83d'", 1, "half a surrogate pair is no character"),
        ("1e999", 0, "this number is too large"),
        ("1 + " + "9" * 1_300, 4, "this number is too large"),
        ("", 0, "the expression is empty: expected a value"),
        (" \n ", 0, "the expression is empty: expected a value"),
        ("1 + nope(2)", 4, "there is no function `nope`; there are contains, len, startsWith,"),
        ("nope(2)", 0, "there is no function `nope`; there are contains, len, startsWith,"),
        ("len()", 0, "`len(x)` does not take 0 arguments"),
        ("1 + len(1, 2)", 4, "`len(x)` does not take 2 arguments"),
        ("now(1)", 0, "`now()` does not take 1 argument"),
        ("contains(a)", 0, "`contains(collection, element)` does not take 1 argument"),
        ("min()", 0, "`min(a, b, …)` does not take 0 arguments"),
        ("\n)", 1, "unexpected `)`: expected a value"),
        ("a +\n\n) +\na\n+ b", 5, "unexpected `)`: expected a value"),
        ("a +\r\n\t)\t+ a\r\n+ b", 6, "unexpected `)`: expected a value"),
        ("\r) + a", 1, "unexpected `)`: expected a value"),
        ("min(1 2)", 6, "unexpected `2`"),
        ("X X", 2, "unexpected `X`"),
    ],
)
def test_a_syntax_error_says_what_is_wrong_and_where(source, position, sentence, sentences):
    """The sentence names what was found and expected; `position` points at it."""
    error = complaint(source)
    sentences("syntax", ascii(source[:60]), str(error))
    assert str(error).startswith(sentence)
    assert error.position == position


def test_a_caret_stands_under_the_place():
    """The message shows the line and marks the column."""
    assert str(complaint("amount > > 1")).splitlines() == [
        "unexpected `>`: expected a value (column 10)",
        "  amount > > 1",
        "           ^",
    ]


def test_a_place_in_a_text_of_several_lines_has_its_line():
    """Of a long text only the guilty line is shown."""
    assert str(complaint("a +\r\n\tb +\r\n  ) + c\r\nd")).splitlines() == [
        "unexpected `)`: expected a value (line 3, column 3)",
        "    ) + c",
        "    ^",
    ]


def test_a_long_line_is_shown_around_the_place():
    """The caret stays under its column although the line is cut."""
    lines = str(complaint("a + " * 50 + ")" + " + a" * 50)).splitlines()
    assert lines[1][lines[2].index("^")] == ")"
    assert len(lines[1]) <= 102


def nested(opening: str, closing: str, levels: int) -> str:
    return opening * levels + "true" + closing * levels


NESTINGS = [
    ("(", ")"),
    ("${", "}"),
    ("[", "]"),
    ("!", ""),
    ("len(", ")"),
    ("a[", "]"),
    ("(a + ", ")"),
    ("a ? ", " : a"),
    ("(a && ", ")"),
    ("(a ?? ", ")"),
]


@pytest.mark.parametrize(("opening", "closing"), NESTINGS)
def test_nesting_up_to_the_limit_compiles(opening, closing):
    """Sixty-four levels of anything are fine."""
    assert compile_expression(nested(opening, closing, 64))


@pytest.mark.parametrize(("opening", "closing"), NESTINGS)
def test_nesting_beyond_the_limit_is_refused(opening, closing):
    """One level more is an error that says the limit."""
    assert "nested more than 64 levels deep" in str(complaint(nested(opening, closing, 65)))


def test_nesting_is_refused_before_it_can_hurt():
    """Thousands of brackets are the same friendly error, not a stack overflow."""
    assert "nested more than 64 levels deep" in str(complaint("(" * 2_000 + "1" + ")" * 2_000))


@pytest.mark.parametrize("operator", ["+", "==", "&&", "||", "??", "in"])
def test_a_long_chain_is_not_nesting(operator):
    """Operators side by side cost no depth, up to the size limit."""
    assert compile_expression(f" {operator} ".join(["a"] * 500))


def test_a_long_choice_is_not_nesting():
    """Neither do the branches of an else-if chain."""
    source = "".join(f"a == {n} ? {n} : " for n in range(150)) + "null"
    assert compile_expression(source).evaluate({"a": 149}, 0) == 149


def test_the_size_limit_counts_bytes():
    """4,096 bytes are an expression, one more is not, and the error says the limit."""
    assert compile_expression("'" + "é" * 2_047 + "'")
    error = complaint("'" + "é" * 2_047 + "x'")
    assert str(error).startswith("the expression has 4,097 bytes; at most 4,096 are allowed")
