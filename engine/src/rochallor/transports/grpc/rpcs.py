"""The table of rpcs: each a few lines from a request to a call of the engine and back.

`RPCS` answers with one message, `STREAMS` with any number of them. For a method in neither, grpc itself answers
UNIMPLEMENTED.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import Message
from rochallor_proto import engine_pb2 as pb

from rochallor.transports.grpc import definitions, instances, jobs
from rochallor.transports.grpc.enums import INSTANCE_STATUSES, USER_TASK_STATUSES
from rochallor.transports.grpc.struct_json import struct_to_json

if TYPE_CHECKING:
    from rochallor.shell.engine import Engine

DEFAULT_MAX_JOBS = 1
"""How many jobs a poll that does not say gets; clients of the base contract expect one over gRPC."""


class Rpc(NamedTuple):
    """One row of the table: the request it takes, and what answers it (given the engine, the request, the call)."""

    request: type[Message]
    answer: Callable[[Engine, Any, Any], Awaitable[Message]]


class StreamRpc(NamedTuple):
    """One row of the table of streams: the request it takes, and what gives its messages."""

    request: type[Message]
    answer: Callable[[Engine, Any, Any], AsyncIterator[Message]]


async def _upload_definition(engine: Engine, request: pb.UploadDefinitionRequest, _call: Any) -> Message:
    raw, ordered = definitions.read_definition(request.definition)
    return definitions.upload_response(await engine.upload_definition(raw, ordered=ordered))


async def _get_definition(engine: Engine, request: pb.GetDefinitionRequest, _call: Any) -> Message:
    response = pb.GetDefinitionResponse()
    raw = await engine.get_definition(request.id, request.version or None)
    definitions.write_definition(response.definition, raw)
    return response


async def _list_definitions(engine: Engine, request: pb.ListDefinitionsRequest, _call: Any) -> Message:
    page = await engine.list_definitions(keyword=request.keyword, page=request.page, page_size=request.page_size)
    return pb.ListDefinitionsResponse(definitions=map(definitions.summary, page.items), total=page.total)


async def _start_instance(engine: Engine, request: pb.StartInstanceRequest, _call: Any) -> Message:
    view = await engine.start_instance(
        request.definition_id,
        version=request.definition_version or None,
        variables=_variables(request, "variables"),
        business_key=request.business_key or None,
    )
    return pb.StartInstanceResponse(instance=instances.instance(view))


async def _get_instance(engine: Engine, request: pb.GetInstanceRequest, _call: Any) -> Message:
    return pb.GetInstanceResponse(instance=instances.instance(await engine.get_instance(request.id)))


async def _get_history(engine: Engine, request: pb.GetInstanceHistoryRequest, _call: Any) -> Message:
    items = await engine.get_history(request.id)
    return pb.GetInstanceHistoryResponse(executions=map(instances.execution, items))


async def _cancel_instance(engine: Engine, request: pb.CancelInstanceRequest, _call: Any) -> Message:
    revision = request.expected_revision or None
    view = await engine.cancel_instance(request.id, reason=request.reason, expected_revision=revision)
    return pb.CancelInstanceResponse(instance=instances.instance(view))


async def _list_instances(engine: Engine, request: pb.ListInstancesRequest, _call: Any) -> Message:
    page = await engine.list_instances(
        definition_id=request.definition_id,
        status=INSTANCE_STATUSES.name(request.status, "/status"),
        business_key=request.business_key,
        page=request.page,
        page_size=request.page_size,
    )
    return pb.ListInstancesResponse(instances=map(instances.instance, page.items), total=page.total)


async def _poll_jobs(engine: Engine, request: pb.PollJobsRequest, call: Any) -> Message:
    poll = jobs.poll_of(request, call.time_remaining())
    room = jobs.room(engine.settings.poll_bytes, as_json=request.json_variables)
    views = await engine.poll_jobs(poll, default_max_jobs=DEFAULT_MAX_JOBS, max_bytes=room)
    response = pb.PollJobsResponse()
    jobs.add_jobs(response.jobs, views, as_json=request.json_variables)
    return response


async def _complete_job(engine: Engine, request: pb.CompleteJobRequest, _call: Any) -> Message:
    variables = jobs.completion_variables(request)
    await engine.complete_job(request.job_id, request.worker_id, variables=variables, lease_token=request.lease_token)
    return pb.CompleteJobResponse()


async def _fail_job(engine: Engine, request: pb.FailJobRequest, _call: Any) -> Message:
    await engine.fail_job(
        request.job_id,
        request.worker_id,
        message=request.error_message,
        retryable=request.retryable,
        lease_token=request.lease_token,
        retry_after_ms=request.retry_after_ms or None,
        error_code=request.error_code,
    )
    return pb.FailJobResponse()


async def _report_jobs(engine: Engine, request: pb.ReportJobsRequest, call: Any) -> Message:
    report = jobs.report_of(request, call.time_remaining())
    room = jobs.room(engine.settings.poll_bytes, as_json=request.poll.json_variables)
    view = await engine.report_jobs(report, default_max_jobs=DEFAULT_MAX_JOBS, max_bytes=room)
    response = pb.ReportJobsResponse()
    jobs.add_results(response.results, view.results)
    jobs.add_jobs(response.jobs, view.jobs, as_json=request.poll.json_variables)
    return response


async def _complete_user_task(engine: Engine, request: pb.CompleteUserTaskRequest, _call: Any) -> Message:
    await engine.complete_user_task(
        request.instance_id,
        request.user_task_step_id,
        completed_by=request.completed_by,
        result=_variables(request, "result"),
        expected_revision=request.expected_revision or None,
    )
    return pb.CompleteUserTaskResponse()


async def _signal_wait(engine: Engine, request: pb.SignalWaitRequest, _call: Any) -> Message:
    await engine.signal_wait(
        request.instance_id,
        request.wait_step_id,
        variables=_variables(request, "variables"),
        expected_revision=request.expected_revision or None,
    )
    return pb.SignalWaitResponse()


async def _retry_step(engine: Engine, request: pb.RetryStepRequest, _call: Any) -> Message:
    view = await engine.retry_step(
        request.instance_id,
        request.step_id,
        variables=_variables(request, "variables"),
        expected_revision=request.expected_revision or None,
    )
    return pb.RetryStepResponse(instance=instances.instance(view))


async def _await_instance(engine: Engine, request: pb.AwaitInstanceRequest, call: Any) -> Message:
    names = (INSTANCE_STATUSES.name(number, f"/until/{index}") for index, number in enumerate(request.until))
    until = [name for name in names if name]
    wait_ms = jobs.patience_ms(request.wait_ms, call.time_remaining())
    view = await engine.await_instance(request.id, wait_ms=wait_ms, until=until)
    return pb.AwaitInstanceResponse(instance=instances.instance(view.instance), reached=view.reached)


async def _watch_instance(engine: Engine, request: pb.WatchInstanceRequest, _call: Any) -> AsyncIterator[Message]:
    async for view in await engine.watch(request.id, request.after_revision):
        yield instances.event(view)


async def _list_user_tasks(engine: Engine, request: pb.ListUserTasksRequest, _call: Any) -> Message:
    page = await engine.list_user_tasks(
        instance_id=request.instance_id,
        definition_id=request.definition_id,
        status=USER_TASK_STATUSES.name(request.status, "/status"),
        page=request.page,
        page_size=request.page_size,
    )
    return pb.ListUserTasksResponse(tasks=map(instances.user_task, page.items), total=page.total)


async def _get_audit(engine: Engine, request: pb.GetInstanceAuditRequest, _call: Any) -> Message:
    entries = await engine.get_audit(request.id)
    return pb.GetInstanceAuditResponse(entries=map(instances.audit_entry, entries))


def _variables(request: Any, name: str) -> bytes | None:
    """Return a Struct of the request as JSON, None when it is absent."""
    return struct_to_json(getattr(request, name), f"/{name}") if request.HasField(name) else None


RPCS: dict[str, Rpc] = {
    "UploadDefinition": Rpc(pb.UploadDefinitionRequest, _upload_definition),
    "GetDefinition": Rpc(pb.GetDefinitionRequest, _get_definition),
    "ListDefinitions": Rpc(pb.ListDefinitionsRequest, _list_definitions),
    "StartInstance": Rpc(pb.StartInstanceRequest, _start_instance),
    "GetInstance": Rpc(pb.GetInstanceRequest, _get_instance),
    "GetInstanceHistory": Rpc(pb.GetInstanceHistoryRequest, _get_history),
    "CancelInstance": Rpc(pb.CancelInstanceRequest, _cancel_instance),
    "ListInstances": Rpc(pb.ListInstancesRequest, _list_instances),
    "PollJobs": Rpc(pb.PollJobsRequest, _poll_jobs),
    "CompleteJob": Rpc(pb.CompleteJobRequest, _complete_job),
    "FailJob": Rpc(pb.FailJobRequest, _fail_job),
    "ReportJobs": Rpc(pb.ReportJobsRequest, _report_jobs),
    "CompleteUserTask": Rpc(pb.CompleteUserTaskRequest, _complete_user_task),
    "SignalWait": Rpc(pb.SignalWaitRequest, _signal_wait),
    "RetryStep": Rpc(pb.RetryStepRequest, _retry_step),
    "AwaitInstance": Rpc(pb.AwaitInstanceRequest, _await_instance),
    "ListUserTasks": Rpc(pb.ListUserTasksRequest, _list_user_tasks),
    "GetInstanceAudit": Rpc(pb.GetInstanceAuditRequest, _get_audit),
}

STREAMS: dict[str, StreamRpc] = {
    "WatchInstance": StreamRpc(pb.WatchInstanceRequest, _watch_instance),
}
