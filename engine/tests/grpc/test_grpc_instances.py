"""Instances, people and signals over gRPC."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw
from rochallor.shell.views import AuditEntry, AwaitView, Page, UserTaskView
from rochallor_proto import engine_pb2 as pb

AT = "1969-12-31T23:59:59.500Z"


async def test_an_instance_arrives_whole(engine, stub, instance_view):
    """Every field of an instance has its place; what is absent stays unset."""
    engine.script["get_instance"] = instance_view
    found = (await stub.GetInstance(pb.GetInstanceRequest(id="i"))).instance
    assert (found.definition_id, found.definition_version, found.revision) == ("loan", 3, 7)
    assert found.status == pb.INSTANCE_STATUS_WAITING
    assert list(found.current_step_ids) == ["review"]
    assert dict(found.variables) == {"amount": 10, "rate": 0.5}
    assert not found.HasField("completed_at")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, {"version": None, "variables": None, "business_key": None}),
        ({"variables": {}}, {"version": None, "variables": b"{}", "business_key": None}),
        (
            {"definition_version": 2, "variables": {"a": 1}, "business_key": "k"},
            {"version": 2, "variables": b'{"a":1}', "business_key": "k"},
        ),
    ],
    ids=["nothing", "empty variables", "all"],
)
async def test_a_start_brings_what_was_set(engine, stub, instance_view, sent, expected):
    """Zero, empty text and an unset Struct are absent; an empty Struct is not."""
    engine.script["start_instance"] = instance_view
    await stub.StartInstance(pb.StartInstanceRequest(definition_id="loan", **sent))
    assert engine.last == ("start_instance", ("loan",), expected)


async def test_a_history_row_arrives_whole(engine, stub, history_item):
    """Types, status, our additions, and the difference between no input and empty output."""
    engine.script["get_history"] = [history_item]
    row = (await stub.GetInstanceHistory(pb.GetInstanceHistoryRequest(id="i"))).executions[0]
    assert (row.step_type, row.status) == (pb.STEP_TYPE_SERVICE_TASK, pb.STEP_EXECUTION_STATUS_RUNNING)
    assert (row.HasField("ended_at"), row.HasField("input"), row.HasField("output")) == (False, False, True)
    assert (row.closed_by, row.closed_at.ToJsonString()) == ("END", "2026-03-01T12:00:00.123Z")


async def test_a_list_is_filtered_and_counted(engine, stub, instance_view):
    """The filter's enum becomes its name, and the total comes back."""
    engine.script["list_instances"] = Page(items=[instance_view], page=1, page_size=5, total=6)
    request = pb.ListInstancesRequest(definition_id="d", status=5, business_key="k", page=1, page_size=5)
    response = await stub.ListInstances(request)
    expected = {"definition_id": "d", "status": "CANCELLED", "business_key": "k", "page": 1, "page_size": 5}
    assert engine.last == ("list_instances", (), expected)
    assert (len(response.instances), response.total) == (1, 6)


@pytest.mark.parametrize(("revision", "expected"), [(0, None), (7, 7)])
async def test_a_cancel_may_name_a_revision(engine, stub, instance_view, revision, expected):
    """Revision 0 is any revision."""
    engine.script["cancel_instance"] = instance_view
    await stub.CancelInstance(pb.CancelInstanceRequest(id="i", reason="r", expected_revision=revision))
    assert engine.last == ("cancel_instance", ("i",), {"reason": "r", "expected_revision": expected})


async def test_a_retry_brings_variables(engine, stub, instance_view):
    """A manual retry names instance, step and variables, and answers with the instance."""
    engine.script["retry_step"] = instance_view
    response = await stub.RetryStep(pb.RetryStepRequest(instance_id="i", step_id="s", variables={"a": 1}))
    assert engine.last == ("retry_step", ("i", "s"), {"variables": b'{"a":1}', "expected_revision": None})
    assert response.instance.id == instance_view.id


async def test_a_user_task_is_completed(engine, stub):
    """Who did it and the result arrive."""
    request = pb.CompleteUserTaskRequest(
        instance_id="i", user_task_step_id="s", completed_by="ada", result={"ok": True}, expected_revision=4
    )
    await stub.CompleteUserTask(request)
    expected = {"completed_by": "ada", "result": b'{"ok":true}', "expected_revision": 4}
    assert engine.last == ("complete_user_task", ("i", "s"), expected)


async def test_a_wait_is_signalled(engine, stub):
    """A signal without variables is a signal."""
    await stub.SignalWait(pb.SignalWaitRequest(instance_id="i", wait_step_id="s"))
    assert engine.last == ("signal_wait", ("i", "s"), {"variables": None, "expected_revision": None})


async def test_awaiting_names_its_statuses(engine, stub, instance_view):
    """Statuses become names, unset ones are skipped, and the answer says whether one was reached."""
    engine.script["await_instance"] = AwaitView(instance=instance_view, reached=True)
    response = await stub.AwaitInstance(pb.AwaitInstanceRequest(id="i", wait_ms=50, until=[3, 0, 4]))
    assert engine.last == ("await_instance", ("i",), {"wait_ms": 50, "until": ["COMPLETED", "FAILED"]})
    assert response.reached


@pytest.mark.parametrize(("status", "completed"), [("COMPLETED", True), ("CANCELLED", False), ("OPEN", False)])
async def test_only_a_completed_user_task_has_a_completion_time(engine, stub, status, completed):
    """A task closed by anything but a person was not completed."""
    task = UserTaskView(
        id="i-1",
        instance_id="i",
        step_id="s",
        definition_id="d",
        definition_version=1,
        status=status,
        created_at=AT,
        completed_at=AT if status == "COMPLETED" else None,
    )
    engine.script["list_user_tasks"] = Page(items=[task], page=0, page_size=20, total=1)
    found = (await stub.ListUserTasks(pb.ListUserTasksRequest(status=1))).tasks[0]
    assert engine.last[2]["status"] == "OPEN"
    assert found.HasField("completed_at") is completed


async def test_times_before_1970_are_exact(engine, stub, instance_view):
    """Seconds round down and nanos count up, as protobuf wants it."""
    engine.script["get_instance"] = msgspec.structs.replace(instance_view, started_at=AT)
    found = (await stub.GetInstance(pb.GetInstanceRequest(id="i"))).instance.started_at
    assert (found.seconds, found.nanos) == (-1, 500_000_000)


async def test_an_audit_entry_carries_its_detail(engine, stub):
    """Who, what, where, and the events as a Struct."""
    entry = AuditEntry(
        revision=1, instance_id="i", actor="ada", kind="SignalWait", at=AT, step_id="hold", detail=Raw(b'{"a":1}')
    )
    engine.script["get_audit"] = [entry]
    found = (await stub.GetInstanceAudit(pb.GetInstanceAuditRequest(id="i"))).entries[0]
    assert (found.revision, found.actor, found.kind, found.step_id) == (1, "ada", "SignalWait", "hold")
    assert dict(found.detail) == {"a": 1}
