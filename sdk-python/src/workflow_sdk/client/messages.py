"""REST's JSON to and from the contract's protobuf messages, driven by their descriptors.

The names follow one rule (snake_case becomes camelCase, an enum value loses its type's prefix); what does not is in the
tables below. What REST leaves out when empty is left out here too, so both transports give the same dict.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from workflow_sdk.client.values import fill_struct, fill_value, struct_to_json, value_to_json
from workflow_sdk.errors import BadRequest
from workflow_sdk.operation import camel, to_json

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

Json = dict[str, Any]

_REST_NAMES = {
    # Fields whose REST name is not their camelCase.
    "input_schema": "input_schema",
    "outputs_schema": "outputs_schema",
    "variables_json": "variables",
}
_ALWAYS = {
    # Fields that REST answers even when they are empty.
    "WorkflowDefinition": {"id", "version", "name", "steps"},
    "WorkflowStep": {"id", "name", "type"},
    "DecisionTable": {"rules"},
    "BoundaryEvent": {"type", "duration", "interrupting", "target_step_id"},
    "WorkflowInstance": {"id", "definition_id", "definition_version", "current_step_ids", "variables"},
    "StepExecution": {"id", "instance_id", "step_id", "attempt_number"},
    "Job": {"id", "job_type", "instance_id", "step_id", "step_execution_id", "retries_remaining", "variables"},
    "JobOutcomeResult": {"job_id"},
    "JobFailed": {"error_message", "retryable"},
    "UserTask": {"id", "instance_id", "step_id", "definition_id", "definition_version"},
    "AuditEntry": {"instance_id", "revision", "actor", "kind"},
    "AwaitInstanceResponse": {"reached"},
    "ListDefinitionsResponse": {"total"},
    "ListInstancesResponse": {"total"},
    "ListUserTasksResponse": {"total"},
}
_ORDERS = {
    # A proto map has no order, so a second field carries it: map -> the field that says in which order.
    ("WorkflowStep", "conditional_next_steps"): "ordered_conditions",
    ("DecisionTableRule", "when"): "when_order",
    ("DecisionTableRule", "outputs"): "outputs_order",
}
_NONE: frozenset[str] = frozenset()
_ORDER_FIELDS = frozenset(_ORDERS.values())


def to_message(message: Message, values: Mapping[str, Any], at: str = "") -> None:
    """Fill a message from REST's JSON; None means absent.

    Raises:
        BadRequest: a field that the message does not have, or a value of the wrong kind. `details` names the place.
        InvalidVariables: a free-form value that cannot travel.

    """
    fields = _writable(message.DESCRIPTOR)
    for name, value in values.items():
        if value is None:
            continue
        field = fields.get(name)
        if field is None:
            raise _refused("UNKNOWN_FIELD", f"{at}/{name}", f"{name!r} is not a field here")
        set_field(message, field, value, f"{at}/{name}")
    for field, order in _orders_of(message.DESCRIPTOR):
        if not getattr(message, order.name):
            _keep_order(getattr(message, order.name), order, values.get(rest_name(field)) or {})


def set_field(message: Message, field: FieldDescriptor, value: Any, at: str = "") -> None:
    """Set one field of a message from its JSON value."""
    if _is_map(field):
        _fill_map(message, field, _expect(value, Mapping, at), at)
    elif _is_repeated(field):
        for index, item in enumerate(_expect(value, (list, tuple), at)):
            _append(getattr(message, field.name), field, item, f"{at}/{index}")
    elif field.message_type is not None:
        child = getattr(message, field.name)
        child.SetInParent()
        _fill_child(child, field.message_type, value, at)
    else:
        _set_scalar(message, field, value, at)


def _append(repeated: Any, field: FieldDescriptor, item: Any, at: str) -> None:
    if field.message_type is not None:
        _fill_child(repeated.add(), field.message_type, item, at)
        return
    try:
        repeated.append(_enum_number(field.enum_type, item, at) if field.enum_type else item)
    except TypeError as error:
        raise _refused("FIELD_INVALID", at, str(error)) from None


def _fill_child(child: Any, kind: Descriptor, value: Any, at: str) -> None:
    if kind.full_name == "google.protobuf.Value":
        fill_value(child, value, at)
        return
    values = _expect(value, Mapping, at)
    if kind.full_name == "google.protobuf.Struct":
        fill_struct(child, values, at)
    else:
        to_message(child, values, at)


def _fill_map(message: Message, field: FieldDescriptor, values: Mapping[str, Any], at: str) -> None:
    target: Any = getattr(message, field.name)
    holds_values = _holds_values(field)
    for key, value in values.items():
        if holds_values:
            fill_value(target[key], value, f"{at}/{key}")
        else:
            target[key] = _expect(value, str, f"{at}/{key}")


def _keep_order(target: Any, order: FieldDescriptor, entries: Mapping[str, Any]) -> None:
    """Write down the author's order of a map that is about to lose it."""
    if order.message_type is None:
        target.extend(entries)
        return
    for expression, next_step in entries.items():
        target.add(expression=expression, next_step=next_step)


def _set_scalar(message: Message, field: FieldDescriptor, value: Any, at: str) -> None:
    if field.enum_type is not None:
        value = _enum_number(field.enum_type, value, at)
    elif field.type == FieldDescriptor.TYPE_BYTES:
        value = to_json(value)
    try:
        setattr(message, field.name, value)
    except (TypeError, ValueError) as error:
        raise _refused("FIELD_INVALID", at, str(error)) from None


