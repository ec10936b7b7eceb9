"""Coercion: what a string may stand for when the engine runs with coercion on (it is off by default).

A numeric string is a number for arithmetic, ordering and `==`; "true" and "false" are booleans for `&& || !`
and the condition of `? :`. Nothing else changes: not `in`, not function arguments, not what lists and objects
hold. Of two strings both must be numeric before they count as numbers, so that `"invoice-" + "7"` stays a
string.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from rochallor.core.expressions.values import MAX_INTEGER_BITS, NUMBERS, charge_scalar

if TYPE_CHECKING:
    from rochallor.core.expressions.budget import Budget
    from rochallor.core.expressions.operators import Binary

_NUMERIC: Final = re.compile(r"[+-]?(?:[0-9]+(\.[0-9]*)?|(\.[0-9]+))([eE][+-]?[0-9]+)?")
_MAX_NUMERIC: Final = 1_250  # characters; 4,096 bits are 1,234 digits
_BOOLEANS: Final = {"true": True, "false": False}


def as_number(budget: Budget, value: object) -> object:
    """Return the number that a numeric string stands for; anything else unchanged."""
    if type(value) is not str or len(value) > _MAX_NUMERIC:
        return value
    charge_scalar(budget, value)
    match = _NUMERIC.fullmatch(value)
    if match is None:
        return value
    if match.lastindex is None:
        whole = int(value)
        return whole if whole.bit_length() <= MAX_INTEGER_BITS else value
    number = float(value)
    return number if math.isfinite(number) else value


def as_boolean(value: object) -> object:
    """Return the boolean that "true" or "false" stands for; anything else unchanged."""
    return _BOOLEANS.get(value, value) if type(value) is str else value


def coercing(apply: Binary) -> Binary:
    """Return `apply` for operands of which both count as numbers, where both can."""

    def applied(budget: Budget, left: object, right: object) -> object:
        first, second = as_number(budget, left), as_number(budget, right)
        if type(first) in NUMBERS and type(second) in NUMBERS:
            return apply(budget, first, second)
        return apply(budget, left, right)

    return applied
