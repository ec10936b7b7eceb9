"""What the contract's tests share: its parts, read from their sources, and one way to look at the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.descriptor import FileDescriptor
from rochallor_proto import engine_pb2

CONTRACT = Path(__file__).resolve().parents[2] / "sdk-contract"
METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})

Json = dict[str, Any]


def _read(name: str) -> Json:
    document: Json = yaml.safe_load((CONTRACT / f"{name}.yaml").read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="session")
def proto() -> FileDescriptor:
    return engine_pb2.DESCRIPTOR


@pytest.fixture(scope="session")
def errors() -> list[Json]:
    rows: list[Json] = _read("errors")["errors"]
    return rows


@pytest.fixture(scope="session")
def mapping() -> Json:
    return _read("mapping")


@pytest.fixture(scope="session")
def openapi() -> Json:
    return _read("openapi")


@pytest.fixture(scope="session")
def resolve(openapi: Json) -> Callable[[Json], Json]:
    """Follow `$ref` of a node until there is none."""

    def follow(node: Json) -> Json:
        while "$ref" in node:
            place: Any = openapi
            for key in node["$ref"].removeprefix("#/").split("/"):
                place = place[key]
            node = place
        return node

    return follow


class Operation:
    """One operation with its references followed."""

    def __init__(self, method: str, path: str, raw: Json, resolve: Callable[[Json], Json]) -> None:
        self.id: str = raw["operationId"]
        self.route = f"{method.upper()} {path}"
        self.path = path
        self.parameters = [resolve(parameter) for parameter in raw.get("parameters", [])]
        self.responses = {status: resolve(response) for status, response in raw["responses"].items()}
        self.body: Json = raw.get("requestBody", {})
        self._resolve = resolve

    @property
    def success(self) -> Json:
        """The answer with something in it; a second one may say that there is nothing."""
        return self.responses[min(status for status in self.responses if status < "400")]

    def schema(self, message: Json) -> Json:
        """The JSON schema of a request body or a response, {} when it has none."""
        content = message.get("content", {}).get("application/json", {})
        return self._resolve(content["schema"]) if content else {}


@pytest.fixture(scope="session")
def operations(openapi: Json, resolve: Callable[[Json], Json]) -> dict[str, Operation]:
    found = [
        Operation(method, path, raw, resolve)
        for path, item in openapi["paths"].items()
        for method, raw in item.items()
        if method in METHODS
    ]
    assert len({operation.id for operation in found}) == len(found), "an operationId is used twice"
    return {operation.id: operation for operation in found}


@pytest.fixture(scope="session")
def nodes(openapi: Json) -> list[tuple[str, Json]]:
    """Every object of the OpenAPI document with its JSON pointer."""
    return list(_walk(openapi, "#"))


def _walk(node: Any, at: str) -> Iterator[tuple[str, Json]]:
    if isinstance(node, dict):
        yield at, node
        for key, child in node.items():
            yield from _walk(child, f"{at}/{key}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _walk(child, f"{at}/{index}")
