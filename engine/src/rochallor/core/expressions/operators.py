"""The operators: one table, the lowest level of precedence first, with what each takes and does.

The table serves the compiler (`apply`), the reference for authors (`takes`, `gives`) and the tests that hold
grammar.lark to it. Operators that do not evaluate all their operands (`? :`, `??`, `||`, `&&`) have no
`apply`: their order of evaluation is control flow and lives in compile.py. All levels group from the left,
except `? :` and `??`, for which the other reading would be useless.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, gt, le, lt, mul, sub
from typing import Any, Final, Literal

from rochallor.core.expressions.budget import PER_VALUE, Budget
from rochallor.core.expressions.errors import ExpressionError
from rochallor.core.expressions.values import (
    NUMBERS,
    bounded_number,
    bounded_string,
    charge_scalar,
    holds,
    same,
    type_name,
)

Binary = Callable[[Budget, object, object], object]


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: how it is written, what it takes and gives, in words, and what it does to two values."""

    symbol: str
    takes: str
    gives: str
    apply: Binary | None = None
    coerces: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """Operators of equal precedence."""

    operators: tuple[Operator, ...]
    groups: Literal["left", "right", "prefix"] = "left"


def _misfit(symbol: str, needs: str, left: object, right: object) -> ExpressionError:
    return ExpressionError(f"`{symbol}` needs {needs}, not {type_name(left)} and {type_name(right)}")


def _differ(budget: Budget, left: object, right: object) -> bool:
    return not same(budget, left, right)


def _in(budget: Budget, element: object, collection: object) -> bool:
    return holds(budget, collection, element)


def _not_in(budget: Budget, element: object, collection: object) -> bool:
    return not holds(budget, collection, element)


def _ordering(symbol: str, compare: Callable[[Any, Any], bool]) -> Binary:
    def apply(budget: Budget, left: object, right: object) -> bool:
        kind, other = type(left), type(right)
        if kind in NUMBERS and other in NUMBERS:
            return compare(left, right)
        if kind is str and other is str:
            charge_scalar(budget, left)
            return compare(left, right)
        raise _misfit(symbol, "two numbers or two strings", left, right)

    return apply


def _arithmetic(symbol: str, compute: Callable[[float, float], float]) -> Binary:
    def apply(budget: Budget, left: object, right: object) -> object:
        if type(left) in NUMBERS and type(right) in NUMBERS:
            return bounded_number(budget, compute(left, right))  # type: ignore[arg-type]  # both are int or float
        raise _misfit(symbol, "two numbers", left, right)

    return apply


def _add(budget: Budget, left: object, right: object) -> object:
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return bounded_number(budget, left + right)  # type: ignore[operator]  # both are int or float
    if type(left) is str and type(right) is str:
        budget.charge((len(left) + len(right)) // PER_VALUE)
        return bounded_string(left + right)
    raise _misfit("+", "two numbers or two strings", left, right)


def _divide(left: float, right: float) -> float:
    if right == 0:
        raise ExpressionError("division by zero")
    return left / right


def _remainder(left: float, right: float) -> float:
    """Return what is left of `left`, with its sign, as C, Go, Java, JavaScript and SQL have it."""
    if right == 0:
        raise ExpressionError("the remainder of a division by zero")
    if type(left) is int and type(right) is int:
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    return math.fmod(left, right)


_signed_remainder: Final = _arithmetic("%", _remainder)


def _modulo(budget: Budget, left: object, right: object) -> object:
    """Charge for the dividend, then divide: a variable may hold thousands of digits, and the result be short."""
    charge_scalar(budget, left)
    return _signed_remainder(budget, left, right)


def negate(value: object) -> object:
    """Return `-value` for a number."""
    if type(value) not in NUMBERS:
        raise ExpressionError(f"`-` needs a number, not {type_name(value)}")
    return -value  # type: ignore[operator]  # int or float


_ANY = "any two values"
_ORDERED = "two numbers or two strings"
_LOGIC = "two booleans"

LEVELS: Final[tuple[Level, ...]] = (
    Level(
        (Operator("? :", "a boolean and any two values", "the second value if true, the third if false"),),
        "right",
    ),
    Level((Operator("??", _ANY, "the first, unless it is null or undefined"),), "right"),
    Level((Operator("||", _LOGIC, "whether one is true; the second is evaluated only if needed"),)),
    Level((Operator("&&", _LOGIC, "whether both are true; the second is evaluated only if needed"),)),
    Level(
        (
            Operator("==", _ANY, "whether they are equal", same, coerces=True),
            Operator("!=", _ANY, "whether they differ", _differ, coerces=True),
        )
    ),
    Level(
        (
            Operator("<", _ORDERED, "whether the first is less", _ordering("<", lt), coerces=True),
            Operator("<=", _ORDERED, "whether the first is less or equal", _ordering("<=", le), coerces=True),
            Operator(">", _ORDERED, "whether the first is greater", _ordering(">", gt), coerces=True),
            Operator(">=", _ORDERED, "whether the first is greater or equal", _ordering(">=", ge), coerces=True),
        )
    ),
    Level(
        (
            Operator("in", "a value and a list, string or object", "whether it is an element, part or key", _in),
            Operator("not in", "a value and a list, string or object", "whether it is none", _not_in),
        )
    ),
    Level(
        (
            Operator("+", _ORDERED, "the sum, or the strings joined", _add, coerces=True),
            Operator("-", "two numbers", "the difference", _arithmetic("-", sub), coerces=True),
        )
    ),
    Level(
        (
            Operator("*", "two numbers", "the product", _arithmetic("*", mul), coerces=True),
            Operator(
                "/",
                "two numbers, the second not 0",
                "the quotient, a real number",
                _arithmetic("/", _divide),
                coerces=True,
            ),
            Operator(
                "%",
                "two numbers, the second not 0",
                "the remainder",
                _modulo,
                coerces=True,
            ),
        )
    ),
    Level((Operator("!", "a boolean", "the opposite"), Operator("-", "a number", "its negative")), "prefix"),
)

BINARY: Final = {
    operator.symbol: operator for level in LEVELS for operator in level.operators if operator.apply is not None
}

COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not in"})
"""The symbols of `BINARY` that give booleans, whatever they are given."""
