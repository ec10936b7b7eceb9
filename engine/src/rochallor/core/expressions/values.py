"""What values are: their names, when two are the same, how one reaches into them, how big they get.

Values are those of JSON as Python holds them: None, bool, int, float, str, list, dict. A bool is never a
number here, although Python says so; every test of a type therefore asks `type(x)`, not `isinstance`.
Everything in this module is strict: what a numeric string may stand for is `coercion.py`'s business.
"""

from __future__ import annotations

from itertools import repeat
from typing import Any, Final

from rochallor.core.expressions.budget import PER_VALUE, Budget
from rochallor.core.expressions.errors import ExpressionError

MAX_INTEGER_BITS: Final = 4_096
MAX_STRING: Final = 1 << 20  # characters

NUMBERS: Final = frozenset({int, float})
SIZED: Final = frozenset({str, list, dict})
WRITTEN: Final = SIZED | {int}  # what may take more than a few characters
_MACHINE_BITS: Final = 64  # integers up to here cost nothing worth counting
_CONTAINER: Final = 8  # values that entering a list or an object is worth
_LONG_NEEDLE: Final = 512  # characters; looking for more is no harder
_NEEDLE_STEP: Final = 64  # characters of a needle that make a search as hard again
_NAMES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


def type_name(value: object) -> str:
    """Return how a sentence calls the type of `value`, with its article."""
    return _NAMES.get(type(value), "a value that is not JSON")


def same(budget: Budget, left: object, right: object) -> bool:
    """Return whether two values are equal: numbers by value (1 is 1.0), the rest by type and content, deep.

    Python's own `==` of lists and objects would call True and 1 the same, and would visit uncounted values.
    """
    if type(left) is str and type(right) is str:
        if len(left) == len(right) and len(left) >= PER_VALUE:
            budget.charge(len(left) // PER_VALUE)
        return left == right
    if left is right:
        return True
    kind = type(left)
    if kind is not type(right):
        return kind in NUMBERS and type(right) in NUMBERS and left == right
    return _same_content(budget, left, right) if kind is list or kind is dict else left == right


def _same_content(budget: Budget, left: Any, right: Any) -> bool:
    """Return whether two lists, or two objects, have the same elements or entries."""
    if len(left) != len(right):
        return False
    budget.charge(_size(left))
    if type(left) is list:
        return all(map(same, repeat(budget), left, right))
    return all(key in right and same(budget, value, right[key]) for key, value in left.items())


def charge_scalar(budget: Budget, value: object) -> None:
    """Charge for reading `value` through, if it is a string or an integer that is long enough to matter."""
    if type(value) is str and len(value) >= PER_VALUE:
        budget.charge(len(value) // PER_VALUE)
    elif type(value) is int and value.bit_length() > _MACHINE_BITS:
        budget.charge(value.bit_length() // PER_VALUE)


def charge_whole(budget: Budget, value: object) -> None:
    """Charge for writing `value` out: an expression, and a table of them, can repeat one large variable often."""
    todo = [value]
    while todo:
        item = todo.pop()
        if type(item) is list:
            budget.charge(_size(item))
            todo.extend(filter(_counts, item))
        elif type(item) is dict:
            budget.charge(_size(item))
            todo.extend(filter(_counts, item.values()))
        else:
            charge_scalar(budget, item)


def _counts(value: object) -> bool:
    """Return whether `value` may count more than its place in a list or an object does."""
    return type(value) in SIZED or (type(value) is int and value.bit_length() > _MACHINE_BITS)


def _size(value: list[object] | dict[str, object]) -> int:
    """Return what a list or an object counts, without what its elements hold."""
    if type(value) is dict:
        return _CONTAINER + len(value) + sum(map(len, value)) // PER_VALUE
    return _CONTAINER + len(value)


def holds(budget: Budget, collection: object, element: object) -> bool:
    """Return whether `element` is in a list, is a key of an object, or is a part of a string."""
    if type(collection) is list:
        if type(element) is not str:
            return _in_list(budget, collection, element)
        visited = len(collection) * (1 + len(element) // PER_VALUE)
        if visited >= PER_VALUE:
            budget.charge(visited)
        return element in collection
    if type(collection) is str:
        if type(element) is str:
            hardness = 1 + min(len(element), _LONG_NEEDLE) // _NEEDLE_STEP
            budget.charge(len(collection) // PER_VALUE * hardness)
            return element in collection
        raise ExpressionError(f"a string contains only strings, not {type_name(element)}")
    if type(collection) is dict:
        if type(element) is str:
            charge_scalar(budget, element)
            return element in collection
        raise ExpressionError(f"the keys of an object are strings, not {type_name(element)}")
    raise ExpressionError(f"only a list, a string or an object contains something, not {type_name(collection)}")


def _in_list(budget: Budget, items: list[object], element: object) -> bool:
    """Return whether `items` has an `element` that is no string: Python's `in` would take True for 1."""
    budget.charge(len(items))
    if type(element) not in SIZED and element not in items:
        return False
    return any(map(same, repeat(budget), items, repeat(element)))


def member(container: object, key: object) -> object:
    """Return `container[key]`; null for a key or an index that is not there, and for any of null."""
    if container is None:
        return None
    if type(container) is dict:
        if type(key) is str:
            return container.get(key)
        raise ExpressionError(f"a key of an object is a string, not {type_name(key)}")
    if type(container) is not list:
        raise ExpressionError(f"only an object or a list has members, not {type_name(container)}")
    if type(key) is float and key.is_integer():
        key = int(key)
    if type(key) is not int:
        raise ExpressionError(f"the index of a list is a whole number, not {type_name(key)}")
    return container[key] if 0 <= key < len(container) else None


def bounded_number(budget: Budget, value: float) -> float:
    """Return `value`, or raise when it is infinite, not a number, or an integer of more than 4,096 bits."""
    if type(value) is int:
        if value.bit_length() > MAX_INTEGER_BITS:
            raise ExpressionError(f"the result is an integer of more than {MAX_INTEGER_BITS:,} bits")
        if value.bit_length() > _MACHINE_BITS:
            charge_scalar(budget, value)
    elif value - value != 0:  # infinity and NaN alone differ from themselves by something else than zero
        raise ExpressionError("the result is too large for a number")
    return value


def bounded_string(value: str) -> str:
    """Return `value`, or raise when it has more than 1,048,576 characters."""
    if len(value) > MAX_STRING:
        raise ExpressionError(f"the result is a string of more than {MAX_STRING:,} characters")
    return value
