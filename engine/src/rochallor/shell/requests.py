"""What transports ask the engine that is more than a few plain arguments: polls and batches of reports."""

from __future__ import annotations

import msgspec
from msgspec import Raw


class Poll(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """A wish for jobs. 0 or absent means the default; `wait_ms` is how long an empty answer may take."""

    worker_id: str = ""
    job_types: list[str] | None = None
    max_jobs: int | None = None
    lease_seconds: int | None = None
    wait_ms: int | None = None


class JobCompleted(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """A success; `variables` is a JSON object or null."""

    variables: Raw | None = None


class JobFailed(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """A failure, as the worker tells it."""

    error_message: str = ""
    retryable: bool = False
    retry_after_ms: int | None = None
    error_code: str | None = None


class LeaseExtension(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """More time for a job that is still being worked on."""

    lease_seconds: int | None = None


class JobOutcome(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """One entry of a report: exactly one of `completed`, `failed`, `extend` is set."""

    job_id: str
    lease_token: str | None = None
    completed: JobCompleted | None = None
    failed: JobFailed | None = None
    extend: LeaseExtension | None = None


class Report(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """Many outcomes, and the next poll, in one round trip."""

    worker_id: str = ""
    outcomes: list[JobOutcome] | None = None
    poll: Poll | None = None
