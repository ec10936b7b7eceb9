"""The names and numbers that old clients were built against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

FROZEN = json.loads((Path(__file__).parent / "frozen_base.json").read_text(encoding="utf-8"))
FIRST_OWN_NUMBER = 100


def spelled(field: FieldDescriptor) -> str:
    """The field's type as the proto file spells it, without packages."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        entry = field.message_type.fields_by_name
        return f"map<{spelled(entry['key'])}, {spelled(entry['value'])}>"
    named = field.message_type or field.enum_type
    plain = FieldDescriptorProto.Type.DESCRIPTOR.values_by_number[field.type].name.removeprefix("TYPE_").lower()
    return ("repeated " if field.is_repeated else "") + (named.name if named is not None else plain)


def shape(fields: list[FieldDescriptor]) -> dict[str, list[Any]]:
    return {field.name: [field.number, spelled(field)] for field in fields}


def test_file_name_and_package_are_the_known_ones(proto: FileDescriptor) -> None:
    """Reflection and other copies of the file know it as workflow/v1/engine.proto."""
    assert (proto.name, proto.package) == ("workflow/v1/engine.proto", FROZEN["package"])


@pytest.mark.parametrize("message", FROZEN["messages"])
def test_base_fields_keep_name_number_and_type(proto: FileDescriptor, message: str) -> None:
    """Every base field of a base message is where old clients look for it, and nothing else is below 100."""
    fields = [field for field in proto.message_types_by_name[message].fields if field.number < FIRST_OWN_NUMBER]
    assert shape(fields) == FROZEN["messages"][message]


@pytest.mark.parametrize("enum", FROZEN["enums"])
def test_base_enum_values_keep_name_and_number(proto: FileDescriptor, enum: str) -> None:
    """A base enum has its base values and the additions that were decided, no other."""
    values = {value.name: value.number for value in proto.enum_types_by_name[enum].values}
    assert values == FROZEN["enums"][enum] | FROZEN["additions"].get(enum, {})


def test_base_rpcs_keep_name_and_types(proto: FileDescriptor) -> None:
    """Every base rpc is there, unary, with its request and response."""
    methods = proto.services_by_name[FROZEN["service"]].methods
    found = {method.name: [method.input_type.name, method.output_type.name] for method in methods}
    assert {name: found.get(name) for name in FROZEN["rpcs"]} == FROZEN["rpcs"]


def test_base_rpcs_do_not_stream(proto: FileDescriptor) -> None:
    """Only additions may stream; old clients call every base rpc as unary."""
    methods = proto.services_by_name[FROZEN["service"]].methods
    streaming = {method.name for method in methods if method.client_streaming or method.server_streaming}
    assert not streaming & FROZEN["rpcs"].keys()


@pytest.mark.parametrize("message", FROZEN["reserved"])
def test_retired_field_stays_reserved(proto: FileDescriptor, message: str) -> None:
    """A number and a name that once meant something are never given a new meaning."""
    plain = FileDescriptorProto()
    proto.CopyToProto(plain)
    (found,) = (each for each in plain.message_type if each.name == message)
    ranges = [(each.start, each.end) for each in found.reserved_range]
    wanted = FROZEN["reserved"][message]
    assert (ranges, list(found.reserved_name)) == (
        [(wanted["number"], wanted["number"] + 1)],
        [wanted["name"]],
    )


def test_enum_values_carry_their_type_as_prefix(proto: FileDescriptor) -> None:
    """Value 0 of every enum is <PREFIX>_UNSPECIFIED, and every value begins with the prefix."""
    for enum in proto.enum_types_by_name.values():
        prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
        assert enum.values[0].number == 0
        assert all(value.name.startswith(prefix) for value in enum.values), enum.name
        assert prefix.replace("_", "").lower() == enum.name.lower()


def test_java_clients_find_their_classes(proto: FileDescriptor) -> None:
    """The Java outer class and one file per message are what Java clients import."""
    options = proto.GetOptions()
    assert (options.java_outer_classname, options.java_multiple_files) == ("WorkflowProto", True)
