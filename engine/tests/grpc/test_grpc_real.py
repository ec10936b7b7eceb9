"""The real engine behind the real server: a whole life of an instance over gRPC alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from rochallor.shell.clocks import SystemClock, SystemEntropy
from rochallor.shell.engine import Engine
from rochallor.stores.memory import MemoryStore
from rochallor.transports.grpc import bind, create_server
from rochallor_proto import engine_pb2 as pb
from rochallor_proto import engine_pb2_grpc

ORDER = pb.WorkflowDefinition(
    id="order",
    name="Order",
    steps=[
        {"id": "charge", "name": "Charge", "type": pb.STEP_TYPE_SERVICE_TASK, "retry_count": 1, "next_step": "choose"},
        {
            "id": "choose",
            "name": "Choose",
            "type": pb.STEP_TYPE_DECISION,
            "conditional_next_steps": {"#paid == true": "approve", "#paid == false": "end"},
        },
        {"id": "approve", "name": "Approve", "type": pb.STEP_TYPE_USER_TASK, "next_step": "ship"},
        {"id": "ship", "name": "Ship", "type": pb.STEP_TYPE_WAIT, "next_step": "end"},
        {"id": "end", "name": "End", "type": pb.STEP_TYPE_END},
    ],
)


@pytest.fixture
async def real() -> AsyncIterator[Any]:
    """A stub whose engine keeps its state in memory, with the order workflow uploaded."""
    engine = Engine(MemoryStore(), clock=SystemClock(), entropy=SystemEntropy())
    await engine.start()
    server = create_server(engine)
    port = bind(server, "127.0.0.1", 0)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = engine_pb2_grpc.WorkflowEngineStub(channel)
        await stub.UploadDefinition(pb.UploadDefinitionRequest(definition=ORDER))
        yield stub
    await server.stop(None)
    await engine.stop()


async def start(stub: Any, **fields: Any) -> pb.WorkflowInstance:
    return (await stub.StartInstance(pb.StartInstanceRequest(definition_id="order", **fields))).instance


async def one_job(stub: Any, **fields: Any) -> pb.Job:
    request = pb.PollJobsRequest(worker_id="w", job_types=["charge"], wait_ms=2_000, **fields)
    return (await stub.PollJobs(request)).jobs[0]


async def status_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


async def test_an_instance_lives_from_upload_to_end(real):
    """Job, decision, user task, signal and END, with the history to show for it."""
    instance = await start(real, variables={"amount": 10.0}, business_key="k1")
    job = await one_job(real)
    assert (job.instance_id, job.business_key, dict(job.variables)) == (instance.id, "k1", {"amount": 10})
    done = pb.CompleteJobRequest(
        job_id=job.id, worker_id="w", lease_token=job.lease_token, variables_json=b'{"paid":true}'
    )
    await real.CompleteJob(done)
    await real.CompleteJob(done)
    tasks = (await real.ListUserTasks(pb.ListUserTasksRequest(instance_id=instance.id))).tasks
    assert [task.step_id for task in tasks] == ["approve"]
    await real.CompleteUserTask(pb.CompleteUserTaskRequest(instance_id=instance.id, user_task_step_id="approve"))
    await real.SignalWait(pb.SignalWaitRequest(instance_id=instance.id, wait_step_id="ship", variables={"at": "dock"}))
    answer = await real.AwaitInstance(pb.AwaitInstanceRequest(id=instance.id, wait_ms=2_000))
    assert (answer.reached, answer.instance.status) == (True, pb.INSTANCE_STATUS_COMPLETED)
    assert dict(answer.instance.variables) == {"amount": 10, "paid": True, "at": "dock"}
    history = (await real.GetInstanceHistory(pb.GetInstanceHistoryRequest(id=instance.id))).executions
    assert [row.step_id for row in history] == ["charge", "choose", "approve", "ship", "end"]
    assert {row.status for row in history} == {pb.STEP_EXECUTION_STATUS_COMPLETED}
    audit = (await real.GetInstanceAudit(pb.GetInstanceAuditRequest(id=instance.id))).entries
    assert [entry.revision for entry in audit] == list(range(1, len(audit) + 1))


async def test_an_upload_without_order_is_the_version_that_has_one(real):
    """A bare map equal to the latest version but for its order is that version, and the order stays."""
    ordered = pb.WorkflowDefinition()
    ordered.CopyFrom(ORDER)
    for expression in ("#paid == true", "#paid == false"):
        target = ORDER.steps[1].conditional_next_steps[expression]
        ordered.steps[1].ordered_conditions.add(expression=expression, next_step=target)
    versions = [
        (await real.UploadDefinition(pb.UploadDefinitionRequest(definition=each))).version
        for each in (ordered, ORDER, ordered)
    ]
    assert versions == [2, 2, 2]
    step = (await real.GetDefinition(pb.GetDefinitionRequest(id="order"))).definition.steps[1]
    assert [each.expression for each in step.ordered_conditions] == ["#paid == true", "#paid == false"]


async def test_a_failed_step_is_retried_by_hand(real):
    """Fail without retry, FAILED, RetryStep, a fresh job, completed."""
    instance = await start(real)
    job = await one_job(real)
    failed = pb.JobFailed(error_message="no card")
    await real.ReportJobs(pb.ReportJobsRequest(worker_id="w", outcomes=[{"job_id": job.id, "failed": failed}]))
    found = (await real.GetInstance(pb.GetInstanceRequest(id=instance.id))).instance
    assert (found.status, "no card" in found.failure_reason) == (pb.INSTANCE_STATUS_FAILED, True)
    request = pb.RetryStepRequest(instance_id=instance.id, step_id="charge", variables={"card": 1})
    assert (await real.RetryStep(request)).instance.status == pb.INSTANCE_STATUS_ACTIVE
    again = await one_job(real, json_variables=True)
    assert again.variables_json == b'{"card":1}'
    outcome = {"job_id": again.id, "completed": {"variables_json": b'{"paid":false}'}}
    report = await real.ReportJobs(pb.ReportJobsRequest(worker_id="w", outcomes=[outcome]))
    assert report.results[0].status == pb.JOB_OUTCOME_STATUS_ACCEPTED


async def test_a_cancel_tells_its_reason(real):
    """The answer shows the end, and a second cancel is refused."""
    instance = await start(real)
    cancelled = (await real.CancelInstance(pb.CancelInstanceRequest(id=instance.id, reason="mistake"))).instance
    assert (cancelled.status, cancelled.failure_reason) == (pb.INSTANCE_STATUS_CANCELLED, "mistake")
    again = real.CancelInstance(pb.CancelInstanceRequest(id=instance.id))
    assert await status_of(again) is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("rpc", "message", "status"),
    [
        ("StartInstance", pb.StartInstanceRequest(definition_id="nobody"), "NOT_FOUND"),
        ("GetDefinition", pb.GetDefinitionRequest(id="order", version=9), "NOT_FOUND"),
        ("GetInstance", pb.GetInstanceRequest(id="x"), "NOT_FOUND"),
        ("GetInstance", pb.GetInstanceRequest(id="a\0b"), "INVALID_ARGUMENT"),
        ("CompleteJob", pb.CompleteJobRequest(job_id="x", worker_id="w"), "NOT_FOUND"),
        ("PollJobs", pb.PollJobsRequest(worker_id="w"), "INVALID_ARGUMENT"),
        ("ListInstances", pb.ListInstancesRequest(page=-1), "INVALID_ARGUMENT"),
        ("ListDefinitions", pb.ListDefinitionsRequest(page_size=-1), "INVALID_ARGUMENT"),
        ("ListUserTasks", pb.ListUserTasksRequest(page=-1), "INVALID_ARGUMENT"),
        ("UploadDefinition", pb.UploadDefinitionRequest(), "INVALID_ARGUMENT"),
    ],
)
async def test_wrong_requests_have_their_status(real, rpc, message, status):
    """Unknown, malformed and out of range are told apart."""
    assert (await status_of(getattr(real, rpc)(message))).name == status


async def test_a_business_key_in_use_already_exists(real):
    """The second start with the key of an instance in flight is ALREADY_EXISTS."""
    await start(real, business_key="k")
    second = real.StartInstance(pb.StartInstanceRequest(definition_id="order", business_key="k"))
    assert await status_of(second) is grpc.StatusCode.ALREADY_EXISTS
