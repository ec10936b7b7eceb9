"""The SDK's tables against the contract itself."""

from __future__ import annotations

import inspect
import re

import pytest
from google.protobuf.descriptor import FieldDescriptor
from rochallor_proto import contract
from rochallor_proto import engine_pb2 as pb
from workflow_sdk.client.async_base import AsyncBaseEngineClient
from workflow_sdk.client.base import BaseEngineClient
from workflow_sdk.client.messages import rest_name
from workflow_sdk.errors import KINDS
from workflow_sdk.operation import Operation
from workflow_sdk.operations import OPERATIONS

SERVICE = pb.DESCRIPTOR.services_by_name["WorkflowEngine"]


def test_every_rpc_has_an_operation() -> None:
    """Nothing the engine offers over gRPC is missing from the table."""
    assert set(SERVICE.methods_by_name) == {each.rpc for each in OPERATIONS.values()} - {""}


@pytest.mark.parametrize("operation", [each for each in OPERATIONS.values() if each.rpc], ids=lambda each: each.name)
def test_every_argument_has_its_grpc_field(operation: Operation) -> None:
    """Each argument names a field that the request has."""
    fields = SERVICE.methods_by_name[operation.rpc].input_type.fields_by_name
    assert [each.proto_name for each in operation.params if each.proto_name not in fields] == []


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda each: each.name)
def test_every_operation_is_a_method_of_every_clients(operation: Operation) -> None:
    """The face has a method per row of the table (a named version is an argument of get_definition)."""
    name = "get_definition" if operation.name == "get_definition_version" else operation.name
    assert inspect.isfunction(getattr(BaseEngineClient, name))
    assert inspect.isfunction(getattr(AsyncBaseEngineClient, name))


def test_error_kinds_are_the_contracts() -> None:
    """Every code of the contract has a class of its own under the same status."""
    ours = {(code, status) for code, status, _ in KINDS}
    assert {(row["code"], row["http"]) for row in contract("errors")["errors"]} <= ours


def _field(message: str, name: str) -> FieldDescriptor:
    return pb.DESCRIPTOR.message_types_by_name[message].fields_by_name[name]


def test_fields_have_the_contracts_names() -> None:
    """What a gRPC field is called in a result is what the contract says REST calls it."""
    wrong = [
        (row["message"], field["proto"])
        for row in contract("mapping")["messages"]
        for field in row["fields"]
        if field["kind"] == "same" and rest_name(_field(row["message"], field["proto"])) != field["rest"]
    ]
    assert wrong == []


@pytest.mark.parametrize("operation", [each for each in OPERATIONS.values() if each.rpc], ids=lambda each: each.name)
def test_methods_and_paths_are_the_contracts(operation: Operation) -> None:
    """Each row's REST half is one that the contract has for its rpc."""
    paths = contract("mapping")["operations"]
    names = next(row["operations"] for row in contract("mapping")["rpcs"] if row["rpc"] == operation.rpc)
    expected = {re.sub(r"{\w+}", "{}", paths[name]) for name in names}
    assert re.sub(r"{\w+}", "{}", f"{operation.method} {operation.path}") in expected
