"""Bodies of requests, as structs: one struct per operation, decoded straight from the bytes.

`null` is the same as absent, unknown fields are ignored, and variables stay raw JSON (`Raw`, empty when absent), so
nothing is built that no one reads. A struct states types and ranges; what a decoder refuses becomes a 400 by
`rochallor.transports.rest.malformed`. A field that has to be there has no default.
"""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta, Raw

from rochallor.core.errors import BadRequest, Detail
from rochallor.shell.requests import JobCompleted, JobFailed, JobOutcome, LeaseExtension, Poll, Report
from rochallor.transports.rest.malformed import explain, refuse_repeated

Text = Annotated[str, Meta(min_length=1)]
Int32 = Annotated[int, Meta(ge=0, le=2**31 - 1)]
UInt32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Count = Annotated[int, Meta(ge=0)]
Types = Annotated[list[Text], Meta(min_length=1)]

T = TypeVar("T")


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """The base of bodies that are not the engine's own request structs."""


class StartBody(Body, rename="camel", kw_only=True):
    """POST /v1/instances."""

    definition_id: Text
    definition_version: Int32 | None = None
    variables: Raw = Raw()
    business_key: str | None = None


class CancelBody(Body, rename="camel", kw_only=True):
    """POST .../cancel."""

    reason: str | None = None


class RetryBody(Body, rename="camel", kw_only=True):
    """POST .../retry."""

    variables: Raw = Raw()


class CompleteTaskBody(Body, rename="camel", kw_only=True):
    """POST .../user-tasks/.../complete: two generations of clients, two spellings."""

    completed_by: str | None = None
    result: Raw = Raw()
    worker_id: str | None = None
    variables: Raw = Raw()


class CompleteJobBody(Body, rename="camel", kw_only=True):
    """POST /v1/jobs/{id}/complete."""

    worker_id: Text
    variables: Raw = Raw()
    lease_token: str | None = None


class FailJobBody(Body, rename="camel", kw_only=True):
    """POST /v1/jobs/{id}/fail."""

    worker_id: Text
    retryable: bool
    error_message: str
    lease_token: str | None = None
    retry_after_ms: UInt32 | None = None
    error_code: str | None = None


class PollBody(Poll, rename="camel", kw_only=True):
    """POST /v1/jobs/poll."""

    worker_id: Text
    job_types: Types
    max_jobs: Count | None = None
    wait_ms: Count | None = None


class ReportPollBody(Poll, rename="camel", kw_only=True):
    """The poll within a report; the worker is the report's if it names none."""

    worker_id: str | None = None  # type: ignore[assignment]  # null = absent on the wire; jobs.py fills it in
    job_types: Types
    max_jobs: Count | None = None
    wait_ms: Count | None = None


class CompletedBody(JobCompleted, rename="camel", kw_only=True):
    """A success within a report."""

    variables: Raw = Raw()


class FailedBody(JobFailed, rename="camel", kw_only=True):
    """A failure within a report."""

    error_message: str
    retryable: bool
    retry_after_ms: UInt32 | None = None


class OutcomeBody(JobOutcome, rename="camel", kw_only=True):
    """One outcome within a report."""

    job_id: Text
    completed: CompletedBody | None = None
    failed: FailedBody | None = None
    extend: LeaseExtension | None = None


class ReportBody(Report, rename="camel", kw_only=True):
    """POST /v1/jobs/report."""

    worker_id: Text
    outcomes: list[OutcomeBody] | None = None  # type: ignore[assignment]  # read only, so a narrower list is safe
    poll: ReportPollBody | None = None


class JsonBody(Generic[T]):
    """Reads bytes as one kind of body."""

    def __init__(self, kind: type[T], *, optional: bool = False) -> None:
        self._kind = kind
        self._optional = optional
        self._decode = msgspec.json.Decoder(kind).decode
        self._names = tuple(b'"%s"' % field.encode_name.encode() for field in msgspec.structs.fields(kind))  # type: ignore[arg-type]  # T is a Struct

    def read(self, body: bytes) -> T:
        """Return the struct; an optional body may be empty or null. Raises `BadRequest`."""
        if self._optional and body.strip() in {b"", b"null"}:
            return self._kind()
        try:
            if not body.isascii():
                body.decode()
            found = self._decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise explain(error, body) from None
        for name in self._names:
            if body.count(name) > 1:
                refuse_repeated(body)
                break
        return found


def variables_of(raw: Raw, pointer: str) -> bytes | None:
    """Return raw JSON that is an object, None for null or absent; raises `BadRequest` naming `pointer`."""
    data = bytes(raw)
    if data.startswith(b"{"):
        return data
    if data in {b"", b"null"}:
        return None
    message = f"{pointer} must be a JSON object (or null)"
    raise BadRequest(message, details=(Detail("FIELD_TYPE", pointer, message),))


START = JsonBody(StartBody)
CANCEL = JsonBody(CancelBody, optional=True)
RETRY = JsonBody(RetryBody, optional=True)
COMPLETE_TASK = JsonBody(CompleteTaskBody, optional=True)
COMPLETE_JOB = JsonBody(CompleteJobBody)
FAIL_JOB = JsonBody(FailJobBody)
POLL = JsonBody(PollBody)
REPORT = JsonBody(ReportBody)
