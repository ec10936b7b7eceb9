"""What the engine answers: one struct per message of the contract, the same for every transport.

Field names are the contract's (camelCase on the wire). Optional fields that are None are left out of JSON; times are
UTC datetimes; `variables`, `input` and `output` are JSON as it is stored.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

import msgspec
from msgspec import Raw

from rochallor.core.errors import Detail

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
T = TypeVar("T")


def moment(at_ms: int) -> datetime:
    """Return the UTC time of milliseconds since the epoch, exactly."""
    return _EPOCH + timedelta(milliseconds=at_ms)


class View(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """The base of all answers."""


class InstanceView(View, kw_only=True):
    """One instance. `revision` grows with every change and is also its ETag."""

    id: str
    definition_id: str
    definition_version: int
    status: str
    current_step_ids: list[str]
    variables: Raw
    started_at: datetime
    completed_at: datetime | None = None
    failure_reason: str | None = None
    business_key: str | None = None
    parent_instance_id: str | None = None
    child_instance_id: str | None = None
    revision: int


class HistoryItem(View, kw_only=True):
    """One step execution. A step that an END abandoned stays RUNNING, with `closed_at` and `closed_by`."""

    id: str
    instance_id: str
    step_id: str
    step_type: str
    attempt_number: int
    status: str
    started_at: datetime
    ended_at: datetime | None = None
    failure_reason: str | None = None
    input: Raw | None = None
    output: Raw | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None


class JobView(View, kw_only=True):
    """A job handed to a worker. `attempt` is the delivery number of its step execution, from 1."""

    id: str
    instance_id: str
    step_id: str
    step_execution_id: str
    job_type: str
    retries_remaining: int
    variables: Raw
    lock_expires_at: datetime
    status: str
    worker_id: str
    locked_at: datetime
    created_at: datetime
    lease_token: str
    attempt: int
    business_key: str | None = None
    definition_id: str
    definition_version: int


class UploadView(View, kw_only=True):
    """The answer to an upload; `warnings` are things that work and are probably not meant."""

    id: str
    version: int
    name: str
    description: str | None = None
    uploaded_at: datetime
    warnings: tuple[Detail, ...] = ()


class DefinitionSummary(View, kw_only=True):
    """A definition in a list: its newest version."""

    id: str
    version: int
    name: str
    description: str | None = None
    uploaded_at: datetime


class UserTaskView(View, kw_only=True):
    """A user task in a list."""

    id: str
    instance_id: str
    step_id: str
    definition_id: str
    definition_version: int
    business_key: str | None = None
    status: str
    created_at: datetime
    closed_at: datetime | None = None
    completed_by: str | None = None


class AuditEntry(View, kw_only=True):
    """Who did what to an instance, when; `detail` holds the command's events as JSON."""

    revision: int
    instance_id: str
    actor: str
    kind: str
    at: datetime
    detail: Raw


class Page(View, Generic[T], kw_only=True):
    """One page of a list; `page` counts from 0."""

    items: list[T]
    page: int
    page_size: int
    total: int


class OutcomeResult(View, kw_only=True):
    """What became of one reported outcome: ACCEPTED, STALE, NOT_FOUND or REJECTED (`message` says why)."""

    job_id: str
    status: str
    message: str | None = None
    lock_expires_at: datetime | None = None


class ReportView(View, kw_only=True):
    """The answer to a batch of reports, with the jobs polled in the same round trip."""

    results: list[OutcomeResult]
    jobs: list[JobView]


class AwaitView(View, kw_only=True):
    """The instance, and whether it reached one of the awaited states in time."""

    instance: InstanceView
    reached: bool
