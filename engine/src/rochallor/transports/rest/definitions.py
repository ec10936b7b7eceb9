"""Versioned graphs of steps: upload, look, list."""

from __future__ import annotations

from rochallor.shell.engine import Engine
from rochallor.transports.rest.answers import Answer, ok
from rochallor.transports.rest.call import Call
from rochallor.transports.rest.query import whole_number


async def upload(engine: Engine, call: Call) -> Answer:
    """POST /v1/definitions. The text is the engine's to read: it keeps the author's order of keys."""
    raw = await call.raw(engine.settings.max_definition_bytes)
    return ok(await engine.upload_definition(raw), 201)


async def get(engine: Engine, call: Call) -> Answer:
    """GET /v1/definitions/{id}."""
    return Answer(200, await engine.get_definition(call.ids[0]))


async def get_version(engine: Engine, call: Call) -> Answer:
    """GET /v1/definitions/{id}/versions/{version}."""
    definition_id, version = call.ids
    return Answer(200, await engine.get_definition(definition_id, whole_number("version", version, least=1)))


async def listing(engine: Engine, call: Call) -> Answer:
    """GET /v1/definitions."""
    query = call.query
    page = await engine.list_definitions(
        keyword=query.text("keyword"), page=query.number("page"), page_size=query.number("pageSize")
    )
    return ok(page)
