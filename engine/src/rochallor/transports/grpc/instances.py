"""Instances, their history, events, user tasks and audit trail, as messages."""

from __future__ import annotations

from rochallor_proto import engine_pb2 as pb

from rochallor.shell.views import (
    AuditEntry,
    HistoryItem,
    InstanceChangeView,
    InstanceEventView,
    InstanceView,
    UserTaskView,
    WaitingView,
)
from rochallor.transports.grpc.enums import (
    EXECUTION_STATUSES,
    INSTANCE_STATUSES,
    STEP_TYPES,
    USER_TASK_STATUSES,
    WAITING_KINDS,
)
from rochallor.transports.grpc.moments import timestamp
from rochallor.transports.grpc.struct_json import fill_struct

MAX_EVENT_BYTES = 3 * 1024 * 1024
"""Clients refuse more than 4 MiB, and a watcher that cannot take one revision would never get past it."""


def instance(view: InstanceView) -> pb.WorkflowInstance:
    """Return an instance."""
    message = pb.WorkflowInstance(
        id=view.id,
        definition_id=view.definition_id,
        definition_version=view.definition_version,
        status=INSTANCE_STATUSES.number(view.status),  # type: ignore[arg-type]  # the stubs want the enum's own type
        current_step_ids=view.current_step_ids,
        started_at=timestamp(view.started_at),
        completed_at=timestamp(view.completed_at),
        failure_reason=view.failure_reason or "",
        business_key=view.business_key or "",
        parent_instance_id=view.parent_instance_id or "",
        child_instance_id=view.child_instance_id or "",
        revision=view.revision,
        waiting_for=map(waiting, view.waiting_for),
    )
    fill_struct(message.variables, view.variables)
    return message


def waiting(view: WaitingView) -> pb.Waiting:
    """Return one thing that an instance waits for."""
    return pb.Waiting(
        step_id=view.step_id,
        step_execution_id=view.step_execution_id,
        kind=WAITING_KINDS.number(view.kind),  # type: ignore[arg-type]  # as above
        detail=view.detail,
        since=timestamp(view.since),
        due_at=timestamp(view.due_at),
        job_type=view.job_type or "",
        pollers=view.pollers or 0,
        worker_id=view.worker_id or "",
        lock_expires_at=timestamp(view.lock_expires_at),
    )


def event(view: InstanceEventView) -> pb.InstanceEvent:
    """Return one revision, without the details of its changes when they would make it too large to be received."""
    message = pb.InstanceEvent(
        instance_id=view.instance_id,
        revision=view.revision,
        at=timestamp(view.at),
        status=INSTANCE_STATUSES.number(view.status),  # type: ignore[arg-type]  # as above
        current_step_ids=view.current_step_ids,
        changes=map(_change, view.changes),
    )
    if message.ByteSize() > MAX_EVENT_BYTES:
        for change in message.changes:
            change.ClearField("detail")
    return message


def _change(view: InstanceChangeView) -> pb.InstanceChange:
    message = pb.InstanceChange(
        kind=view.kind, step_id=view.step_id or "", step_execution_id=view.step_execution_id or ""
    )
    if view.detail is not None:
        fill_struct(message.detail, view.detail)
    return message


def execution(item: HistoryItem) -> pb.StepExecution:
    """Return one row of a history."""
    message = pb.StepExecution(
        id=item.id,
        instance_id=item.instance_id,
        step_id=item.step_id,
        step_type=STEP_TYPES.number(item.step_type),  # type: ignore[arg-type]  # as above
        attempt_number=item.attempt_number,
        status=EXECUTION_STATUSES.number(item.status),  # type: ignore[arg-type]  # as above
        started_at=timestamp(item.started_at),
        ended_at=timestamp(item.ended_at),
        failure_reason=item.failure_reason or "",
        closed_at=timestamp(item.closed_at),
        closed_by=item.closed_by or "",
    )
    if item.input is not None:
        fill_struct(message.input, item.input)
    if item.output is not None:
        fill_struct(message.output, item.output)
    return message


def user_task(view: UserTaskView) -> pb.UserTask:
    """Return a user task of a list."""
    return pb.UserTask(
        id=view.id,
        instance_id=view.instance_id,
        step_id=view.step_id,
        definition_id=view.definition_id,
        definition_version=view.definition_version,
        business_key=view.business_key or "",
        status=USER_TASK_STATUSES.number(view.status),  # type: ignore[arg-type]  # as above
        created_at=timestamp(view.created_at),
        completed_at=timestamp(view.completed_at),
        due_at=timestamp(view.due_at),
        name=view.name or "",
        description=view.description or "",
        completed_by=view.completed_by or "",
    )


def audit_entry(entry: AuditEntry) -> pb.AuditEntry:
    """Return an audit entry."""
    message = pb.AuditEntry(
        instance_id=entry.instance_id,
        revision=entry.revision,
        at=timestamp(entry.at),
        actor=entry.actor,
        kind=entry.kind,
        step_id=entry.step_id or "",
    )
    fill_struct(message.detail, entry.detail)
    return message
