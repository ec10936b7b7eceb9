"""google.protobuf.Struct to JSON and back, by hand: both ways several times faster than protobuf's json_format.

A Struct has doubles only. Coming in, a whole double below 2^53 becomes an integer, so that `10.0` over gRPC and `10`
over REST are one value; going out, an integer beyond 2^53 is rounded (`variables_json` carries it exactly).

Protobuf parsers refuse messages nested more than 100 deep, and one level of JSON takes up to three. What enters deeper
than `MAX_LEVELS` is refused. What leaves must not fail (it is already committed), so there the part that is too deep
travels as the text of its JSON, and so does an integer that no double can hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from google.protobuf.struct_pb2 import Struct, Value

from rochallor.core.definition.fields import escape
from rochallor.core.errors import BadRequest, Detail
from rochallor.core.variables import EXACT_DOUBLE

MAX_LEVELS = 30

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.encode


class _Unfit(Exception):
    """A value that JSON cannot carry; `path` collects its keys from the inside out."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.path: list[str | int] = []


def struct_to_json(struct: Struct, pointer: str = "") -> bytes:
    """Return the JSON object that a Struct holds.

    Raises `BadRequest`, its pointer below `pointer`, for NaN, infinity and too many levels.
    """
    return _encode(struct_to_dict(struct, pointer))


def struct_to_dict(struct: Struct, pointer: str = "") -> dict[str, Any]:
    """Return a Struct as plain values; raises as `struct_to_json` does."""
    try:
        return _read_fields(struct.fields, MAX_LEVELS)
    except _Unfit as fault:
        raise _refusal(fault, pointer) from None


def value_to_plain(value: Value, pointer: str = "") -> Any:
    """Return a Value as a plain value; raises as `struct_to_json` does."""
    try:
        return _read(value, MAX_LEVELS)
    except _Unfit as fault:
        raise _refusal(fault, pointer) from None


def double_to_plain(number: float, pointer: str = "") -> float | int:
    """Return a double as the engine spells it, an integer where it is exactly one; raises as `struct_to_json` does."""
    try:
        return _number(number)
    except _Unfit as fault:
        raise _refusal(fault, pointer) from None


def fill_struct(struct: Struct, raw: bytes | msgspec.Raw) -> None:
    """Make `struct` hold the JSON object in `raw`; an empty one is present, not absent."""
    fill_fields(struct, _decode(raw))


def fill_fields(struct: Struct, values: Mapping[str, Any], levels: int = MAX_LEVELS) -> None:
    """Make `struct` hold a map of plain values."""
    struct.SetInParent()
    fields = struct.fields
    for name, value in values.items():
        fill_value(fields[name], value, levels)


def fill_value(target: Value, value: Any, levels: int = MAX_LEVELS) -> None:
    """Make `target` hold a plain JSON value."""
    kind = type(value)
    if kind is str:
        target.string_value = value
    elif kind is int or kind is float:
        _fill_number(target, value)
    elif kind is bool:
        target.bool_value = value
    elif value is None:
        target.null_value = 0  # type: ignore[assignment]  # the stubs want the enum; its number is the same
    elif not levels:
        target.string_value = _encode(value).decode()
    elif kind is dict:
        fill_fields(target.struct_value, value, levels - 1)
    else:
        target.list_value.SetInParent()
        add = target.list_value.values.add
        for each in value:
            fill_value(add(), each, levels - 1)


def _fill_number(target: Value, number: float) -> None:
    try:
        target.number_value = number
    except (OverflowError, ValueError):
        target.string_value = str(number)


def _read(value: Value, levels: int) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "number_value":
        return _number(value.number_value)
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        return _read_fields(value.struct_value.fields, levels - 1)
    if kind == "list_value":
        return _read_items(value.list_value.values, levels - 1)
    return None


def _read_fields(fields: Mapping[str, Value], levels: int) -> dict[str, Any]:
    if levels < 0:
        raise _Unfit(f"nested more than {MAX_LEVELS} levels deep; flatten it")
    found: dict[str, Any] = {}
    for name, each in fields.items():
        try:
            found[name] = _read(each, levels)
        except _Unfit as fault:
            fault.path.append(name)
            raise
    return found


def _read_items(items: Iterable[Value], levels: int) -> list[Any]:
    if levels < 0:
        raise _Unfit(f"nested more than {MAX_LEVELS} levels deep; flatten it")
    found: list[Any] = []
    for each in items:
        try:
            found.append(_read(each, levels))
        except _Unfit as fault:
            fault.path.append(len(found))
            raise
    return found


def _number(number: float) -> float | int:
    if number.is_integer():
        return int(number) if -EXACT_DOUBLE < number < EXACT_DOUBLE else number
    if number - number != 0:
        raise _Unfit("NaN and infinity are no JSON numbers; send a finite number or null")
    return number


def _refusal(fault: _Unfit, pointer: str) -> BadRequest:
    at = "/".join([pointer, *(escape(str(key)) for key in reversed(fault.path))])
    return BadRequest(f"{at or 'the value'}: {fault}", details=(Detail("VALUE_INVALID", at, str(fault)),))
