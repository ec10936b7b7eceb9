"""Telling JSON types apart in a way that a type checker follows.

Only here does `isinstance` say what is inside of a container: JSON's objects have text for names. It imports nothing of
ours, so that every part may use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether it is a JSON object; whether its keys are text is `document.py`'s to say."""
    return isinstance(value, (dict, Mapping))  # a dict is told at once, the rest is looked up


def is_dict(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether it is a JSON object as `json.loads` makes them, whose keys are always text."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    """Return whether it is a JSON list."""
    return isinstance(value, (list, tuple))


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether it is a JSON number, which a boolean is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
