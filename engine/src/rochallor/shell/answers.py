"""From the engine's state to the contract's messages."""

from __future__ import annotations

from msgspec import Raw

from rochallor.core.definition import Definition
from rochallor.core.ids import step_execution_id
from rochallor.core.model import Instance
from rochallor.core.variables import encode_variables
from rochallor.ports import ClaimedJob, StoredDefinition, UserTaskRow
from rochallor.shell.views import DefinitionSummary, InstanceView, JobView, UserTaskView, moment


def instance_view(instance: Instance) -> InstanceView:
    """Return an instance as callers see it."""
    done_ms = instance.completed_at_ms
    return InstanceView(
        id=instance.id,
        definition_id=instance.definition_id,
        definition_version=instance.definition_version,
        status=instance.status.value,
        current_step_ids=instance.current_step_ids,
        variables=Raw(encode_variables(instance.variables)),
        started_at=moment(instance.started_at_ms),
        completed_at=moment(done_ms) if done_ms is not None else None,
        failure_reason=instance.failure_reason,
        business_key=instance.business_key,
        parent_instance_id=instance.parent_instance_id,
        child_instance_id=instance.child_instance_id,
        revision=instance.revision,
    )


def job_view(claimed: ClaimedJob, traceparent: str | None) -> JobView:
    """Return a job as its worker sees it; `traceparent` is what the worker's spans belong under."""
    job = claimed.job
    return JobView(
        id=str(job),
        instance_id=job.instance_id,
        step_id=claimed.step_id,
        step_execution_id=step_execution_id(job.instance_id, job.seq),
        job_type=claimed.job_type,
        retries_remaining=claimed.retries_remaining,
        variables=Raw(claimed.variables),
        lock_expires_at=moment(claimed.lease_expires_at_ms),
        status="LOCKED",
        worker_id=claimed.worker_id,
        locked_at=moment(claimed.locked_at_ms),
        created_at=moment(claimed.created_at_ms),
        lease_token=claimed.lease_token,
        attempt=job.delivery,
        business_key=claimed.business_key,
        definition_id=claimed.definition_id,
        definition_version=claimed.definition_version,
        traceparent=traceparent,
    )


def summary_of(stored: StoredDefinition) -> DefinitionSummary:
    """Return a definition as a list shows it."""
    return DefinitionSummary(
        id=stored.id,
        version=stored.version,
        name=stored.name,
        description=stored.description or None,
        uploaded_at=moment(stored.uploaded_at_ms),
    )


def task_view(row: UserTaskRow, definition: Definition, instance: Instance | None) -> UserTaskView:
    """Return a user task as a list shows it; `instance` is given while the task is open."""
    step = definition.step(row.step_id)
    entered = instance.open.get(row.seq) if instance else None
    due_ms = min((timer.due_ms for timer in entered.timers), default=None) if entered else None
    return UserTaskView(
        id=step_execution_id(row.instance_id, row.seq),
        instance_id=row.instance_id,
        step_id=row.step_id,
        definition_id=row.definition_id,
        definition_version=row.definition_version,
        business_key=row.business_key,
        status=row.status,
        created_at=moment(row.created_at_ms),
        name=step.name if step else None,
        description=(step.description or None) if step else None,
        due_at=moment(due_ms) if due_ms is not None else None,
        completed_at=moment(row.closed_at_ms) if row.status == "COMPLETED" and row.closed_at_ms is not None else None,
        completed_by=row.completed_by or None,
    )
