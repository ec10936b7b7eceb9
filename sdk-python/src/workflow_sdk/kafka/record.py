"""Reads the record of a job: a `JobDispatchEvent` of the wire contract, protobuf.

Fields are known by number, so unknown ones are skipped and a higher `schema_version` is welcome. A record that lacks
what no worker can do without is corrupt, and stays so however often it is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from rochallor_proto.engine_pb2 import JobDispatchEvent

from workflow_sdk.json_types import is_dict
from workflow_sdk.kafka.port import Record

DEDUP_HEADER = "dedup-id"

# The job's key, as every worker knows it, and the field of the record it comes from.
FIELDS = {
    "id": "job_id",
    "jobType": "job_type",
    "instanceId": "instance_id",
    "stepExecutionId": "step_execution_id",
    "retriesRemaining": "retries_remaining",
}
REQUIRED = ("job_id", "job_type")
"""Without these nobody can be found to do the job, and nothing can be reported."""


class CorruptRecord(ValueError):
    """The record is not a job; reading it again will not change that."""


@dataclass(frozen=True)
class Dispatched:
    """A job as it was published.

    Args:
        job: as a poll would have brought it.
        dedup_key: the same for every copy of this publication, different for the next try of the job.

    """

    job: dict[str, Any]
    dedup_key: str


def read(record: Record) -> Dispatched:
    """Return the job of a record.

    Raises:
        CorruptRecord: with a sentence that says why, and shows no variables.

    """
    event = _event(record.value)
    missing = [name for name in REQUIRED if not getattr(event, name)]
    if missing:
        raise CorruptRecord(f"{' and '.join(missing)} missing: this is no JobDispatchEvent of an engine")
    job = {key: getattr(event, field) for key, field in FIELDS.items()}
    job["variables"] = _variables(event.job_payload)
    header = record.headers.get(DEDUP_HEADER, b"").decode("utf-8", "replace")
    # A publication without an id of its own is at least told from the next try of the same job.
    dedup_key = event.dedup_id or header or f"{event.job_id}/{event.retries_remaining}"
    return Dispatched(job, dedup_key)


def _event(value: bytes | None) -> JobDispatchEvent:
    try:
        return JobDispatchEvent.FromString(value or b"")
    except DecodeError as error:
        raise CorruptRecord(
            f"not a protobuf message ({error}): something else than an engine wrote to this topic"
        ) from error


def _variables(payload: bytes) -> dict[str, Any]:
    if not payload:
        return {}
    try:
        variables = json.loads(payload)
    except ValueError as error:
        raise CorruptRecord(f"job_payload is not JSON: {type(error).__name__}") from error
    if variables is None:
        return {}
    if not is_dict(variables):
        raise CorruptRecord(f"job_payload is JSON, but not an object: {type(variables).__name__}")
    return variables
