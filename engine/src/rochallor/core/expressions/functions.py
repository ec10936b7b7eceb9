"""The functions: one table from name to what it takes, does, and how it says so.

A function is pure and strict: it never coerces, and a wrong type is an `ExpressionError` that names the
function. `now` is the one entry that reads the time; the compiler hands it `now_ms`, so it is an argument
like any other and the same all through one evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from rochallor.core.expressions.errors import ExpressionError
from rochallor.core.expressions.values import NUMBERS, bounded_string, holds, type_name

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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


def _length(value: object) -> int:
    if type(value) not in {str, list, dict}:
        raise ExpressionError(f"`len` needs a string, a list or an object, not {type_name(value)}")
    return len(value)  # type: ignore[arg-type]  # str, list or dict


def _extreme(name: str, choose: Callable[[list[float]], float]) -> Callable[..., object]:
    def call(*values: object) -> object:
        items = values[0] if len(values) == 1 and type(values[0]) is list else values
        numbers = [_number(name, item) for item in items]
        if not numbers:
            raise ExpressionError(f"`{name}` of an empty list")
        return choose(numbers)

    return call


def _round(value: object) -> int:
    """Return the nearest integer, halves away from zero; adding 0.5 would round 0.49999999999999994 up."""
    number = _number("round", value)
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
        lambda text, prefix: _text("startsWith", text).startswith(_text("startsWith", prefix)),
    ),
    Function(
        "endsWith",
        ("text", "suffix"),
        "whether the text ends with the suffix",
        lambda text, suffix: _text("endsWith", text).endswith(_text("endsWith", suffix)),
    ),
    Function("lower", ("text",), "the text in lower case", lambda x: bounded_string(_text("lower", x).lower())),
    Function("upper", ("text",), "the text in upper case", lambda x: bounded_string(_text("upper", x).upper())),
    Function("trim", ("text",), "the text without white space around it", lambda x: _text("trim", x).strip()),
    Function("abs", ("x",), "the number without its sign", lambda x: abs(_number("abs", x))),
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
    Function("round", ("x",), "the nearest integer, halves away from zero", _round),
    Function("floor", ("x",), "the greatest integer not above x", lambda x: math.floor(_number("floor", x))),
    Function("ceil", ("x",), "the least integer not below x", lambda x: math.ceil(_number("ceil", x))),
    Function("now", (), "the time of this step in UTC, whole seconds, as RFC 3339 text", _now, reads_time=True),
)

FUNCTIONS: Final = {function.name: function for function in _TABLE}
