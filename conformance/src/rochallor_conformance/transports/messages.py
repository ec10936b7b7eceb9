"""Proto messages as REST's JSON and back, through mapping.yaml and the descriptor: no message is named here.

What a proto map cannot carry, the author's order, travels in the list beside it (`ORDERS`).
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, TypeAlias

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from rochallor_proto import contract

from rochallor_conformance.contract.operations import camel, message_map, resolve
from rochallor_conformance.transports.exchange import Inexpressible, Json

UNKNOWN_ENUM = 99
"""The number sent for a word that an enum does not have: how this transport says an unknown word."""

Field: TypeAlias = Any
"""A field's descriptor; two implementations of protobuf have a class of their own for it."""

MESSAGE, ENUM, BYTES = FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_ENUM, FieldDescriptor.TYPE_BYTES
WELL_KNOWN = "google.protobuf."
JSON_TEXT = "variables_json"
EXACT_DOUBLE = 2**53
"""Whole numbers below it are integers on this transport too; a Struct has doubles only."""
ORDERS = {"when": "when_order", "outputs": "outputs_order"}
CONDITIONS, ORDERED = "conditional_next_steps", "ordered_conditions"


def to_message(args: Json, message: Message) -> Message:
    """Fill a message from REST-named arguments; null is absent.

    Raises:
        Inexpressible: an argument is unknown to the message, or of a type it cannot carry.

    """
    name = message.DESCRIPTOR.name
    rows = _by_rest(name)
    for rest, value in args.items():
        row = rows.get(rest)
        if row is None:
            raise Inexpressible(f"{name} has no field for {rest!r}; mapping.yaml would name it")
        if value is not None:
            _put(message, row["proto"], value)
    _put_orders(message, args)
    return message


def to_rest(message: Message) -> Any:
    """Return a message as REST would say it."""
    body: Json = {}
    for row in message_map()[message.DESCRIPTOR.name]["fields"]:
        if "proto" not in row:
            continue
        field = message.DESCRIPTOR.fields_by_name[row["proto"]]
        rest = row.get("rest") or ("variables" if field.name == JSON_TEXT else "")
        value = _get(message, field, required=field.name != JSON_TEXT and rest in _required(message.DESCRIPTOR.name))
        if value is None or not rest:
            continue
        if rest == "*":
            return value
        body[rest] = value
    return _in_order(body)


def to_args(message: Message) -> Json:
    """Return a request as the arguments that REST would carry: a switch is said on and off, other defaults not."""
    args: Json = {}
    for row in message_map()[message.DESCRIPTOR.name]["fields"]:
        if "proto" not in row or (row["kind"] == "grpc-only" and row["proto"] != JSON_TEXT):
            continue
        field = message.DESCRIPTOR.fields_by_name[row["proto"]]
        value = _get(message, field, required=field.type == FieldDescriptor.TYPE_BOOL)
        if value is not None:
            args["variables" if field.name == JSON_TEXT else _rest_name(row)] = value
    return _in_order(args)


def strange_fields(message: Message, at: str = "") -> list[str]:
    """Return where a message carries fields that the contract does not have."""
    from google.protobuf.unknown_fields import UnknownFieldSet  # noqa: PLC0415 - needs the C runtime; only here

    unknown_fields: Any = UnknownFieldSet(message)
    fields: Any = message.ListFields()
    found = [f"{at or message.DESCRIPTOR.name}#{unknown.field_number}" for unknown in unknown_fields]
    for field, value in fields:
        if field.type == MESSAGE and not field.message_type.full_name.startswith(WELL_KNOWN) and not _is_map(field):
            for each in value if field.is_repeated else [value]:
                found += strange_fields(each, f"{at}/{field.name}")
    return found


@cache
def _by_rest(message: str) -> dict[str, Json]:
    rows = [row for row in message_map()[message]["fields"] if "proto" in row]
    return {_rest_name(row): row for row in rows}


def _rest_name(row: Json) -> str:
    rest: str | None = row.get("rest")
    return camel(row["proto"]) if rest in ("*", None) else rest


@cache
def _required(message: str) -> frozenset[str]:
    """Return what REST's shape of a message must have, so that a default over gRPC is spelled out."""
    entry = message_map()[message]
    schemas = contract("openapi")["components"]["schemas"]
    found = {name for schema in entry.get("schemas", []) for name in schemas[schema].get("required", [])}
    for operation in entry.get("response_of", []):
        found |= _required_answer(operation)
    return frozenset(found)


