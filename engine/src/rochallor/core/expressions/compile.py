"""From tree to closures: each node becomes one function of (variables, now_ms, budget).

Here live the parts of the language that are control flow: what short-circuits, what `??` forgives, which
names must be defined. What operators and functions compute is in their tables. The names are gathered while
compiling, because an undefined variable is an error wherever it stands: an expression must not work on Monday
and fail on Tuesday because a branch was not taken on Monday. `_forgiving` is the one exception: the left side
of `??`.

Recursion here, and of the closures, is as deep as the tree, which parse.py bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, cast

from lark import Token, Tree

from rochallor.core.expressions import literals
from rochallor.core.expressions.budget import Budget
from rochallor.core.expressions.coercion import as_boolean, as_number, coercing
from rochallor.core.expressions.errors import ExpressionError, syntax_error
from rochallor.core.expressions.functions import FUNCTIONS
from rochallor.core.expressions.operators import BINARY, COMPARISONS, Binary, negate
from rochallor.core.expressions.parse import parse
from rochallor.core.expressions.values import charge_scalar, member, type_name

Run = Callable[[Mapping[str, object], int, Budget], object]
Test = Callable[[Mapping[str, object], int, Budget], bool]
Node = Tree[Token]


class Compiled(NamedTuple):
    """What compiling gives: the closure, all variables it reads, and those of them that must be defined."""

    run: Run
    names: frozenset[str]
    required: tuple[str, ...]


def compile_source(source: str, *, coercion: bool) -> Compiled:
    """Compile `source`; raises `ExpressionSyntaxError`."""
    compiler = _Compiler(source, coercion=coercion)
    run = compiler.compile(parse(source))
    return Compiled(run, frozenset(compiler.names), tuple(dict.fromkeys(compiler.required)))


class _Compiler:
    """One compilation: a method per kind of node, and the names met so far."""

    def __init__(self, source: str, *, coercion: bool) -> None:
        self.source = source
        self.coercion = coercion
        self.names: set[str] = set()
        self.required: list[str] = []

    def compile(self, node: Node) -> Run:
        run: Run = getattr(self, f"_{node.data}")(node)
        return run

    def _all(self, nodes: list[Node]) -> tuple[Run, ...]:
        return tuple(map(self.compile, nodes))

    def _group(self, node: Node) -> Run:
        return self.compile(_tree(node, 0))

    # Leaves

    def _number(self, node: Node) -> Run:
        token = _token(node, 0)
        return _constant(literals.number(token, self.source, token.start_pos or 0))

    def _string(self, node: Node) -> Run:
        token = _token(node, 0)
        return _constant(literals.string(token, self.source, token.start_pos or 0))

    def _true(self, _: Node) -> Run:
        return _constant(True)

    def _false(self, _: Node) -> Run:
        return _constant(False)

    def _null(self, _: Node) -> Run:
        return _constant(None)

    def _variable(self, node: Node) -> Run:
        name = _name(node)
        self.names.add(name)
        self.required.append(name)
        return lambda variables, _now_ms, _budget: variables[name]

    # Reaching into values

    def _path(self, node: Node) -> Run:
        return self._follow(self.compile(_tree(node, 0)), _trees(node)[1:])

    def _follow(self, start: Run, steps: list[Node]) -> Run:
        keys = self._all(steps)
        if len(keys) == 1:
            (key,) = keys
            return lambda variables, now_ms, budget: member(
                start(variables, now_ms, budget), key(variables, now_ms, budget)
            )

        def run(variables: Mapping[str, object], now_ms: int, budget: Budget) -> object:
            value = start(variables, now_ms, budget)
            for key in keys:
                value = member(value, key(variables, now_ms, budget))
            return value

        return run

    def _field(self, node: Node) -> Run:
        return _constant(str(_token(node, 0)))

    def _index(self, node: Node) -> Run:
        key = self._group(node)
        if _is_constant(_tree(node, 0)):
            return key

        def run(variables: Mapping[str, object], now_ms: int, budget: Budget) -> object:
            value = key(variables, now_ms, budget)
            charge_scalar(budget, value)
            return value

        return run

    def _list(self, node: Node) -> Run:
        items = self._all(_trees(node))
        if _is_constant(node):
            constants = [item({}, 0, Budget()) for item in items]
            return lambda _variables, _now_ms, _budget: constants.copy()
        return lambda variables, now_ms, budget: [item(variables, now_ms, budget) for item in items]

    def _call(self, node: Node) -> Run:
        name = _token(node, 0)
        function = FUNCTIONS.get(name)
        arguments = _trees(node)
        if function is None:
            known = ", ".join(FUNCTIONS)
            raise syntax_error(f"there is no function `{name}`; there are {known}", self.source, name.start_pos or 0)
        if not function.accepts(len(arguments)):
            sentence = f"`{function.signature}` does not take {len(arguments)} argument{'s' * (len(arguments) != 1)}"
            raise syntax_error(sentence, self.source, name.start_pos or 0)
        call, runs = function.call, self._all(arguments)
        if function.reads_time:
            return lambda _variables, now_ms, _budget: call(now_ms)
        if len(runs) == 1:
            (only,) = runs
            return lambda variables, now_ms, budget: call(budget, only(variables, now_ms, budget))
        return lambda variables, now_ms, budget: call(budget, *[run(variables, now_ms, budget) for run in runs])

    # Operators that evaluate all their operands

    def _binary(self, node: Node) -> Run:
        first = self.compile(_tree(node, 0))
        symbols, operands = node.children[1::2], node.children[2::2]
        rest = [
            (self._operator(str(symbol)), self.compile(operand))
            for symbol, operand in zip(symbols, operands, strict=True)
            if isinstance(operand, Tree)
        ]
        if len(rest) == 1:
            ((apply, second),) = rest
            if _is_constant(_tree(node, 2)):
                constant = second({}, 0, Budget())
                return lambda variables, now_ms, budget: apply(budget, first(variables, now_ms, budget), constant)
            return lambda variables, now_ms, budget: apply(
                budget, first(variables, now_ms, budget), second(variables, now_ms, budget)
            )

        def run(variables: Mapping[str, object], now_ms: int, budget: Budget) -> object:
            value = first(variables, now_ms, budget)
            for apply, operand in rest:
                value = apply(budget, value, operand(variables, now_ms, budget))
            return value

        return run

    def _operator(self, text: str) -> Binary:
        operator = BINARY[" ".join(text.split())]
        assert operator.apply is not None
        return coercing(operator.apply) if self.coercion and operator.coerces else operator.apply

    def _unary(self, node: Node) -> Run:
        if _token(node, 0) == "!":
            test = self._condition("!", _tree(node, 1))
            return lambda variables, now_ms, budget: not test(variables, now_ms, budget)
        operand = self.compile(_tree(node, 1))
        if self.coercion:
            return lambda variables, now_ms, budget: negate(as_number(budget, operand(variables, now_ms, budget)))
        return lambda variables, now_ms, budget: negate(operand(variables, now_ms, budget))

    # Operators that decide what is evaluated

    def _condition(self, symbol: str, node: Node) -> Test:
        run, coercion = self.compile(node), self.coercion
        if _gives_boolean(node):
            return cast("Test", run)

        def test(variables: Mapping[str, object], now_ms: int, budget: Budget) -> bool:
            value = run(variables, now_ms, budget)
            if value is True or value is False:
                return value
            if coercion and type(truth := as_boolean(value)) is bool:
                return truth
            raise ExpressionError(f"`{symbol}` needs booleans, not {type_name(value)}")

        return test

    def _either(self, node: Node) -> Run:
        return self._logic("||", node, decides=True)

    def _both(self, node: Node) -> Run:
        return self._logic("&&", node, decides=False)

    def _logic(self, symbol: str, node: Node, *, decides: bool) -> Run:
        tests = [self._condition(symbol, tree) for tree in _trees(node)]
        if len(tests) == 2 and not decides:  # noqa: PLR2004  # the usual condition, and the one that has to be fast
            left, right = tests
            return lambda variables, now_ms, budget: (
                left(variables, now_ms, budget) and right(variables, now_ms, budget)
            )

        def run(variables: Mapping[str, object], now_ms: int, budget: Budget) -> bool:
            for test in tests:
                if test(variables, now_ms, budget) is decides:
                    return decides
            return not decides

        return run

    def _conditional(self, node: Node) -> Run:
        *trees, last = _trees(node)
        pairs = zip(trees[::2], trees[1::2], strict=True)
        branches = [(self._condition("? :", test), self.compile(value)) for test, value in pairs]
        otherwise = self.compile(last)

        def run(variables: Mapping[str, object], now_ms: int, budget: Budget) -> object:
            for test, value in branches:
                if test(variables, now_ms, budget):
                    return value(variables, now_ms, budget)
            return otherwise(variables, now_ms, budget)

        return run

    def _coalesce(self, node: Node) -> Run:
        *trees, last = _trees(node)
        attempts = [self._forgiving(tree) for tree in trees]
        otherwise = self.compile(last)

        def run(variables: Mapping[str, object], now_ms: int, budget: Budget) -> object:
            for attempt in attempts:
                value = attempt(variables, now_ms, budget)
                if value is not None:
                    return value
            return otherwise(variables, now_ms, budget)

        return run

    def _forgiving(self, node: Node) -> Run:
        """Compile a left side of `??`: the variable that it is, or is a path into, may be undefined."""
        start, steps = _reference(node)
        if start.data != "variable":
            return self.compile(node)
        name = _name(start)
        self.names.add(name)

        def root(variables: Mapping[str, object], _now_ms: int, _budget: Budget) -> object:
            return variables[name] if name in variables else None  # noqa: SIM401  # a Mapping's get may decode twice

        return self._follow(root, steps) if steps else root


_LEAVES: Final = frozenset({"number", "string", "true", "false", "null"})


def _is_constant(node: Node) -> bool:
    """Return whether `node` is a literal: operators leave their operands as they are, so one value serves for ever."""
    return node.data in _LEAVES or (node.data == "list" and all(item.data in _LEAVES for item in _trees(node)))


def _gives_boolean(node: Node) -> bool:
    """Return whether `node` is a comparison, whose result needs no test of its type."""
    return node.data == "binary" and " ".join(_token(node, -2).split()) in COMPARISONS


def _constant(value: object) -> Run:
    return lambda _variables, _now_ms, _budget: value


def _reference(node: Node) -> tuple[Node, list[Node]]:
    """Return what a path starts from, and its steps, looking through parentheses and `${…}`."""
    steps: list[Node] = []
    while node.data in {"group", "path"}:
        steps = _trees(node)[1:] + steps
        node = _tree(node, 0)
    return node, steps


def _trees(node: Node) -> list[Node]:
    return [child for child in node.children if isinstance(child, Tree)]


def _tree(node: Node, at: int) -> Node:
    child = node.children[at]
    assert isinstance(child, Tree)
    return child


def _token(node: Node, at: int) -> Token:
    child = node.children[at]
    assert isinstance(child, Token)
    return child


def _name(variable: Node) -> str:
    return str(_token(variable, 0)).removeprefix("#")
