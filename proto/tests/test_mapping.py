"""Proto, OpenAPI and mapping say the same, field by field, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

Json = dict[str, Any]
Place = tuple[str, str]  # where REST carries a field (body, path, query, header), and its name
WHOLE_BODY = ("body", "*")
KINDS = {
    # kind: which keys a line of that kind has beside `kind`, and which it may have
    "same": ({"proto", "rest"}, {"in", "only"}),
    "converted": ({"proto", "rest", "how"}, {"in", "only"}),
    "rest-only": ({"rest", "reason"}, {"in", "only"}),
    "grpc-only": ({"proto", "reason"}, set()),
}


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def place(line: Json) -> Place:
    return line.get("in", "body"), line["rest"]


class Carrier:
    """One place of REST that carries a message: a schema, an operation's request or its success response."""

    def __init__(self, name: str, places: set[Place]) -> None:
        self.name = name
        self.places = places

    def agrees_with(self, lines: list[Json]) -> None:
        told = {place(line) for line in lines if "rest" in line and line.get("only", self.name) == self.name}
        assert told == self.places, (
            f"{self.name}: only in mapping {told - self.places}, only in OpenAPI {self.places - told}"
        )


@pytest.fixture(scope="session")
def carriers(openapi: Json, operations: Json, mapping: Json) -> dict[str, list[Carrier]]:
    """Message name -> every place of REST that carries it."""
    return {
        entry["message"]: [
            *(schema_carrier(name, openapi) for name in entry.get("schemas", [])),
            *(request_carrier(operations[name], entry) for name in entry.get("request_of", [])),
            *(response_carrier(operations[name], entry) for name in entry.get("response_of", [])),
        ]
        for entry in mapping["messages"]
    }


def schema_carrier(name: str, openapi: Json) -> Carrier:
    return Carrier(name, body_places(openapi["components"]["schemas"][name]))


def request_carrier(operation: Any, entry: Json) -> Carrier:
    parameters = {(each["in"], each["name"]) for each in operation.parameters}
    return Carrier(operation.id, parameters | body_of(operation.schema(operation.body), entry))


def response_carrier(operation: Any, entry: Json) -> Carrier:
    headers = {("header", name) for name in operation.success.get("headers", {})}
    return Carrier(operation.id, headers | body_of(operation.schema(operation.success), entry))


def body_of(schema: Json, entry: Json) -> set[Place]:
    """The body's fields, or the body as one when the mapping says that a field is the whole of it."""
    if schema and any("rest" in line and place(line) == WHOLE_BODY for line in entry["fields"]):
        return {WHOLE_BODY}
    return body_places(schema)


def body_places(schema: Json) -> set[Place]:
    return {("body", name) for name in schema.get("properties", {})}


def lines(mapping: Json) -> Iterator[tuple[str, Json]]:
    return ((entry["message"], line) for entry in mapping["messages"] for line in entry["fields"])


def test_every_message_has_one_entry(proto: FileDescriptor, mapping: Json) -> None:
    """No message is forgotten, invented or told twice."""
    assert sorted(entry["message"] for entry in mapping["messages"]) == sorted(proto.message_types_by_name)


def test_every_proto_field_is_mapped(proto: FileDescriptor, mapping: Json) -> None:
    """Each entry names exactly the fields of its message, once."""
    for entry in mapping["messages"]:
        fields = [field.name for field in proto.message_types_by_name[entry["message"]].fields]
        told = [line["proto"] for line in entry["fields"] if "proto" in line]
        assert sorted(told) == sorted([] if "reason" in entry else fields), entry["message"]


def test_every_rest_field_is_mapped(mapping: Json, carriers: dict[str, list[Carrier]]) -> None:
    """Each schema, request and response that carries a message has exactly the fields the mapping names."""
    for entry in mapping["messages"]:
        for carrier in carriers[entry["message"]]:
            carrier.agrees_with(entry["fields"])


def test_every_message_is_somewhere_in_rest_or_says_why_not(mapping: Json) -> None:
    """A message without a place in REST gives its reason."""
    for entry in mapping["messages"]:
        placed = any(key in entry for key in ("schemas", "request_of", "response_of"))
        assert placed != ("reason" in entry), entry["message"]


def test_only_names_a_place_of_its_message(mapping: Json, carriers: dict[str, list[Carrier]]) -> None:
    """`only` is no way to hide a field: it names a schema or operation that carries the message."""
    for message, line in lines(mapping):
        assert "only" not in line or line["only"] in {each.name for each in carriers[message]}, (
            message,
            line,
        )


def test_every_line_has_the_keys_of_its_kind(mapping: Json) -> None:
    """A conversion says how, a one-sided field says why, and no key is made up."""
    for message, line in lines(mapping):
        needed, allowed = KINDS[line["kind"]]
        keys = line.keys() - {"kind"}
        assert needed <= keys <= needed | allowed, (message, line)


def test_same_fields_are_spelled_the_same(mapping: Json) -> None:
    """The REST name of an equal field is the proto name in lowerCamelCase."""
    wrong = [
        (message, line)
        for message, line in lines(mapping)
        if line["kind"] == "same" and camel(line["proto"]) != line["rest"]
    ]
    assert not wrong


JSON_TYPES = {
    # protobuf type -> what the JSON schema may say
    "INT32": {"integer"},
    "UINT32": {"integer"},
    "UINT64": {"integer"},
    "DOUBLE": {"number"},
    "BOOL": {"boolean"},
    "STRING": {"string"},
    "ENUM": {"string"},
    "MESSAGE": {"object"},
}


