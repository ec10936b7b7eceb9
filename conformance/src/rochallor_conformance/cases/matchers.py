"""Is an answer as a case expects it? Objects match as deep subsets, lists element by element, scalars by value.

`MATCHERS` is the whole language: an object with a key of it is a matcher, and several keys must all hold. A boolean is
no number, `10` equals `10.0`; `$exact` tells those apart. `$keys` is the object's keys in their order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "(absent)", "__slots__": ()})()
"""Stands for a key that is not there."""

ULID = re.compile(r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")
RFC3339 = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$")
SHOWN = 400


class Mismatch(NamedTuple):
    """One difference: where, what was expected and what was there."""

    pointer: str
    expected: Any
    actual: Any

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: expected {shown(self.expected)}, got {shown(self.actual)}"


def mismatches(expected: Any, actual: Any, pointer: str = "") -> Iterator[Mismatch]:
    """Yield every difference between what is expected and what is there."""
    if isinstance(expected, dict):
        if is_matcher(expected):
            yield from _matched(expected, actual, pointer)
        elif not isinstance(actual, dict):
            yield Mismatch(pointer, expected, actual)
        else:
            for key, wanted in expected.items():
                yield from mismatches(wanted, actual.get(key, ABSENT), f"{pointer}/{key}")
    elif isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            yield Mismatch(pointer, expected, actual)
        else:
            for index, (wanted, found) in enumerate(zip(expected, actual, strict=True)):
                yield from mismatches(wanted, found, f"{pointer}/{index}")
    elif not _equal(expected, actual):
        yield Mismatch(pointer, expected, actual)


def matches(expected: Any, actual: Any) -> bool:
    """Return whether there is no difference."""
    return next(mismatches(expected, actual), None) is None


def is_matcher(value: Any) -> bool:
    """Return whether an object is a matcher rather than an object to be found."""
    return isinstance(value, dict) and any(isinstance(key, str) and key.startswith("$") for key in value)


def unknown_matchers(value: Any) -> Iterator[str]:
    """Yield every word that looks like a matcher and is none, anywhere in an expectation."""
    if isinstance(value, dict):
        if is_matcher(value):
            yield from (key for key in value if key not in MATCHERS)
        for each in value.values():
            yield from unknown_matchers(each)
    elif isinstance(value, list):
        for each in value:
            yield from unknown_matchers(each)


def shown(value: Any) -> str:
    """Return a value as one short line."""
    text = repr(value) if value is ABSENT else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _matched(matcher: dict[str, Any], actual: Any, pointer: str) -> Iterator[Mismatch]:
    for word, wanted in matcher.items():
        check = MATCHERS.get(word)
        if check is None:
            raise ValueError(f"{pointer}: there is no matcher {word}; there are {', '.join(MATCHERS)}")
        if not check(wanted, actual):
            yield Mismatch(pointer, matcher, actual)


def _equal(expected: Any, actual: Any) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool) or actual is ABSENT:
        return expected is actual
    return bool(expected == actual)


def _same(expected: Any, actual: Any) -> bool:
    """Whether two values are alike to the last type."""
    if type(expected) is not type(actual):
        return False
    if isinstance(expected, dict):
        return expected.keys() == actual.keys() and all(_same(expected[key], actual[key]) for key in expected)
    if isinstance(expected, list):
        return len(expected) == len(actual) and all(map(_same, expected, actual))
    return bool(expected == actual)


def _contains(wanted: Any, actual: Any) -> bool:
    if isinstance(actual, str):
        return isinstance(wanted, str) and wanted in actual
    if not isinstance(actual, list):
        return False
    each = wanted if isinstance(wanted, list) else [wanted]
    return all(any(matches(item, found) for found in actual) for item in each)


def _unordered(wanted: list[Any], actual: Any) -> bool:
    """Whether a list holds exactly these, in any order; the pairs are searched for."""
    if not isinstance(actual, list) or len(actual) != len(wanted):
        return False
    if not wanted:
        return True
    first, rest = wanted[0], wanted[1:]
    return any(
        matches(first, found) and _unordered(rest, actual[:index] + actual[index + 1 :])
        for index, found in enumerate(actual)
    )


def _between(bounds: list[Any], actual: Any) -> bool:
    if isinstance(actual, bool) or not isinstance(actual, int | float):
        return False
    return bool(bounds[0] <= actual <= bounds[1])


def _text(pattern: re.Pattern[str], actual: Any) -> bool:
    return isinstance(actual, str) and pattern.search(actual) is not None


TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}

MATCHERS: dict[str, Callable[[Any, Any], bool]] = {
    "$any": lambda _, actual: actual is not ABSENT,
    "$absent": lambda wanted, actual: (actual is ABSENT) is bool(wanted),
    "$not": lambda wanted, actual: not matches(wanted, actual),
    "$type": lambda wanted, actual: actual is not ABSENT and TYPES[wanted](actual),
    "$regex": lambda wanted, actual: _text(re.compile(wanted), actual),
    "$ulid": lambda wanted, actual: _text(ULID, actual) is bool(wanted),
    "$rfc3339": lambda wanted, actual: _text(RFC3339, actual) is bool(wanted),
    "$between": _between,
    "$contains": _contains,
    "$unordered": _unordered,
    "$keys": lambda wanted, actual: isinstance(actual, dict) and list(actual) == wanted,
    "$exact": lambda wanted, actual: actual is not ABSENT and _same(wanted, actual),
    "$ref": lambda _, __: False,  # replaced by the bound value before anything is matched
    "$one_of": lambda wanted, actual: any(matches(each, actual) for each in wanted),
}
