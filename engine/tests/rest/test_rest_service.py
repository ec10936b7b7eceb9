"""Health, the contract about itself, CORS, HEAD, and what the observer is told."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from rochallor.core.errors import NotFound
from rochallor.transports.rest import create_app
from rochallor_proto import contract

PREFLIGHT = {"origin": "https://app.example", "access-control-request-method": "POST"}


async def test_health_needs_no_engine(client, engine):
    """The process says that it serves without asking the store."""
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert engine.calls == []


async def test_openapi_is_the_contract(client):
    """The engine serves the very document that it is held to."""
    assert (await client.get("/v1/openapi.json")).json() == contract("openapi")


async def test_definition_schema_judges_definitions(client):
    """Editors get a JSON Schema that accepts a definition and finds a misspelt field."""
    schema = (await client.get("/v1/schemas/workflow-definition.json")).json()
    Draft202012Validator.check_schema(schema)
    good = contract("openapi")["components"]["examples"]["LoanDefinition"]["value"]
    bad = {**good, "steps": [{**good["steps"][0], "nextStpe": "x"}]}
    judge = Draft202012Validator(schema)
    assert (judge.is_valid(good), judge.is_valid(bad)) == (True, False)


async def test_definition_schema_stands_alone(client):
    """The schema has no reference to anything outside itself."""
    text = (await client.get("/v1/schemas/workflow-definition.json")).text
    assert "components" not in text
    named = {part.split('"')[0] for part in text.split("#/$defs/")[1:]}
    assert named == set(json.loads(text)["$defs"])


@pytest.mark.parametrize("path", ["/healthz", "/v1/instances/I1", "/v1/definitions", "/v1/openapi.json"])
async def test_head_is_get_without_a_body(client, path):
    """HEAD answers what GET would, but for the body."""
    got = await client.get(path)
    head = await client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-length"] == str(len(got.content))


async def test_requests_are_observed_by_route(engine, client_of):
    """The observer is told method, route pattern, status and seconds of every request, found or not."""
    seen = []
    ticks = iter(range(100))
    app = create_app(engine, observe=lambda *told: seen.append(told), timer=lambda: next(ticks))
    engine.answers["get_history"] = NotFound("no")
    async with client_of(app) as client:
        await client.get("/v1/instances/I1")
        await client.get("/v1/instances/I1/history")
        await client.put("/v1/instances/I1/cancel")
        await client.get("/nowhere/secret")
    assert seen == [
        ("GET", "/v1/instances/{id}", 200, 1),
        ("GET", "/v1/instances/{id}/history", 404, 1),
        ("PUT", "/v1/instances/{id}/cancel", 405, 1),
        ("GET", "(unmatched)", 404, 1),
    ]


@pytest.fixture
async def shared(engine, client_of):
    async with client_of(create_app(engine, cors_origins=["https://app.example"]), event_hooks={}) as client:
        yield client


@pytest.mark.parametrize("header", ["traceparent", "authorization", "content-type", "if-match"])
async def test_pages_of_an_allowed_origin_may_call(shared, header):
    """A preflight from an allowed origin is told that its request may come."""
    response = await shared.options("/v1/instances", headers=PREFLIGHT | {"access-control-request-headers": header})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "https://app.example"


async def test_other_origins_are_refused_in_the_usual_shape(shared):
    """A preflight from elsewhere is 400 with an error body."""
    response = await shared.options("/v1/instances", headers=PREFLIGHT | {"origin": "https://evil.example"})
    assert (response.status_code, response.json()["error"]) == (400, "bad-request")
    assert "access-control-allow-origin" not in response.headers


async def test_answers_to_pages_show_the_etag(shared):
    """A page may read the ETag of an instance that it got from a hot route."""
    response = await shared.get("/v1/instances/I1", headers={"origin": "https://app.example"})
    assert response.headers["access-control-allow-origin"] == "https://app.example"
    assert "etag" in response.headers["access-control-expose-headers"].lower()


async def test_without_origins_there_is_no_cors(client):
    """Unless configured, no page of another origin may read anything."""
    response = await client.get("/v1/instances/I1", headers={"origin": "https://app.example"})
    assert "access-control-allow-origin" not in response.headers