def test_same_fields_have_the_same_type(
    proto: FileDescriptor, openapi: Json, mapping: Json, resolve: Callable[[Json], Json]
) -> None:
    """A number is a number on both transports, a list a list, and so on, in every schema."""
    for entry in mapping["messages"]:
        for name in entry.get("schemas", []):
            properties = openapi["components"]["schemas"][name]["properties"]
            for line in entry["fields"]:
                if line["kind"] == "same":
                    field = proto.message_types_by_name[entry["message"]].fields_by_name[line["proto"]]
                    said = json_types(properties[line["rest"]], resolve)
                    assert not said or said <= expected_types(field), (name, line["rest"], said)


def json_types(schema: Json, resolve: Callable[[Json], Json]) -> set[str]:
    """The JSON types a schema allows, null aside; empty when it says nothing."""
    own = schema.get("type", [])
    found = set(own if isinstance(own, list) else [own])
    for part in schema.get("anyOf", []):
        found |= json_types(part, resolve)
    if "$ref" in schema:
        found |= json_types(resolve(schema), resolve)
    return found - {"null"}


def expected_types(field: FieldDescriptor) -> set[str]:
    named = field.message_type
    if field.is_repeated and not (named is not None and named.GetOptions().map_entry):
        return {"array"}
    if named is not None and named.full_name == "google.protobuf.Timestamp":
        return {"string"}
    return JSON_TYPES[FieldDescriptorProto.Type.DESCRIPTOR.values_by_number[field.type].name.removeprefix("TYPE_")]


def test_every_schema_is_a_message_or_says_why_not(openapi: Json, mapping: Json, operations: Json) -> None:
    """No OpenAPI schema escapes the mapping."""
    told = {row["schema"] for row in (*mapping["enums"], *mapping["schemas_without_message"])}
    told |= {name for entry in mapping["messages"] for name in entry.get("schemas", [])}
    bodies = [
        operations[name].schema(operations[name].body if key == "request_of" else operations[name].success)
        for entry in mapping["messages"]
        for key in ("request_of", "response_of")
        for name in entry.get(key, [])
    ]
    schemas = openapi["components"]["schemas"]
    missed = {
        name for name, schema in schemas.items() if name not in told and not any(schema is body for body in bodies)
    }
    assert not missed
    assert told <= schemas.keys()


def test_enums_agree(proto: FileDescriptor, openapi: Json, mapping: Json) -> None:
    """REST has the same values without the prefix, in the same order, and no UNSPECIFIED."""
    assert {row["enum"] for row in mapping["enums"]} == set(proto.enum_types_by_name)
    for row in mapping["enums"]:
        names = [value.name.removeprefix(row["prefix"]) for value in proto.enum_types_by_name[row["enum"]].values]
        assert names == ["UNSPECIFIED", *openapi["components"]["schemas"][row["schema"]]["enum"]]


def test_every_rpc_has_operations(proto: FileDescriptor, mapping: Json) -> None:
    """Whatever gRPC can do, REST can do."""
    told = {row["rpc"]: row["operations"] for row in mapping["rpcs"]}
    assert told.keys() == set(proto.services_by_name["WorkflowEngine"].methods_by_name)
    assert all(told.values())


def test_first_operation_of_an_rpc_bears_its_name(mapping: Json) -> None:
    """The operationId is the rpc's name in lowerCamelCase."""
    assert [row["operations"][0] for row in mapping["rpcs"]] == [
        row["rpc"][0].lower() + row["rpc"][1:] for row in mapping["rpcs"]
    ]


def test_every_operation_has_an_rpc_or_says_why_not(mapping: Json, operations: Json) -> None:
    """Whatever REST can do, gRPC can do, or there is a reason; nobody is told twice."""
    told = [name for row in mapping["rpcs"] for name in row["operations"]]
    told += [row["operation"] for row in mapping["rest_only"] if row["reason"]]
    assert sorted(told) == sorted(operations)


def test_mapping_knows_method_and_path_of_every_operation(mapping: Json, operations: Json) -> None:
    """The routes in the mapping are those of the OpenAPI document."""
    assert mapping["operations"] == {name: operation.route for name, operation in operations.items()}


def test_requests_and_responses_are_those_of_the_rpc(proto: FileDescriptor, mapping: Json) -> None:
    """The message that an operation's request or response carries is the one its rpc takes or gives."""
    rpcs = {name: row["rpc"] for row in mapping["rpcs"] for name in row["operations"]}
    methods = proto.services_by_name["WorkflowEngine"].methods_by_name
    for entry in mapping["messages"]:
        for name in entry.get("request_of", []):
            assert methods[rpcs[name]].input_type.name == entry["message"]
        for name in entry.get("response_of", []):
            assert methods[rpcs[name]].output_type.name == entry["message"]


def test_every_rpc_message_is_placed_at_its_operations(proto: FileDescriptor, mapping: Json) -> None:
    """Requests name all operations of their rpc, and so do responses (a stream's messages have a schema instead)."""
    entries = {entry["message"]: entry for entry in mapping["messages"]}
    for row in mapping["rpcs"]:
        method = proto.services_by_name["WorkflowEngine"].methods_by_name[row["rpc"]]
        assert entries[method.input_type.name]["request_of"] == row["operations"]
        if not method.server_streaming:
            assert entries[method.output_type.name]["response_of"] == row["operations"]
