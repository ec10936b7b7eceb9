"""Health, and the contract about itself. These routes need no token."""

from __future__ import annotations

from functools import cache
from typing import Any

from rochallor_proto import contract, contract_bytes

from rochallor.shell.engine import Engine
from rochallor.transports.rest.answers import SCHEMA_TYPE, Answer, encode, ok
from rochallor.transports.rest.call import Call

HEALTHY = ok({"status": "ok"})
COMPONENTS = "#/components/schemas/"
UPLOAD = "WorkflowDefinitionUpload"


async def healthz(_engine: Engine, _call: Call) -> Answer:
    """GET /healthz: 200 while the process serves."""
    return HEALTHY


async def readyz(engine: Engine, _call: Call) -> Answer:
    """GET /readyz: 200 when the store answers, else 503."""
    await engine.ready()
    return HEALTHY


async def openapi(_engine: Engine, _call: Call) -> Answer:
    """GET /v1/openapi.json."""
    return _openapi()


async def definition_schema(_engine: Engine, _call: Call) -> Answer:
    """GET /v1/schemas/workflow-definition.json."""
    return Answer(200, encode(workflow_definition_schema()), media=SCHEMA_TYPE)


@cache
def _openapi() -> Answer:
    return Answer(200, contract_bytes("openapi"))


@cache
def workflow_definition_schema() -> dict[str, Any]:
    """Return the JSON Schema of a definition as an author writes it, drawn from the contract.

    OpenAPI 3.1 schemas are JSON Schema 2020-12; only the references have to move from `components` to `$defs`.
    """
    schemas = contract("openapi")["components"]["schemas"]
    wanted, definitions = [UPLOAD], {}
    while wanted:
        name = wanted.pop()
        if name not in definitions:
            definitions[name] = _moved(schemas[name], wanted)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Workflow definition",
        **definitions.pop(UPLOAD),
        "$defs": dict(sorted(definitions.items())),
    }


def _moved(node: Any, found: list[str]) -> Any:
    """Return a copy of a schema with its references moved; names of what it refers to are added to `found`."""
    if isinstance(node, list):
        return [_moved(item, found) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        found.append(reference.removeprefix(COMPONENTS))
        return {**node, "$ref": f"#/$defs/{found[-1]}"}
    return {key: _moved(value, found) for key, value in node.items() if key != "x-ours"}
