"""Schemas of what goes into a workflow and comes out of a service task: names, four types, no coercion.

The format is `{"properties": {name: {"type": T}}, "required": [name]}` with T one of the keys of `TYPES`. Variables
the schema does not name pass. `null` passes for a property that is not required. Whoever adds a type here
changes which running workers are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct


def _is_number(value: object) -> bool:
    # A boolean is an int to Python and is not a number to JSON.
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    return value.is_integer() if isinstance(value, float) else _is_number(value)


TYPES: Mapping[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": _is_integer,
    "boolean": lambda value: isinstance(value, bool),
}


class IoSchema(Struct, frozen=True):
    """Property names with their type, and which of them must be there."""

    properties: dict[str, str]
    required: tuple[str, ...] = ()

    def check(self, values: Mapping[str, object]) -> list[str]:
        """Compare decoded variables with the schema; one sentence per violation, [] when they fit."""
        found = (self._violation(name, kind, values) for name, kind in self.properties.items())
        return [sentence for sentence in found if sentence is not None]

    def _violation(self, name: str, kind: str, values: Mapping[str, object]) -> str | None:
        if name not in values:
            return f"{name!r} is required ({kind}) and missing; send it." if name in self.required else None
        value = values[name]
        if TYPES[kind](value) or (value is None and name not in self.required):
            return None
        return f"{name!r} must be of type {kind} and is {_described(value)}; nothing is converted."


class SchemaProblem(Struct, frozen=True):
    """A fault of a schema itself: `path` are the keys that lead to it."""

    path: tuple[str | int, ...]
    message: str
    unknown_field: bool = False


def parse_io_schema(document: Mapping[str, Any]) -> tuple[IoSchema | None, list[SchemaProblem]]:
    """Read a schema from its JSON object; the schema, or everything that is wrong with it."""
    problems = _unknown(document, ("properties", "required"), ())
    properties = _properties(document.get("properties"), problems)
    required = _required(document.get("required"), properties, problems)
    return (None, problems) if problems else (IoSchema(properties, required), problems)


def _properties(given: Any, problems: list[SchemaProblem]) -> dict[str, str]:
    if not isinstance(given, dict) or not given:
        message = "A schema needs properties: an object with at least one name. Leave the schema out instead."
        problems.append(SchemaProblem(("properties",), message))
        return {}
    return {name: _property_type(name, described, problems) for name, described in given.items()}


def _property_type(name: str, described: Any, problems: list[SchemaProblem]) -> str:
    path = ("properties", name)
    if not isinstance(described, dict):
        problems.append(SchemaProblem(path, 'A property is an object such as {"type": "string"}.'))
        return ""
    problems += _unknown(described, ("type",), path)
    kind = described.get("type")
    if isinstance(kind, str) and kind in TYPES:
        return kind
    problems.append(SchemaProblem((*path, "type"), f"The type must be one of {', '.join(TYPES)}."))
    return ""


def _required(given: Any, properties: dict[str, str], problems: list[SchemaProblem]) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        problems.append(SchemaProblem(("required",), "`required` must be a list of property names."))
        return ()
    for index, name in enumerate(given):
        if not isinstance(name, str) or name not in properties:
            message = f"{name!r} is required and is no property. Describe it in properties, or remove it here."
            problems.append(SchemaProblem(("required", index), message))
    return tuple(dict.fromkeys(name for name in given if isinstance(name, str)))


def _unknown(given: Mapping[str, Any], known: tuple[str, ...], path: tuple[str, ...]) -> list[SchemaProblem]:
    message = f"A schema knows only {' and '.join(known)} here. Remove it."
    return [SchemaProblem((*path, name), message, unknown_field=True) for name in given if name not in known]


def _described(value: object) -> str:
    return _DESCRIBED.get(type(value), "an object")


_DESCRIBED = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
}
