"""Small parts from which `definitions.py` builds its tables: one field of a message and of a JSON object, both ways.

A reader gives None for "absent", which for text is the empty string and for a message its not being set; the writer of
an absent key is never called. JSON that is written into a message has been accepted before, so its types are right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from rochallor.core.definition.fields import escape
from rochallor.core.errors import BadRequest
from rochallor.transports.grpc.enums import Names
from rochallor.transports.grpc.struct_json import (
    double_to_plain,
    fill_fields,
    fill_value,
    struct_to_dict,
    value_to_plain,
)

Json = dict[str, Any]


class Field(NamedTuple):
    """How one key of a JSON object is read from a message (with a pointer to it) and written into one."""

    key: str
    read: Callable[[Any, str], Any]
    write: Callable[[Any, Any], None]


Table = tuple[Field, ...]


def read_object(table: Table, message: Any, at: str) -> Json:
    """Return the JSON object of a message: the fields that are present, in the order of the table."""
    found = ((field.key, field.read(message, f"{at}/{field.key}")) for field in table)
    return {key: value for key, value in found if value is not None}


def write_object(table: Table, message: Any, values: Mapping[str, Any]) -> None:
    """Fill a message from a JSON object; null is absent."""
    for field in table:
        value = values.get(field.key)
        if value is not None:
            field.write(message, value)


def scalar(name: str, key: str = "") -> Field:
    """Text, a number or a flag whose empty value means absent."""

    def read(message: Any, _at: str) -> Any:
        return getattr(message, name) or None

    return Field(key or name, read, lambda message, value: setattr(message, name, value))


def flag(name: str) -> Field:
    """A flag that is always written down, false too."""
    return Field(
        name, lambda message, _at: getattr(message, name), lambda message, value: setattr(message, name, value)
    )


def double(name: str) -> Field:
    """A number of which 0 and absent differ."""

    def read(message: Any, at: str) -> float | None:
        return double_to_plain(getattr(message, name), at) if message.HasField(name) else None

    return Field(name, read, lambda message, value: setattr(message, name, value))


def word(name: str, names: Names) -> Field:
    """An enum; unset is absent, and an unknown number is refused."""

    def read(message: Any, at: str) -> str | None:
        return names.name(getattr(message, name), at) or None

    return Field(name, read, lambda message, value: setattr(message, name, names.number(value)))


def struct(name: str) -> Field:
    """A Struct; an empty one is an empty object, an unset one is absent."""

    def read(message: Any, at: str) -> Json | None:
        return struct_to_dict(getattr(message, name), at) if message.HasField(name) else None

    return Field(name, read, lambda message, value: fill_fields(getattr(message, name), value))


def texts(name: str, key: str) -> Field:
    """A list of texts."""
    return Field(
        key,
        lambda message, _at: list(getattr(message, name)) or None,
        lambda message, value: getattr(message, name).extend(value),
    )


def values(name: str, order: str = "") -> Field:
    """A map of free values, in the order that the field `order` gives, else sorted by key."""

    def read(message: Any, at: str) -> Json | None:
        found = getattr(message, name)
        keys = in_order(found, getattr(message, order) if order else ())
        return {key: value_to_plain(found[key], f"{at}/{escape(key)}") for key in keys} or None

    def write(message: Any, value: Json) -> None:
        for key, each in value.items():
            fill_value(getattr(message, name)[key], each)
        if order:
            getattr(message, order).extend(value)

    return Field(name, read, write)


def cells(name: str, order: str) -> Field:
    """A map of texts, in the order that the field `order` gives, else sorted by key; a null cell is a blank one."""

    def read(message: Any, _at: str) -> Json | None:
        found = getattr(message, name)
        return {key: found[key] for key in in_order(found, getattr(message, order))} or None

    def write(message: Any, value: Json) -> None:
        for key, each in value.items():
            getattr(message, name)[key] = each or ""
        getattr(message, order).extend(value)

    return Field(name, read, write)


def one(name: str, key: str, table: Table) -> Field:
    """A message of its own."""

    def read(message: Any, at: str) -> Json | None:
        return read_object(table, getattr(message, name), at) if message.HasField(name) else None

    def write(message: Any, value: Json) -> None:
        child = getattr(message, name)
        child.SetInParent()
        write_object(table, child, value)

    return Field(key, read, write)


def many(name: str, key: str, table: Table) -> Field:
    """A list of messages. All their faults are reported together."""

    def read(message: Any, at: str) -> list[Json] | None:
        return read_all(table, getattr(message, name), at) or None

    def write(message: Any, value: Iterable[Json]) -> None:
        for each in value:
            write_object(table, getattr(message, name).add(), each)

    return Field(key, read, write)


def read_all(table: Table, messages: Iterable[Any], at: str) -> list[Json]:
    """Return the objects of several messages, or raise one `BadRequest` with what is wrong in any of them."""
    found: list[Json] = []
    faults: list[BadRequest] = []
    for index, message in enumerate(messages):
        try:
            found.append(read_object(table, message, f"{at}/{index}"))
        except BadRequest as fault:
            faults.append(fault)
    if faults:
        raise BadRequest(faults[0].message, details=tuple(detail for fault in faults for detail in fault.details))
    return found


def in_order(names: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Return the names: those in `wanted` first, in that order, the others after them, sorted."""
    known = set(names)
    first = [name for name in dict.fromkeys(wanted) if name in known]
    return first + sorted(known.difference(first))
