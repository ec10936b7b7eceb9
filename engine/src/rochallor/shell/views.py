"""What the engine answers: one struct per message of the contract, the same for every transport.

Field names are the contract's (camelCase on the wire). Optional fields that are None are left out of JSON; times are
RFC 3339 text; `variables`, `input` and `output` are JSON as it is stored.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Generic, TypeVar

import msgspec
from msgspec import Raw

from rochallor.core.errors import Detail

T = TypeVar("T")


@lru_cache(maxsize=4_096)
def moment(at_ms: int) -> str:
    """Return milliseconds since the epoch as RFC 3339 in UTC, always with three digits of a second.

    Whatever happens in one commit happens at one moment, so the same ones are asked for again and again.
    """
    second, ms = divmod(at_ms, 1000)
    return f"{_second(second)}.{ms:03d}Z"


@lru_cache(maxsize=4_096)
def _second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class View(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True, gc=False):
    """The base of all answers."""


class WaitingView(View, kw_only=True):
    """One thing that an open step waits for; `detail` says it in a sentence.

    `kind`: SIGNAL, USER_TASK, JOB, TIMER or JOIN. `due_at`: when the timer fires, or a delayed job may be worked.
    `pollers` counts the polls that wait for the job type at this engine; `worker_id` holds the job.
    """

    step_id: str
    step_execution_id: str
    kind: str
    detail: str
    since: str
    due_at: str | None = None
    job_type: str | None = None
    pollers: int | None = None
    worker_id: str | None = None
    lock_expires_at: str | None = None


class InstanceView(View, kw_only=True):
    """One instance. `revision` grows with every change and is also its ETag.

    `waiting_for` is filled where one instance is looked at, not in lists and not by commands.
    """

    id: str
    definition_id: str
    definition_version: int
    status: str
    current_step_ids: list[str]
    variables: Raw
    started_at: str
    completed_at: str | None = None
    failure_reason: str | None = None
    business_key: str | None = None
    parent_instance_id: str | None = None
    child_instance_id: str | None = None
    revision: int
    waiting_for: list[WaitingView] = []


class HistoryItem(View, kw_only=True):
    """One step execution. A step that an END abandoned stays RUNNING, with `closed_at` and `closed_by`."""

    id: str
    instance_id: str
    step_id: str
    step_type: str
    attempt_number: int
    status: str
    started_at: str
    ended_at: str | None = None
    failure_reason: str | None = None
    input: Raw | None = None
    output: Raw | None = None
    closed_at: str | None = None
    closed_by: str | None = None


class JobView(View, kw_only=True):
    """A job handed to a worker. `attempt` is the delivery number of its step execution, from 1.

    `traceparent` is what the worker's own spans belong under.
    """

    id: str
    instance_id: str
    step_id: str
    step_execution_id: str
    job_type: str
    retries_remaining: int
    variables: Raw
    lock_expires_at: str
    status: str
    worker_id: str
    locked_at: str
    created_at: str
    lease_token: str
    attempt: int
    business_key: str | None = None
    definition_id: str
    definition_version: int
    traceparent: str | None = None


class UploadView(View, kw_only=True):
    """The answer to an upload; `warnings` are things that work and are probably not meant."""

    id: str
    version: int
    name: str
    description: str | None = None
    uploaded_at: str
    warnings: tuple[Detail, ...] = ()


class DefinitionSummary(View, kw_only=True):
    """A definition in a list: its newest version."""

    id: str
    version: int
    name: str
    description: str | None = None
    uploaded_at: str


class UserTaskView(View, kw_only=True):
    """A user task in a list, with its step's name; `due_at` is when its first timer fires."""

    id: str
    instance_id: str
    step_id: str
    definition_id: str
    definition_version: int
    business_key: str | None = None
    name: str | None = None
    description: str | None = None
    status: str
    created_at: str
    due_at: str | None = None
    completed_at: str | None = None
    completed_by: str | None = None


class AuditEntry(View, kw_only=True):
    """Who did what to an instance, when: `kind` is the command, `detail` its events as a JSON object."""

    revision: int
    instance_id: str
    actor: str
    kind: str
    at: str
    step_id: str | None = None
    detail: Raw


class InstanceChangeView(View, kw_only=True):
    """One thing that a revision changed: `kind` is the event, `detail` the rest of it as a JSON object."""

    kind: str
    step_id: str | None = None
    step_execution_id: str | None = None
    detail: Raw | None = None


class InstanceEventView(View, kw_only=True):
    """One committed revision, with the instance's status and steps after it."""

    instance_id: str
    revision: int
    at: str
    status: str
    current_step_ids: list[str]
    changes: list[InstanceChangeView]


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
    lock_expires_at: str | None = None


class ReportView(View, kw_only=True):
    """The answer to a batch of reports, with the jobs polled in the same round trip."""

    results: list[OutcomeResult]
    jobs: list[JobView]


class AwaitView(View, kw_only=True):
    """The instance, and whether it reached one of the awaited states in time."""

    instance: InstanceView
    reached: bool
