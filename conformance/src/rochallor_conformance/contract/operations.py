"""The one table of operations: what each is over REST and over gRPC, drawn from openapi.yaml and mapping.yaml.

A case names an operation and gives JSON arguments by their REST names. Nothing here knows a particular operation; a
new one in the contract is callable without a change.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

from google.protobuf import message_factory
from google.protobuf.message import Message
from rochallor_proto import contract, engine_pb2

Json = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "patch")
SERVICE = engine_pb2.DESCRIPTOR.services_by_name["WorkflowEngine"]


class Operation(NamedTuple):
    """One operation of the contract.

    `places` says where an argument goes over REST: path, query or header; what is not there is a field of the body.
    `whole_body` is the argument that is the body itself. `answers` maps a status to the JSON pointer of its schema in
    the OpenAPI document, "" where there is no body. `rpc` is "" where gRPC has no such operation.
    """

    id: str
    method: str
    path: str
    places: dict[str, str]
    has_body: bool
    body_required: bool
    body_schema: str
    whole_body: str
    answers: dict[int, str]
    is_ours: bool
    rpc: str
    is_stream: bool

    @property
    def id_argument(self) -> str:
        """The first argument of the path: what the operation is about; "" when it has none."""
        return next((name for name in re.findall(r"{(\w+)}", self.path)), "")

    @property
    def request_type(self) -> type[Message]:
        """The gRPC request."""
        return message_factory.GetMessageClass(SERVICE.methods_by_name[self.rpc].input_type)

    @property
    def response_type(self) -> type[Message]:
        """The gRPC response, or one message of the stream."""
        return message_factory.GetMessageClass(SERVICE.methods_by_name[self.rpc].output_type)


@cache
def operations() -> dict[str, Operation]:
    """Return every operation by its name in the contract."""
    document, rpcs = contract("openapi"), _rpcs()
    return {
        raw["operationId"]: _operation(method, path, raw, rpcs)
        for path, item in document["paths"].items()
        for method, raw in item.items()
        if method in METHODS
    }


def resolve(node: Json) -> Json:
    """Follow `$ref` of a node of the OpenAPI document until there is none."""
    while "$ref" in node:
        node = at(node["$ref"].removeprefix("#"))
    return node


def at(pointer: str) -> Json:
    """Return the node of the OpenAPI document at a JSON pointer."""
    node: Any = contract("openapi")
    for key in pointer.split("/")[1:]:
        node = node[key.replace("~1", "/").replace("~0", "~")]
    assert isinstance(node, dict)
    return node


@cache
def message_map() -> dict[str, Json]:
    """Return mapping.yaml's entry of every proto message, by its name."""
    return {entry["message"]: entry for entry in contract("mapping")["messages"]}


def _rpcs() -> dict[str, str]:
    return {name: row["rpc"] for row in contract("mapping")["rpcs"] for name in row["operations"]}


def _operation(method: str, path: str, raw: Json, rpcs: dict[str, str]) -> Operation:
    where = f"/paths/{path.replace('/', '~1')}/{method}"
    rpc = rpcs.get(raw["operationId"], "")
    parameters = [resolve(each) for each in raw.get("parameters", [])]
    body = raw.get("requestBody", {})
    return Operation(
        id=raw["operationId"],
        method=method.upper(),
        path=path,
        places={each["name"]: each["in"] for each in parameters},
        has_body=bool(body),
        body_required=bool(body.get("required")),
        body_schema=f"{where}/requestBody/content/application~1json/schema" if body else "",
        whole_body=_whole_body(rpc),
        answers={int(status): _schema_of(where, status, node) for status, node in raw["responses"].items()},
        is_ours=bool(raw.get("x-ours")),
        rpc=rpc,
        is_stream=bool(rpc) and SERVICE.methods_by_name[rpc].server_streaming,
    )


def _whole_body(rpc: str) -> str:
    if not rpc:
        return ""
    fields = message_map()[f"{rpc}Request"]["fields"]
    return next((camel(field["proto"]) for field in fields if field.get("rest") == "*"), "")


def _schema_of(where: str, status: str, node: Json) -> str:
    pointer = node["$ref"].removeprefix("#") if "$ref" in node else f"{where}/responses/{status}"
    content = resolve(node).get("content", {})
    kind = next((kind for kind in content if "json" in kind), None)
    return f"{pointer}/content/{kind.replace('/', '~1')}/schema" if kind else ""


def camel(name: str) -> str:
    """Return a proto field name as REST spells it."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
