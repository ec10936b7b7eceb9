"""Expressions against a second, naive interpreter, and against noise."""

import itertools
import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lark import Tree
from rochallor.core.expressions import (
    ExpressionError,
    ExpressionSyntaxError,
    compile_expression,
    template_of,
)
from rochallor.core.expressions.functions import FUNCTIONS
from rochallor.core.expressions.operators import BINARY, LEVELS
from rochallor.core.expressions.parse import parse

thorough = settings(deadline=None, derandomize=True, max_examples=300, database=None)

VARIABLES: dict[str, Any] = {
    "n": 3,
    "x": 0.5,
    "s": "ab",
    "t": True,
    "z": None,
    "l": [1, "a", [2]],
    "o": {"a": 1, "b": {"a": "deep"}},
}
NOW_MS = 1_700_000_000_000


class WrongError(Exception):
    """The naive interpreter's only error."""


def const(*parts: Any) -> Any:
    """A strategy for a tuple, in which plain parts stand for themselves."""
    return st.tuples(*(part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts))


def variables(*names: str) -> Any:
    return st.sampled_from(names).map(lambda name: ("var", name))


class Trees:
    """Strategies for trees (tuples: kind, then symbol, name or value, then operands) by the type of their value.

    Mostly well typed, so that most expressions have a value and the others an interesting error.
    """

    def __init__(self) -> None:
        self.numbers = const("value", st.integers(0, 3) | st.integers(0, 10**20) | st.floats(0, 1e6).map(abs))
        self.numbers |= variables("n", "x") | const("field", ("var", "o"), "a")
        self.booleans = const("value", st.booleans()) | variables("t")
        self.strings = const("value", st.text(max_size=4)) | variables("s")
        self.others = const("value", None) | variables("z", "l", "o", "absent")

    @property
    def anything(self) -> Any:
        return self.numbers | self.booleans | self.strings | self.others

    def grown(self) -> "Trees":
        """Return trees whose operands are these trees."""
        grown, anything = Trees(), self.anything
        number, boolean, string = (
            st.integers(1, 30).flatmap(lambda roll, kind=kind: anything if roll == 30 else kind)
            for kind in (self.numbers, self.booleans, self.strings)
        )
        lists = st.lists(anything, max_size=3).map(lambda items: ("list", *items)) | variables("l", "o")
        order = st.sampled_from(["<", "<=", ">", ">="])
        grown.numbers = st.one_of(
            grown.numbers,
            const("prefix", "-", number),
            const("binary", st.sampled_from("+-*/%"), number, number),
            const("binary", "??", variables("z", "absent"), number),
            const("choice", boolean, number, number),
            const("call", st.sampled_from(["abs", "floor"]), number),
            const("call", "len", string),
            const("call", "min", number, number),
        )
        grown.booleans = st.one_of(
            const("prefix", "!", boolean),
            const("binary", st.sampled_from(["&&", "||"]), boolean, boolean),
            const("binary", order, number, number),
            const("binary", order | st.sampled_from(["in", "not in"]), string, string),
            const("binary", st.sampled_from(["==", "!="]), anything, anything),
            const("binary", st.sampled_from(["in", "not in"]), string, lists),
            const("call", st.sampled_from(["contains", "startsWith"]), string, string),
        )
        grown.strings = st.one_of(
            grown.strings,
            const("binary", "+", string, string),
            const("call", "lower", string),
            const("index", ("var", "o"), string),
        )
        grown.others = st.one_of(
            lists,
            const("index", lists, const("value", st.integers(0, 3)) | number),
            const("field", variables("o", "z", "absent"), st.sampled_from(["a", "b", "in", "null"])),
            const("binary", "??", anything, anything),
        )
        return grown


TREES = Trees().grown().grown().grown().anything
LEVEL = {operator.symbol: at for at, level in enumerate(LEVELS[:-1]) for operator in level.operators}
PREFIX, ATOM = len(LEVELS) - 1, len(LEVELS)