def _required_answer(operation: str) -> set[str]:
    from rochallor_conformance.contract.operations import at, operations  # noqa: PLC0415 - a cycle of names only

    pointers = [pointer for status, pointer in operations()[operation].answers.items() if status < 300 and pointer]  # noqa: PLR2004 - success
    return {name for pointer in pointers for name in resolve(at(pointer)).get("required", [])}


def _is_map(field: Field) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def _put(message: Message, name: str, value: Any) -> None:
    field = message.DESCRIPTOR.fields_by_name[name]
    try:
        if field.type == BYTES:
            setattr(message, name, json.dumps(value).encode())
        elif _is_map(field):
            _put_map(getattr(message, name), field, value)
        elif field.is_repeated:
            for each in value:
                _append(message, field, each)
        elif field.type == MESSAGE:
            _fill(getattr(message, name), value)
        else:
            setattr(message, name, _scalar(field, value))
    except (TypeError, ValueError, ParseError, AttributeError) as error:
        raise Inexpressible(f"{message.DESCRIPTOR.name}.{name} cannot carry {value!r}: {error}") from error


def _append(message: Message, field: Field, value: Any) -> None:
    items = getattr(message, field.name)
    if field.type == MESSAGE:
        _fill(items.add(), value)
    else:
        items.append(_scalar(field, value))


def _fill(target: Message, value: Any) -> None:
    if target.DESCRIPTOR.full_name.startswith(WELL_KNOWN):
        ParseDict(value, target)
    elif not isinstance(value, dict):
        raise TypeError("an object is needed")
    else:
        target.SetInParent()
        to_message(value, target)


def _put_map(target: Any, field: Field, values: Json) -> None:
    kind = field.message_type.fields_by_name["value"]
    for key, value in values.items():
        if kind.type == MESSAGE:
            ParseDict(value, target[key])
        elif value is not None:
            target[key] = _scalar(kind, value)


def _scalar(field: Field, value: Any) -> Any:
    if field.type == ENUM and isinstance(value, str):
        number = field.enum_type.values_by_name.get(_prefix(field.enum_type) + value)
        return number.number if number else UNKNOWN_ENUM
    if field.name == "expected_revision" and isinstance(value, str):
        return int(value.strip('"'))
    return value


@cache
def _prefix(enum: Any) -> str:
    return next(str(row["prefix"]) for row in contract("mapping")["enums"] if row["enum"] == enum.name)


def _put_orders(message: Message, args: Json) -> None:
    fields = message.DESCRIPTOR.fields_by_name
    for name, order in ORDERS.items():
        if order in fields and args.get(name) and not args.get(camel(order)):
            getattr(message, order).extend(args[name])
    if ORDERED in fields and args.get(camel(CONDITIONS)) and not args.get(camel(ORDERED)):
        for expression, step in args[camel(CONDITIONS)].items():
            getattr(message, ORDERED).add(expression=expression, next_step=step)


def _get(message: Message, field: Field, *, required: bool) -> Any:
    value = getattr(message, field.name)
    if _is_map(field):
        plain = {key: _plain(field.message_type.fields_by_name["value"], each) for key, each in value.items()}
        return plain if plain or required else None
    if field.is_repeated:
        return [_plain(field, each) for each in value] if len(value) or required else None
    if field.type == MESSAGE:
        return _plain(field, value) if message.HasField(field.name) else None
    return _plain(field, value) if required or value != field.default_value else None


def _plain(field: Field, value: Any) -> Any:
    if field.type == MESSAGE:
        return _WELL_KNOWN_PLAIN[type(value)](value) if type(value) in _WELL_KNOWN_PLAIN else to_rest(value)
    if field.type == ENUM:
        known = field.enum_type.values_by_number.get(value)
        return known.name.removeprefix(_prefix(field.enum_type)) if known else f"unknown enum number {value}"
    if field.type == BYTES:
        return json.loads(value)
    return value


def _of_value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < EXACT_DOUBLE else number
    if kind == "struct_value":
        return _of_struct(value.struct_value)
    if kind == "list_value":
        return [_of_value(each) for each in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)


def _of_struct(struct: Struct) -> Json:
    return {name: _of_value(value) for name, value in struct.fields.items()}


_WELL_KNOWN_PLAIN: dict[Any, Any] = {Struct: _of_struct, Value: _of_value, Timestamp: Timestamp.ToJsonString}


def _in_order(body: Json) -> Json:
    if pairs := body.pop(camel(ORDERED), None):
        body[camel(CONDITIONS)] = {pair["expression"]: pair["nextStep"] for pair in pairs}
    for name, order in ORDERS.items():
        if (columns := body.pop(camel(order), None)) and name in body:
            body[name] = {column: body[name][column] for column in columns if column in body[name]}
    return body
