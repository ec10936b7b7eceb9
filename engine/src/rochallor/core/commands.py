"""What can be asked of an instance: imperative, frozen, already decoded.

Every transport builds these very values, so REST, gRPC, sweepers and tests cannot differ in what they ask. Each command
names the one instance it is about; `actor` is who asks, for the audit.
"""

from __future__ import annotations

import msgspec

from rochallor.core.ids import JobRef
from rochallor.core.variables import Variables

SYSTEM = "engine"


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What all commands have: the instance, who asks, and the trace that the request is part of (W3C)."""

    instance_id: str
    actor: str = ""
    traceparent: str | None = None

    @property
    def kind(self) -> str:
        """The command's name, as the audit shows it."""
        return type(self).__name__


class StartInstance(Command, frozen=True):
    """Begin a run of a definition version, by a caller or as the next workflow of `parent_instance_id`."""

    variables: Variables = {}
    business_key: str | None = None
    parent_instance_id: str | None = None


class CompleteJob(Command, frozen=True):
    """A worker's success. Without `lease_token` the worker id must match the holder."""

    job: JobRef
    worker_id: str
    variables: Variables = {}
    lease_token: str = ""


class FailJob(Command, frozen=True):
    """A worker's failure; `retry_after_ms` overrides the step's retry policy for this one time."""

    job: JobRef
    worker_id: str
    retryable: bool
    message: str
    lease_token: str = ""
    retry_after_ms: int | None = None
    error_code: str = ""


class ExpireLease(Command, frozen=True):
    """The lease of this delivery ran out: queue the job again as a new delivery."""

    job: JobRef


class FireTimer(Command, frozen=True):
    """The `index`-th boundary timer of an open step is due."""

    seq: int
    index: int


class CompleteUserTask(Command, frozen=True):
    """A person's (or their application's) result for an open user task."""

    step_id: str
    completed_by: str = ""
    result: Variables = {}
    expected_revision: int | None = None


class SignalWait(Command, frozen=True):
    """The outside event a WAIT step is parked for."""

    step_id: str
    variables: Variables = {}
    expected_revision: int | None = None


class CancelInstance(Command, frozen=True):
    """Stop the instance for good."""

    reason: str = ""
    expected_revision: int | None = None


class RetryStep(Command, frozen=True):
    """Bring a failed instance back to where its step `step_id` failed it."""

    step_id: str
    variables: Variables = {}
    expected_revision: int | None = None


class LinkChild(Command, frozen=True):
    """The next workflow of this completed instance has started as `child_instance_id`."""

    child_instance_id: str
