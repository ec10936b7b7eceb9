"""The functions: one table from name to what it takes, does, and how it says so.

A function is pure and strict: it never coerces, and a wrong type is an `ExpressionError` that names the
function. It is called with the budget, from which it pays for what it visits, then its arguments. `now` is the
one entry that reads the time; the compiler hands it `now_ms` instead, so it is an argument like any other and
the same all through one evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from rochallor.core.expressions.budget import PER_VALUE, Budget
from rochallor.core.expressions.errors import ExpressionError
from rochallor.core.expressions.values import NUMBERS, SIZED, bounded_string, charge_scalar, holds, type_name

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CASE_PER_VALUE: Final = 4  # characters; `ß` becomes `SS`, and Unicode has many such rules to look up


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its name, the names of its arguments as documented, and what it computes from them."""

    name: str
    arguments: tuple[str, ...]
    gives: str
    call: Callable[..., object]
    variadic: bool = False
    reads_time: bool = False

    @property
    def signature(self) -> str:
        """The function as the reference shows it, for example `min(a, b, …)`."""
        return f"{self.name}({', '.join(self.arguments)}{', …' if self.variadic else ''})"

    def accepts(self, count: int) -> bool:
        """Return whether the function takes `count` arguments."""
        return count == len(self.arguments) or (self.variadic and count > 0)


def _number(name: str, value: object) -> float:
    if type(value) not in NUMBERS:
        raise ExpressionError(f"`{name}` needs a number, not {type_name(value)}")
    return value  # type: ignore[return-value]  # int or float


def _text(name: str, value: object) -> str:
    if type(value) is not str:
        raise ExpressionError(f"`{name}` needs a string, not {type_name(value)}")
    return value


def _length(_: Budget, value: object) -> int:
    if type(value) not in SIZED:
        raise ExpressionError(f"`len` needs a string, a list or an object, not {type_name(value)}")
    return len(value)  # type: ignore[arg-type]  # str, list or dict


def _of_number(name: str, compute: Callable[[float], float]) -> Callable[..., object]:
    return lambda _, value: compute(_number(name, value))


def _of_text(name: str, compute: Callable[[str], str], *, per_value: int) -> Callable[..., object]:
    def call(budget: Budget, value: object) -> str:
        text = _text(name, value)
        budget.charge(len(text) // per_value)
        return bounded_string(compute(text))

    return call


def _affix(name: str, test: Callable[[str, str], bool]) -> Callable[..., object]:
    def call(budget: Budget, value: object, affix: object) -> bool:
        text, part = _text(name, value), _text(name, affix)
        charge_scalar(budget, part)
        return test(text, part)

    return call


def _extreme(name: str, choose: Callable[[list[float]], float]) -> Callable[..., object]:
    def call(budget: Budget, *values: object) -> object:
        items = values[0] if len(values) == 1 and type(values[0]) is list else values
        budget.charge(len(items))
        numbers = [_number(name, item) for item in items]
        if not numbers:
            raise ExpressionError(f"`{name}` of an empty list")
        return choose(numbers)

    return call


def _round(number: float) -> int:
    """Return the nearest integer, halves away from zero; adding 0.5 would round 0.49999999999999994 up."""
    below = math.floor(number)
    rest = number - below
    return below + 1 if rest > 0.5 or (rest == 0.5 and number > 0) else below  # noqa: PLR2004  # a half is a half


def _now(now_ms: int) -> str:
    return (_EPOCH + timedelta(seconds=now_ms // 1000)).strftime("%Y-%m-%dT%H:%M:%SZ")


_TABLE = (
    Function("contains", ("collection", "element"), "the same as `element in collection`", holds),
    Function("len", ("x",), "the number of characters, elements or keys", _length),
    Function(
        "startsWith",
        ("text", "prefix"),
        "whether the text begins with the prefix",
        _affix("startsWith", str.startswith),
    ),
    Function("endsWith", ("text", "suffix"), "whether the text ends with the suffix", _affix("endsWith", str.endswith)),
    Function("lower", ("text",), "the text in lower case", _of_text("lower", str.lower, per_value=_CASE_PER_VALUE)),
    Function("upper", ("text",), "the text in upper case", _of_text("upper", str.upper, per_value=_CASE_PER_VALUE)),
    Function(
        "trim", ("text",), "the text without white space around it", _of_text("trim", str.strip, per_value=PER_VALUE)
    ),
    Function("abs", ("x",), "the number without its sign", _of_number("abs", abs)),
    Function(
        "min",
        ("a", "b"),
        "the least of the numbers, or of one list of numbers",
        _extreme("min", min),
        variadic=True,
    ),
    Function(
        "max",
        ("a", "b"),
        "the greatest of the numbers, or of one list of numbers",
        _extreme("max", max),
        variadic=True,
    ),
    Function("round", ("x",), "the nearest integer, halves away from zero", _of_number("round", _round)),
    Function("floor", ("x",), "the greatest integer not above x", _of_number("floor", math.floor)),
    Function("ceil", ("x",), "the least integer not below x", _of_number("ceil", math.ceil)),
    Function("now", (), "the time of this step in UTC, whole seconds, as RFC 3339 text", _now, reads_time=True),
)

FUNCTIONS: Final = {function.name: function for function in _TABLE}
