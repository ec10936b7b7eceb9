"""What values are: their names, when two are the same, how one reaches into them, how big they get.

Values are those of JSON as Python holds them: None, bool, int, float, str, list, dict. A bool is never a
number here, although Python says so; every test of a type therefore asks `type(x)`, not `isinstance`.
Everything in this module is strict: what a numeric string may stand for is `coercion.py`'s business.
"""

from __future__ import annotations

from typing import Final

from rochallor.core.expressions.errors import ExpressionError

MAX_INTEGER_BITS: Final = 4_096
MAX_STRING: Final = 1 << 20  # characters
MAX_LIST: Final = 1 << 21  # elements and characters of a list literal together, however deep

NUMBERS: Final = frozenset({int, float})
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


def same(left: object, right: object) -> bool:
    """Return whether two values are equal: numbers by value (1 is 1.0), the rest by type and content, deep.

    Python's `==` runs first, in C: it only ever errs by calling True and 1 the same.
    """
    if left != right:
        return False
    if type(left) is list and type(right) is list:
        return all(map(same, left, right))
    if type(left) is dict and type(right) is dict:
        return all(same(value, right[key]) for key, value in left.items())
    return (type(left) is bool) is (type(right) is bool)


def holds(collection: object, element: object) -> bool:
    """Return whether `element` is in a list, is a key of an object, or is a part of a string."""
    if type(collection) is list:
        return element in collection and any(same(item, element) for item in collection)
    if type(collection) is str:
        if type(element) is str:
            return element in collection
        raise ExpressionError(f"a string contains only strings, not {type_name(element)}")
    if type(collection) is dict:
        if type(element) is str:
            return element in collection
        raise ExpressionError(f"the keys of an object are strings, not {type_name(element)}")
    raise ExpressionError(f"only a list, a string or an object contains something, not {type_name(collection)}")


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


def bounded_number(value: float) -> float:
    """Return `value`, or raise when it is infinite, not a number, or an integer of more than 4,096 bits."""
    if type(value) is int:
        if value.bit_length() > MAX_INTEGER_BITS:
            raise ExpressionError(f"the result is an integer of more than {MAX_INTEGER_BITS:,} bits")
    elif value - value != 0:  # infinity and NaN alone differ from themselves by something else than zero
        raise ExpressionError("the result is too large for a number")
    return value


def bounded_string(value: str) -> str:
    """Return `value`, or raise when it has more than 1,048,576 characters."""
    if len(value) > MAX_STRING:
        raise ExpressionError(f"the result is a string of more than {MAX_STRING:,} characters")
    return value


def bounded_list(value: list[object]) -> list[object]:
    """Return `value`, or raise when it holds more than it could be stored with.

    A list literal is the one place where an expression multiplies data: `[a, a, a]` costs nothing here, but
    is three times `a` once written as JSON.
    """
    left = MAX_LIST
    todo: list[object] = [value]
    while todo:
        item = todo.pop()
        if type(item) is dict:
            item = [*item, *item.values()]
        if type(item) is list:
            left -= len(item)
            todo.extend(item)
        elif type(item) is str:
            left -= len(item)
        if left < 0:
            raise ExpressionError(f"the result is a list of more than {MAX_LIST:,} elements and characters")
    return value
