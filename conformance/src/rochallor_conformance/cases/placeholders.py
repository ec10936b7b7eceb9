"""What is not yet known when a case is written: `${ns}`, `{$variant: key}` and `{$ref: path}`.

`${ns}` is text and stands anywhere in a text, keys included. No other `${…}` is touched: those are the engine's own
expressions. `$variant` and `$ref` are values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

NS = "${ns}"
REF, VARIANT = "$ref", "$variant"


class Unbound(Exception):
    """A path leads nowhere: nothing of that name was bound, or the bound value has no such part."""


def with_variant(value: Any, variant: Mapping[str, Any]) -> Any:
    """Return a value with every {$variant: key} replaced; raises `Unbound` for a key the variant does not have."""
    return _replaced(value, VARIANT, lambda path: look_up(variant, path))


def with_bindings(value: Any, bindings: Mapping[str, Any]) -> Any:
    """Return a value with every {$ref: path} replaced; raises `Unbound`."""
    return _replaced(value, REF, lambda path: look_up(bindings, path))


def with_namespace(value: Any, namespace: str) -> Any:
    """Return a value with every `${ns}` in its texts and keys replaced."""
    if isinstance(value, str):
        return value.replace(NS, namespace)
    if isinstance(value, list):
        return [with_namespace(each, namespace) for each in value]
    if isinstance(value, dict):
        return {with_namespace(key, namespace): with_namespace(each, namespace) for key, each in value.items()}
    return value


def look_up(values: Any, path: str) -> Any:
    """Return the part of nested values at a dotted path; a number is an index of a list. Raises `Unbound`."""
    found = values
    for key in path.split("."):
        try:
            found = found[int(key)] if isinstance(found, list) else found[key]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Unbound(f"there is no {path!r}: {key!r} is not in {_shown(found)}") from None
    return found


def _replaced(value: Any, word: str, find: Callable[[str], Any]) -> Any:
    if isinstance(value, list):
        return [_replaced(each, word, find) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {word}:
        return find(value[word])
    return {key: _replaced(each, word, find) for key, each in value.items()}


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(map(str, value))}}}"
    return f"a list of {len(value)}" if isinstance(value, list) else repr(value)