def show(tree: Any) -> tuple[str, int]:
    """Print a tree with only those parentheses that the table of operators asks for."""
    match tree:
        case ("value", value):
            return show_value(value), ATOM
        case ("var", name):
            return {"n": "#n", "s": "${s}"}.get(name, name), ATOM
        case ("field", inner, name):
            return f"{wrap(inner, ATOM)}.{name}", ATOM
        case ("index", inner, key):
            return f"{wrap(inner, ATOM)}[{wrap(key, 0)}]", ATOM
        case ("list", *items):
            return f"[{', '.join(wrap(item, 0) for item in items)}]", ATOM
        case ("call", name, *arguments):
            return f"{name}({','.join(wrap(argument, 0) for argument in arguments)})", ATOM
        case ("prefix", symbol, inner):
            return f"{symbol}{wrap(inner, PREFIX)}", PREFIX
        case ("choice", test, yes, no):
            return f"{wrap(test, 1)} ? {wrap(yes, 0)} : {wrap(no, 0)}", 0
    _, symbol, left, right = tree
    level = LEVEL[symbol]
    from_right = LEVELS[level].groups == "right"
    return f"{wrap(left, level + from_right)} {symbol} {wrap(right, level + 1 - from_right)}", level


def wrap(tree: Any, least: int) -> str:
    text, level = show(tree)
    return text if level >= least else f"({text})"


