"""Telling JSON types apart in a way that a type checker follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether it is a JSON object; whether its keys are text is `document.py`'s to say."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    """Return whether it is a JSON list."""
    return isinstance(value, (list, tuple))


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether it is a JSON number, which a boolean is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
