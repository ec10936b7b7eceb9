"""A REST answer as far as gRPC can say it: mapping.yaml's `rest-only` fields, message by message, left out.

Which fields those are is mapping.yaml's matter; a field that is rest-only in one message counts in every other.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from rochallor_proto import engine_pb2

from rochallor_conformance.contract.operations import Operation, camel, message_map
from rochallor_conformance.transports.exchange import Json

IN_A_LIST = frozenset({"uploadedAt"})
"""REST lists summaries of definitions, gRPC whole ones: what a summary has beside."""


def sayable(body: Any, operation: Operation) -> Any:
    """Return an answer's body without what only REST has."""
    if not operation.rpc or not isinstance(body, dict):
        return body
    if operation.is_stream:
        return body
    name, whole = _answer_of(operation)
    return _pruned(body, _message_of(name, whole) if whole else name)


def as_fields(body: Json, operation: Operation) -> Json:
    """Return the same as the arguments of the answer's message: a body that is one field goes by the field's name."""
    said: Json = sayable(body, operation)
    _, whole = _answer_of(operation)
    return {camel(whole): said} if whole else said


def _answer_of(operation: Operation) -> tuple[str, str]:
    name = operation.response_type.DESCRIPTOR.name
    return name, next((row["proto"] for row in message_map()[name]["fields"] if row.get("rest") == "*"), "")


def _pruned(body: Any, message: str) -> Any:
    if not isinstance(body, dict) or message not in message_map():
        return body
    rows = {row.get("rest"): row for row in message_map()[message]["fields"]}
    kept: Json = {}
    for name, value in body.items():
        row = rows.get(name, {})
        if row.get("kind") == "rest-only" or (name in IN_A_LIST and not row):
            continue
        inner = _message_of(message, row["proto"]) if "proto" in row else ""
        kept[name] = [_pruned(each, inner) for each in value] if isinstance(value, list) else _pruned(value, inner)
    return kept


@cache
def _message_of(message: str, proto: str) -> str:
    field = engine_pb2.DESCRIPTOR.message_types_by_name[message].fields_by_name[proto]
    return field.message_type.name if field.message_type else ""