def show_value(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if value is None:
        return "null"
    return repr(value).lower()


def required(tree: Any) -> set[str]:
    match tree:
        case ("var", name):
            return {name}
        case ("binary", "??", left, right):
            keys: set[str] = set()
            while left[0] in {"field", "index"}:
                keys |= required(left[2]) if left[0] == "index" else set()
                left = left[1]
            return keys | required(right) | (set() if left[0] == "var" else required(left))
    return set().union(*(required(part) for part in tree[1:] if isinstance(part, tuple)))


def canonical(value: Any) -> Any:
    if isinstance(value, list):
        return ("list", *map(canonical, value))
    if isinstance(value, dict):
        return ("dict", *sorted((key, canonical(item)) for key, item in value.items()))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return ("number", Fraction(value))
    return (type(value), value)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def need(condition: object) -> None:
    if not condition:
        raise WrongError


def truth(tree: Any) -> bool:
    value = naive(tree)
    need(isinstance(value, bool))
    return value


def naive(tree: Any) -> Any:
    match tree:
        case ("value", value):
            return value
        case ("var", name):
            return VARIABLES.get(name)
        case ("field", inner, name):
            return naive_member(naive(inner), name)
        case ("index", inner, key):
            return naive_member(naive(inner), naive(key))
        case ("list", *items):
            return [naive(item) for item in items]
        case ("choice", test, yes, no):
            return naive(yes) if truth(test) else naive(no)
        case ("prefix", "-", inner):
            value = naive(inner)
            need(is_number(value))
            return -value
        case (_, "!" | "&&" | "||" | "??", *_):
            return naive_logic(tree)
        case ("binary", symbol, left, right):
            return naive_binary(symbol, naive(left), naive(right))
    _, name, *arguments = tree
    return naive_call(name, *map(naive, arguments))


def naive_logic(tree: Any) -> Any:
    match tree:
        case (_, "!", inner):
            return not truth(inner)
        case (_, "&&", left, right):
            return truth(left) and truth(right)
        case (_, "||", left, right):
            return truth(left) or truth(right)
    _, _, left, right = tree
    value = naive(left)
    return naive(right) if value is None else value


def naive_member(container: Any, key: Any) -> Any:
    if container is None:
        return None
    if isinstance(container, dict):
        need(isinstance(key, str))
        return container.get(key)
    need(isinstance(container, list) and is_number(key) and key == int(key))
    return dict(enumerate(container)).get(int(key))


def naive_binary(symbol: str, left: Any, right: Any) -> Any:
    if symbol in {"==", "!="}:
        return (canonical(left) == canonical(right)) is (symbol == "==")
    if symbol in {"in", "not in"}:
        return naive_call("contains", right, left) is (symbol == "in")
    strings = isinstance(left, str) and isinstance(right, str)
    need((is_number(left) and is_number(right)) or (strings and symbol in {"+", "<", "<=", ">", ">="}))
    try:
        result = {
            "<": lambda: left < right,
            "<=": lambda: left <= right,
            ">": lambda: left > right,
            ">=": lambda: left >= right,
            "+": lambda: left + right,
            "-": lambda: left - right,
            "*": lambda: left * right,
            "/": lambda: left / right,
            "%": lambda: naive_remainder(left, right),
        }[symbol]()
    except ArithmeticError:
        raise WrongError from None
    need(not isinstance(result, float) or math.isfinite(result))
    return result


def naive_remainder(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        return left - right * int(Fraction(left, right))
    exact = Fraction(left) - Fraction(right) * int(Fraction(left) / Fraction(right))
    return math.copysign(float(exact), left)


def naive_call(name: str, first: Any, *rest: Any) -> Any:
    if name == "contains":
        (element,) = rest
        need(isinstance(first, (list, str, dict)))
        if isinstance(first, list):
            return canonical(element) in map(canonical, first)
        need(isinstance(element, str))
        return element in first
    if name == "len":
        need(isinstance(first, (list, str, dict)))
        return len(first)
    if name in {"lower", "startsWith"}:
        need(all(isinstance(value, str) for value in (first, *rest)))
        return first.lower() if name == "lower" else first[: len(rest[0])] == rest[0]
    need(all(is_number(value) for value in (first, *rest)))
    return {"abs": abs, "floor": math.floor, "min": min}[name](first, *rest)


def outcome(tree: Any) -> str:
    if "absent" in required(tree):
        return "error"
    try:
        return repr(naive(tree))
    except WrongError:
        return "error"


def actual(source: str) -> str:
    expression = compile_expression(source)
    try:
        return repr(expression.evaluate(VARIABLES, NOW_MS))
    except ExpressionError:
        return "error"


@thorough
@given(TREES)
@example(("binary", "??", ("field", ("index", ("var", "absent"), ("value", 0)), "a"), ("value", 1)))
@example(("binary", "-", ("value", 1), ("binary", "-", ("value", 2), ("value", 3))))
@example(("binary", "%", ("prefix", "-", ("value", 7)), ("value", 0.5)))
@example(("choice", ("choice", ("var", "t"), ("var", "t"), ("var", "t")), ("var", "n"), ("var", "s")))
def test_a_printed_tree_evaluates_as_the_naive_interpreter_says(tree):
    """Printing with the parentheses of the operator table and evaluating gives the naive result, or its error."""
    assert actual(show(tree)[0]) == outcome(tree)


PIECES = st.lists(
    st.sampled_from([*"()[]{}.,?:!-+*/%<>=&|#$'\"\\ \n", "${", "??", "&&", "||", "==", "not in", "in", "n", "s", "z"])
    | st.sampled_from(["true", "null", "1", "2.5", "'a'", "len(", "now()", "\\u00", "é", "\ud800", "absent"]),
    max_size=25,
).map("".join)


@thorough
@given(PIECES | st.text(max_size=30), st.booleans())
def test_noise_is_a_value_or_one_of_the_two_errors(source, coercion):
    """Whatever the text, nothing but the errors of this package leaves it."""
    for text in (source, f"${{{source}}}"):
        error = error_of(text, VARIABLES, coercion=coercion)
        if isinstance(error, ExpressionSyntaxError):
            assert 0 <= error.position <= len(text)
            assert "column" in str(error)
        else:
            assert error is None or (type(error) is ExpressionError and ", in: " in str(error))


def error_of(source: str, variables: dict[str, Any], now_ms: int = 0, *, coercion: bool) -> ValueError | None:
    try:
        template_of(source, coercion=coercion)
        compile_expression(source, coercion=coercion).evaluate(variables, now_ms)
    except ValueError as error:
        return error
    return None


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
SHAPES = [
    *(f"a {symbol} b" for symbol in BINARY),
    *("a && b", "a || b", "!a", "-a", "a ? b : a", "a ?? b", "a[b]", "a.x", "[a, b]"),
    *(f"{function.name}({', '.join('ab'[: len(function.arguments)])})" for function in FUNCTIONS.values()),
]


@thorough
@given(ANY_JSON, ANY_JSON, st.sampled_from(SHAPES), st.booleans(), st.integers())
def test_any_values_give_a_value_or_an_expression_error(left, right, source, coercion, now_ms):
    """Every operator and function answers every pair of values, at any time, with a value or `ExpressionError`."""
    error = error_of(source, {"a": left, "b": right}, now_ms, coercion=coercion)
    assert error is None or (type(error) is ExpressionError and str(error).endswith(f", in: {source}"))


def bare(source: str) -> Any:
    """Return the tree of `source` as nested tuples without its parentheses."""

    def strip(node: Any) -> Any:
        if not isinstance(node, Tree):
            return str(node)
        return strip(node.children[0]) if node.data == "group" else (node.data, *map(strip, node.children))

    return strip(parse(source))


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (low.symbol, high.symbol)
        for first, second in itertools.combinations(LEVELS[1:-1], 2)
        for low in first.operators
        for high in second.operators
    ],
)
def test_the_grammar_has_the_precedence_of_the_table(low, high):
    """Of two operators side by side the one of the higher level binds first, whichever stands first."""
    assert bare(f"a {low} b {high} c") == bare(f"a {low} (b {high} c)")
    assert bare(f"a {high} b {low} c") == bare(f"(a {high} b) {low} c")
