"""The OpenAPI document is valid, strict about what the engine answers, and true to its own examples."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator

Json = dict[str, Any]
WITH_BODY = {"post", "put", "patch"}
MAP_SCHEMAS = {"Variables", "AnyDocument", "SignalBody"}  # the ones whose keys are the caller's


def test_the_document_is_openapi_3_1(openapi: Json) -> None:
    """Every tool that reads OpenAPI can read it."""
    assert [error.message for error in OpenAPIV31SpecValidator(openapi).iter_errors()] == []


def test_no_key_without_value(nodes: list[tuple[str, Json]]) -> None:
    """A comma in an unquoted sentence would make a key of its second half; nothing here means null."""
    assert [(at, key) for at, node in nodes for key, value in node.items() if value is None] == []


def test_every_reference_leads_somewhere(nodes: list[tuple[str, Json]], resolve: Callable[[Json], Json]) -> None:
    """All `$ref` are inside the document and resolve."""
    for _, node in nodes:
        if isinstance(node.get("$ref"), str):
            assert resolve(node)


def test_every_component_is_used(openapi: Json, nodes: list[tuple[str, Json]]) -> None:
    """What nothing refers to describes nothing."""
    used = {node["$ref"] for _, node in nodes if isinstance(node.get("$ref"), str)}
    kinds = openapi["components"].keys() - {"securitySchemes"}
    there = {f"#/components/{kind}/{name}" for kind in kinds for name in openapi["components"][kind]}
    assert there == used


def reachable(node: Any, resolve: Callable[[Json], Json], seen: list[Json]) -> Iterator[Json]:
    """Every schema object below a node, references followed, each once."""
    if isinstance(node, dict):
        target = resolve(node)
        if not any(target is each for each in seen):
            seen.append(target)
            yield target
            for child in target.values():
                yield from reachable(child, resolve, seen)
    elif isinstance(node, list):
        for child in node:
            yield from reachable(child, resolve, seen)


def test_answers_are_closed(operations: Json, resolve: Callable[[Json], Json]) -> None:
    """An object the engine answers with says whether it may hold other keys; only maps of the caller may."""
    for operation in operations.values():
        contents = [each for response in operation.responses.values() for each in response.get("content", {}).values()]
        for schema in reachable([[each["schema"], each.get("x-event-data", {})] for each in contents], resolve, []):
            if schema.get("type") == "object":
                assert "additionalProperties" in schema, (operation.id, schema)
                assert "properties" not in schema or schema["additionalProperties"] is False, (
                    operation.id,
                    schema,
                )


def test_requests_other_than_definitions_are_open(
    openapi: Json, operations: Json, resolve: Callable[[Json], Json]
) -> None:
    """Unknown fields are refused in a definition and ignored in every other body."""
    definition = openapi["components"]["schemas"]["WorkflowDefinitionUpload"]
    for operation in operations.values():
        body = operation.schema(operation.body)
        closed = [each for each in reachable(body, resolve, []) if each.get("additionalProperties") is False]
        assert bool(closed) == (body is definition), operation.id


def test_required_fields_exist(nodes: list[tuple[str, Json]]) -> None:
    """A schema asks for no property that it does not describe."""
    for at, node in nodes:
        if isinstance(node.get("required"), list) and isinstance(node.get("properties"), dict) and "/example" not in at:
            assert set(node["required"]) <= node["properties"].keys(), at


def test_every_path_parameter_is_described(operations: Json) -> None:
    """The names in the braces are the path parameters of the operation."""
    for operation in operations.values():
        named = {each["name"] for each in operation.parameters if each["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", operation.path)), operation.id


def test_every_status_is_in_the_error_table(operations: Json, errors: list[Json]) -> None:
    """No operation answers with a status that errors.yaml does not know."""
    known = {str(row["http"]) for row in errors}
    for operation in operations.values():
        assert {status for status in operation.responses if status >= "400"} <= known, operation.id


def test_every_failure_has_the_error_body(openapi: Json, operations: Json) -> None:
    """One shape for all errors; 410 adds two fields."""
    schemas = openapi["components"]["schemas"]
    for operation in operations.values():
        for status, response in operation.responses.items():
            if status >= "400":
                wanted = schemas["GoneError" if status == "410" else "Error"]
                assert operation.schema(response) is wanted, (operation.id, status)


def test_errors_that_say_when_to_retry_have_the_header(operations: Json, errors: list[Json]) -> None:
    """Retry-After is there exactly where the error table promises it."""
    promised = {str(row["http"]) for row in errors if row["retryAfter"]}
    for operation in operations.values():
        for status, response in operation.responses.items():
            assert ("Retry-After" in response.get("headers", {})) == (status in promised), (
                operation.id,
                status,
            )


def test_error_words_are_those_of_the_table(openapi: Json, errors: list[Json]) -> None:
    """The `error` of a body is a word of errors.yaml, and all of them are listed."""
    assert set(openapi["components"]["schemas"]["ErrorWord"]["enum"]) == {row["error"] for row in errors}


def test_every_operation_lists_what_may_happen_to_it(operations: Json) -> None:
    """Statuses follow from the operation: v1 needs a token, a body may be bad, an id may be unknown."""
    for operation in operations.values():
        listed = set(operation.responses)
        if operation.id in {"getOpenapi", "getDefinitionSchema", "healthz", "readyz"}:
            continue
        assert {"401", "403", "429", "500", "503"} <= listed, operation.id
        assert "400" in listed or not (operation.parameters or operation.body), operation.id
        assert {"413", "415"} <= listed or not operation.body, operation.id
        assert ("404" in listed) == ("{" in operation.path or operation.id == "startInstance"), operation.id


def test_operations_are_described(operations: Json, openapi: Json) -> None:
    """Every operation has a summary, one known tag, and a body where its method has one."""
    tags = {tag["name"] for tag in openapi["tags"]}
    for item in openapi["paths"].values():
        for method, raw in item.items():
            assert raw["summary"], raw["operationId"]
            assert len(raw["tags"]) == 1
            assert set(raw["tags"]) <= tags
            assert (method in WITH_BODY) == bool(operations[raw["operationId"]].body)


def links(operations: Json) -> Iterator[tuple[Any, str, Json]]:
    for operation in operations.values():
        for name, link in operation.success.get("links", {}).items():
            yield operation, name, link


def test_links_lead_to_operations_and_their_parameters(operations: Json) -> None:
    """A link names an operation that exists, and gives it all its path parameters and no unknown one."""
    for operation, name, link in links(operations):
        target = operations[link["operationId"]]
        given = set(link.get("parameters", {}))
        needed = {each["name"] for each in target.parameters if each["in"] == "path"}
        assert needed <= given <= {each["name"] for each in target.parameters}, (operation.id, name)


def test_links_read_fields_that_exist(operations: Json, resolve: Callable[[Json], Json]) -> None:
    """What a link takes out of a request or response is a field of its schema."""
    for operation, name, link in links(operations):
        body = link.get("requestBody", {})
        for expression in [*link.get("parameters", {}).values(), *body.values()]:
            source, _, pointer = str(expression).partition("#/")
            if source in {"$response.body", "$request.body"}:
                start = operation.success if source.startswith("$response") else operation.body
                assert field_at(operation.schema(start), pointer, resolve), (operation.id, name, expression)


def test_links_fill_in_fields_that_exist(operations: Json) -> None:
    """The body that a link sends has fields of its target and all required ones."""
    for operation, name, link in links(operations):
        if "requestBody" in link:
            schema = operations[link["operationId"]].schema(operations[link["operationId"]].body)
            keys = link["requestBody"].keys()
            assert set(schema.get("required", [])) <= keys <= schema["properties"].keys(), (
                operation.id,
                name,
            )


def field_at(schema: Json, pointer: str, resolve: Callable[[Json], Json]) -> Json:
    for key in pointer.split("/"):
        schema = resolve(schema["items"] if key.isdigit() else schema["properties"][key])
    return schema


@pytest.mark.parametrize(
    ("start", "targets"),
    [
        ("uploadDefinition", {"getDefinition", "startInstance"}),
        ("startInstance", {"getInstance", "getInstanceHistory", "cancelInstance", "awaitInstance"}),
        ("pollJobs", {"completeJob", "failJob"}),
        ("listUserTasks", {"completeUserTask"}),
    ],
)
def test_links_tell_the_way_through_the_api(operations: Json, start: str, targets: set[str]) -> None:
    """Who has uploaded, started or polled is shown what to do next."""
    assert targets <= {link["operationId"] for link in operations[start].success["links"].values()}


def media_types(nodes: list[tuple[str, Json]]) -> list[tuple[str, Json]]:
    return [(at, node) for at, node in nodes if "schema" in node and "examples" in node]


def test_examples_fit_their_schema(
    openapi: Json, nodes: list[tuple[str, Json]], resolve: Callable[[Json], Json]
) -> None:
    """Every example of a body is a body the schema accepts, formats included."""
    found = media_types(nodes)
    assert found
    for at, node in found:
        schema = {**node["schema"], "components": openapi["components"]}
        validator = OAS31Validator(schema, format_checker=oas31_format_checker)
        for name, example in node["examples"].items():
            problems = [error.message for error in validator.iter_errors(resolve(example)["value"])]
            assert not problems, (at, name)


def test_examples_of_errors_bear_the_word_of_their_status(operations: Json, errors: list[Json]) -> None:
    """The example of a 404 says not-found, and so on."""
    words = {(str(row["http"]), row["error"]) for row in errors}
    for operation in operations.values():
        for status, response in operation.responses.items():
            for example in response.get("content", {}).get("application/json", {}).get("examples", {}).values():
                body = example.get("value", {})
                assert status < "400" or (status, body["error"]) in words, (operation.id, status)


def test_uploads_accept_null_where_answers_leave_out(openapi: Json) -> None:
    """A definition as returned is a definition one can upload: the closed schemas know the same fields."""
    schemas = openapi["components"]["schemas"]
    for name in [name for name in schemas if f"{name}Upload" in schemas]:
        returned, sent = schemas[name]["properties"].keys(), schemas[f"{name}Upload"]["properties"].keys()
        assert returned <= sent, name
        assert sent - returned <= {"inputSchema", "outputsSchema"}, name
