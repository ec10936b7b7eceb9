"""WatchInstance over a real server: the same revisions as REST tells, resumed, ended, cancelled."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import grpc
import httpx
import pytest
from google.protobuf import json_format
from rochallor.core.errors import Unavailable
from rochallor.shell.clocks import SystemEntropy
from rochallor.shell.engine import Engine
from rochallor.shell.views import moment
from rochallor.stores.memory import MemoryStore
from rochallor.transports.grpc import bind, create_server, instances
from rochallor.transports.rest import create_app
from rochallor_proto import engine_pb2 as pb
from rochallor_proto import engine_pb2_grpc

PATIENT_S = 10.0
REVIEW = {"id": "review", "name": "Review", "type": pb.STEP_TYPE_USER_TASK, "next_step": "ship"}
SHIP = {"id": "ship", "name": "Ship", "type": pb.STEP_TYPE_WAIT, "next_step": "end"}
END = {"id": "end", "name": "End", "type": pb.STEP_TYPE_END}
REVIEW["boundary_events"] = [
    {"type": pb.BOUNDARY_EVENT_TYPE_TIMER, "duration": "PT1H", "interrupting": True, "target_step_id": "end"}
]


class StillClock:
    """Time that stands still, at a moment that both transports spell with three digits of a second."""

    def now_ms(self) -> int:
        return 1_790_000_000_123


@pytest.fixture
async def real():
    """A running engine with `stub`, `engine`, `seen` (rpc, status) and the id of an `instance` of REVIEW, SHIP, END."""
    engine = Engine(MemoryStore(), clock=StillClock(), entropy=SystemEntropy())
    await engine.start()
    seen = []
    server = create_server(engine, observe=lambda name: lambda status: seen.append((name, status)))
    port = bind(server, "127.0.0.1", 0)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = engine_pb2_grpc.WorkflowEngineStub(channel)
        definition = pb.WorkflowDefinition(id="order", name="Order", steps=[REVIEW, SHIP, END])
        await stub.UploadDefinition(pb.UploadDefinitionRequest(definition=definition))
        request = pb.StartInstanceRequest(definition_id="order", variables={"amount": 10})
        started = await stub.StartInstance(request)
        yield SimpleNamespace(stub=stub, engine=engine, seen=seen, instance=started.instance.id)
    await server.stop(None)
    await engine.stop()


async def finish(real):
    """Bring the instance to its end: three revisions."""
    task = pb.CompleteUserTaskRequest(instance_id=real.instance, user_task_step_id="review", result={"ok": True})
    await real.stub.CompleteUserTask(task)
    await real.stub.SignalWait(pb.SignalWaitRequest(instance_id=real.instance, wait_step_id="ship"))


def watch(real, after_revision=0):
    return real.stub.WatchInstance(pb.WatchInstanceRequest(id=real.instance, after_revision=after_revision))


async def read(call):
    return await asyncio.wait_for(call.read(), PATIENT_S)


@pytest.mark.parametrize("after", [0, 1, 2, 3])
async def test_a_watch_tells_what_follows_a_revision_and_ends(real, after):
    """The stream has exactly the missing revisions, and ends well after the final one."""
    await finish(real)
    assert [event.revision async for event in watch(real, after)] == [1, 2, 3][after:]
    assert ("WatchInstance", "OK") in real.seen


async def test_a_commit_is_told_to_who_watches(real):
    """What is committed during the watch comes without being asked for again."""
    call = watch(real)
    assert (await read(call)).status == pb.INSTANCE_STATUS_WAITING
    await finish(real)
    told = [await read(call), await read(call)]
    assert [(event.revision, list(event.current_step_ids)) for event in told] == [(2, ["ship"]), (3, [])]
    assert await read(call) is grpc.aio.EOF


async def test_both_transports_tell_the_same(real):
    """Event by event, field by field, the gRPC stream is the REST stream."""
    await finish(real)
    over_grpc = [json_format.MessageToDict(event, preserving_proto_field_name=False) async for event in watch(real)]
    transport = httpx.ASGITransport(create_app(real.engine))
    async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
        text = (await client.get(f"/v1/instances/{real.instance}/events")).text
    over_rest = [json.loads(line.removeprefix("data: ")) for line in text.split("\n") if line.startswith("data: ")]
    for event in over_grpc:
        event["revision"] = int(event["revision"])
        event["status"] = event["status"].removeprefix("INSTANCE_STATUS_")
        event.setdefault("currentStepIds", [])
    assert over_grpc == over_rest


async def test_a_cancelled_watch_leaves_nobody_waiting(real):
    """A client that has seen enough takes its watch with it."""
    call = watch(real)
    await read(call)
    call.cancel()
    while ("WatchInstance", "CANCELLED") not in real.seen:
        await real.stub.GetInstance(pb.GetInstanceRequest(id=real.instance))
    assert not real.engine.executor.watchers._events


@pytest.mark.parametrize(
    ("request_message", "code"),
    [
        (pb.WatchInstanceRequest(id="nobody"), grpc.StatusCode.NOT_FOUND),
        (pb.WatchInstanceRequest(id="a\0b"), grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_what_is_not_there_cannot_be_watched(real, request_message, code):
    """A refusal is the status of the stream, and observed."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await real.stub.WatchInstance(request_message).read()
    assert caught.value.code() is code
    assert ("WatchInstance", code.name) in real.seen


async def test_a_watcher_ahead_of_the_record_is_refused(real):
    """It has seen another record; waiting would not help it."""
    with pytest.raises(grpc.aio.AioRpcError, match="its latest is 1") as caught:
        await watch(real, 2).read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stopping_engine_sends_its_watchers_elsewhere(real):
    """UNAVAILABLE means to come again, unlike the end of a stream."""
    call = watch(real)
    await read(call)
    real.engine.live.end()
    with pytest.raises(grpc.aio.AioRpcError, match="watch again") as caught:
        await read(call)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_an_unobserved_stream_is_the_same(engine, instance_view):
    """Without metrics a stream is refused and served as with them."""

    async def watched(*_args):
        raise Unavailable("gone")

    engine.watch = watched
    server = create_server(engine)
    port = bind(server, "127.0.0.1", 0)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = engine_pb2_grpc.WorkflowEngineStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.WatchInstance(pb.WatchInstanceRequest(id=instance_view.id)).read()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    await server.stop(None)


async def test_a_revision_too_large_to_receive_comes_without_details(real, monkeypatch):
    """A client with the usual limit gets past any revision."""
    await finish(real)
    whole = await read(watch(real))
    assert whole.changes[0].HasField("detail")
    monkeypatch.setattr(instances, "MAX_EVENT_BYTES", 10)
    cut = await read(watch(real))
    assert [change.kind for change in cut.changes] == [change.kind for change in whole.changes]
    assert not any(change.HasField("detail") for change in cut.changes)


async def test_get_tells_why_an_instance_waits_and_start_does_not(real):
    """GetInstance says what each open step waits for, with the times as timestamps."""
    found = (await real.stub.GetInstance(pb.GetInstanceRequest(id=real.instance))).instance
    listed = (await real.stub.ListInstances(pb.ListInstancesRequest())).instances[0]
    task, timer = found.waiting_for
    assert (task.kind, task.step_id) == (pb.WAITING_KIND_USER_TASK, "review")
    assert (timer.kind, moment(timer.due_at.ToMilliseconds()) in timer.detail) == (pb.WAITING_KIND_TIMER, True)
    assert timer.due_at.seconds - timer.since.seconds == 3_600
    assert not listed.waiting_for
