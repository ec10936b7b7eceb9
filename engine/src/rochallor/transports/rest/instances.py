"""Runs of a definition: start, look, list, wait, cancel, retry. An instance is always answered with its ETag."""

from __future__ import annotations

from rochallor.shell.engine import Engine
from rochallor.transports.rest import answers
from rochallor.transports.rest.answers import Answer, ok
from rochallor.transports.rest.bodies import CANCEL, RETRY, START, variables_of
from rochallor.transports.rest.call import Call


async def start(engine: Engine, call: Call) -> Answer:
    """POST /v1/instances."""
    body = await call.read(START)
    view = await engine.start_instance(
        body.definition_id,
        version=body.definition_version or None,
        variables=variables_of(body.variables, "/variables"),
        business_key=body.business_key or None,
    )
    return answers.instance(view, 201)


async def get(engine: Engine, call: Call) -> Answer:
    """GET /v1/instances/{id}."""
    return answers.instance(await engine.get_instance(call.ids[0]))


async def listing(engine: Engine, call: Call) -> Answer:
    """GET /v1/instances."""
    query = call.query
    page = await engine.list_instances(
        definition_id=query.text("definitionId"),
        status=query.text("status"),
        business_key=query.text("businessKey"),
        page=query.number("page"),
        page_size=query.number("pageSize"),
    )
    return ok(page)


async def history(engine: Engine, call: Call) -> Answer:
    """GET /v1/instances/{id}/history."""
    return ok({"items": await engine.get_history(call.ids[0])})


async def audit(engine: Engine, call: Call) -> Answer:
    """GET /v1/instances/{id}/audit."""
    return ok({"items": await engine.get_audit(call.ids[0])})


async def wait(engine: Engine, call: Call) -> Answer:
    """GET /v1/instances/{id}/await."""
    query = call.query
    wait_ms = min(query.number("waitMs", most=10**10), engine.settings.max_wait_ms)
    work = engine.await_instance(call.ids[0], wait_ms=wait_ms, until=query.texts("until"))
    return ok(await (call.while_present(work) if wait_ms else work))


async def cancel(engine: Engine, call: Call) -> Answer:
    """POST /v1/instances/{id}/cancel."""
    body = await call.read(CANCEL)
    view = await engine.cancel_instance(call.ids[0], reason=body.reason or "", expected_revision=call.expected_revision)
    return answers.instance(view)


async def retry(engine: Engine, call: Call) -> Answer:
    """POST /v1/instances/{id}/steps/{stepId}/retry."""
    body = await call.read(RETRY)
    view = await engine.retry_step(
        call.ids[0],
        call.ids[1],
        variables=variables_of(body.variables, "/variables"),
        expected_revision=call.expected_revision,
    )
    return answers.instance(view)