_ENUM_CODES = {"StepType": "STEP_TYPE_VALID", "BoundaryEventType": "BOUNDARY_TYPE"}
"""What the engine's rules call a word that an enum does not have."""


def _enum_number(enum: EnumDescriptor, word: Any, at: str) -> int:
    value = enum.values_by_name.get(f"{_prefix(enum)}{word}")
    if value is None or value.number == 0:
        code = _ENUM_CODES.get(enum.name, "FIELD_INVALID")
        known = ", ".join(each.name.removeprefix(_prefix(enum)) for each in enum.values[1:])
        raise _refused(code, at, f"there is no such {enum.name}; choose one of {known}")
    return value.number


def _expect(value: Any, kind: Any, at: str) -> Any:
    if not isinstance(value, kind):
        raise _refused("FIELD_INVALID", at, f"a {type(value).__name__} does not belong here")
    return value


def _refused(code: str, pointer: str, message: str) -> BadRequest:
    """Return the refusal REST's engine would give: a message of the wire cannot even carry the mistake."""
    return BadRequest(
        400,
        f"{pointer or '/'}: {message}",
        details=[{"code": code, "pointer": pointer, "message": message}],
    )


def to_dict(message: Message) -> Json:
    """Return a message as the JSON that REST answers for it."""
    kind = message.DESCRIPTOR
    always = _ALWAYS.get(kind.name, _NONE)
    result: Json = {}
    for name, field in _fields_by_rest_name(kind):
        if _is_set(message, field):
            result[name] = _read(message, field)
        elif field.name in always and name not in result:
            result[name] = _empty(field)
    return result


def _is_set(message: Message, field: FieldDescriptor) -> bool:
    if _is_repeated(field):
        return len(getattr(message, field.name)) > 0
    if field.has_presence:
        return message.HasField(field.name)
    return bool(getattr(message, field.name))


def _empty(field: FieldDescriptor) -> Any:
    if _is_repeated(field):
        return {} if _is_map(field) else []
    if field.message_type is not None:
        return {}
    return "" if field.enum_type is not None else field.default_value


def _read(message: Message, field: FieldDescriptor) -> Any:
    value: Any = getattr(message, field.name)
    if _is_map(field):
        return _read_map(message, field, value)
    if _is_repeated(field):
        return [_read_one(field, item) for item in value]
    return _read_one(field, value)


def _read_map(message: Message, field: FieldDescriptor, entries: Any) -> Json:
    order = _ORDERS.get((message.DESCRIPTOR.name, field.name))
    keys = [getattr(item, "expression", item) for item in getattr(message, order)] if order else []
    in_order = {key: None for key in keys if key in entries} | dict.fromkeys(sorted(entries))
    holds_values = _holds_values(field)
    return {key: value_to_json(entries[key]) if holds_values else entries[key] for key in in_order}


def _read_one(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        reader = _READERS.get(field.message_type.full_name, to_dict)
        return reader(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name.removeprefix(_prefix(field.enum_type)) if known else str(value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return json.loads(value)
    return value


def timestamp_text(timestamp: Timestamp) -> str:
    """Return RFC 3339 in UTC with milliseconds, as REST writes it."""
    moment = datetime.fromtimestamp(timestamp.seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{timestamp.nanos // 1_000_000:03d}Z"


_READERS: dict[str, Callable[[Any], Any]] = {
    "google.protobuf.Struct": struct_to_json,
    "google.protobuf.Value": value_to_json,
    "google.protobuf.Timestamp": timestamp_text,
}


@cache
def rest_name(field: FieldDescriptor) -> str:
    """Return what REST calls a field."""
    return _REST_NAMES.get(field.name) or camel(field.name)


@cache
def _fields_by_rest_name(kind: Descriptor) -> list[tuple[str, FieldDescriptor]]:
    # Pairs, because two fields may share a name: a job's variables travel as a Struct or as JSON.
    fields: Sequence[FieldDescriptor] = kind.fields
    return [(rest_name(field), field) for field in fields if field.name not in _ORDER_FIELDS]


@cache
def _writable(kind: Descriptor) -> dict[str, FieldDescriptor]:
    """Return every name an author may use for a field."""
    fields: Sequence[FieldDescriptor] = kind.fields
    return {camel(field.name): field for field in fields} | {rest_name(field): field for field in fields}


@cache
def _orders_of(kind: Descriptor) -> list[tuple[FieldDescriptor, FieldDescriptor]]:
    names = kind.fields_by_name
    return [(names[name], names[order]) for (owner, name), order in _ORDERS.items() if owner == kind.name]


@cache
def _holds_values(field: FieldDescriptor) -> bool:
    entry = cast("Descriptor", field.message_type)
    return entry.fields_by_name["value"].message_type is not None


@cache
def _prefix(enum: EnumDescriptor) -> str:
    return enum.values[0].name.removesuffix("UNSPECIFIED")


@cache
def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


@cache
def _is_repeated(field: FieldDescriptor) -> bool:
    # Older protobuf runtimes have only the label, newer ones warn when it is read.
    if hasattr(field, "is_repeated"):
        return bool(field.is_repeated)
    return bool(field.label == FieldDescriptor.LABEL_REPEATED)  # type: ignore[attr-defined]  # not in new stubs
