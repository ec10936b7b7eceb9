"""What people and other systems do for an instance: complete user tasks, signal waits; and the list of tasks."""

from __future__ import annotations

from rochallor.core.errors import BadRequest, Detail
from rochallor.shell.engine import Engine
from rochallor.transports.rest.answers import NO_CONTENT, Answer, ok
from rochallor.transports.rest.bodies import COMPLETE_TASK, CompleteTaskBody, variables_of
from rochallor.transports.rest.call import Call
from rochallor.transports.rest.malformed import check_map


async def complete(engine: Engine, call: Call) -> Answer:
    """POST /v1/instances/{instanceId}/user-tasks/{stepId}/complete."""
    body = await call.read(COMPLETE_TASK)
    await engine.complete_user_task(
        *call.ids,
        completed_by=body.completed_by or body.worker_id or "",
        result=_result(body),
        expected_revision=call.expected_revision,
    )
    return NO_CONTENT


async def signal(engine: Engine, call: Call) -> Answer:
    """POST /v1/instances/{instanceId}/signals/{waitStepId}: the body is the variable map itself."""
    body = (await call.raw()).strip()
    check_map(body)
    await engine.signal_wait(*call.ids, variables=body or None, expected_revision=call.expected_revision)
    return NO_CONTENT


async def listing(engine: Engine, call: Call) -> Answer:
    """GET /v1/user-tasks."""
    query = call.query
    page = await engine.list_user_tasks(
        instance_id=query.text("instanceId"),
        definition_id=query.text("definitionId"),
        status=query.text("status"),
        page=query.number("page"),
        page_size=query.number("pageSize"),
    )
    return ok(page)


def _result(body: CompleteTaskBody) -> bytes | None:
    result = variables_of(body.result, "/result")
    variables = variables_of(body.variables, "/variables")
    if result is not None and variables is not None:
        message = "the body has both result and variables, two spellings of one thing; send one of them"
        raise BadRequest(message, details=(Detail("FIELD_CONFLICT", "/variables", message),))
    return variables if result is None else result
