"""The record of a job is the wire contract's `JobDispatchEvent`: fields by number, unknown ones skipped."""

from __future__ import annotations

import json
from typing import Literal

import pytest
from rochallor_proto.engine_pb2 import JobDispatchEvent as Event
from workflow_sdk.kafka.port import Record
from workflow_sdk.kafka.record import FIELDS, CorruptRecord, read

# Every field of the record: its number on the wire, what is sent, and where a worker finds it.
CONTRACT: dict[str, tuple[int, int | str | bytes, str | None]] = {
    "schema_version": (1, 1, None),
    "dedup_id": (2, "01J0DEDUP", "dedup_key"),
    "job_id": (10, "01J0JOB", "id"),
    "instance_id": (11, "01J0INSTANCE", "instanceId"),
    "step_execution_id": (12, "01J0STEP", "stepExecutionId"),
    "job_type": (13, "charge-card", "jobType"),
    "retries_remaining": (20, 2, "retriesRemaining"),
    "job_payload": (30, b'{"amount": 12.5, "customer": {"name": "Ada"}}', "variables"),
    "created_at": (40, b"\x08\x80\xe2\xcf\xaa\x06", None),
}


def test_the_contract_has_no_other_field() -> None:
    """A field that is added has to be read, or to be named here as not needed."""
    assert {field.name: field.number for field in Event.DESCRIPTOR.fields} == {
        name: number for name, (number, *_) in CONTRACT.items()
    }
    assert {field for *_, field in CONTRACT.values()} - {None} == {*FIELDS, "dedup_key", "variables"}


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _field(number: int, value: int | str | bytes) -> bytes:
    """Encode a field as protobuf lays it down, without the generated code."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _record(
    without: str = "", /, headers: dict[str, bytes] | None = None, more: bytes = b"", **changed: int | str | bytes
) -> Record:
    fields = {name: changed.get(name, value) for name, (_, value, _) in CONTRACT.items() if name != without}
    value = b"".join(_field(CONTRACT[name][0], value) for name, value in fields.items()) + more
    return Record("workflow.jobs.charge-card", 3, 14, value, key=b"01J0INSTANCE", headers=headers or {})


def test_every_field_is_where_a_worker_looks_for_it() -> None:
    """The bytes of a record become the job that a poll would have brought."""
    dispatched = read(_record())
    assert dispatched.dedup_key == "01J0DEDUP"
    assert dispatched.job == {
        "id": "01J0JOB",
        "jobType": "charge-card",
        "instanceId": "01J0INSTANCE",
        "stepExecutionId": "01J0STEP",
        "retriesRemaining": 2,
        "variables": {"amount": 12.5, "customer": {"name": "Ada"}},
    }


def test_unknown_fields_and_a_newer_version_are_no_hindrance() -> None:
    """An engine of tomorrow says more: a text in field 99, a number in field 3."""
    more = _field(99, "tomorrow") + _field(3, 7)
    assert read(_record(schema_version=2, more=more)) == read(_record())


@pytest.mark.parametrize("name", ["job_id", "job_type"])
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_a_required_field_that_is_missing_makes_it_corrupt(name: Literal["job_id", "job_type"], how: str) -> None:
    """Without the job's id or type nothing can be done, and the reason names the field."""
    record = _record(name) if how == "absent" else _record(job_id="") if name == "job_id" else _record(job_type="")
    with pytest.raises(CorruptRecord, match=f"^{name} missing"):
        read(record)


@pytest.mark.parametrize("name", sorted(CONTRACT.keys() - {"job_id", "job_type"}))
def test_any_other_field_may_be_missing(name: str) -> None:
    """The job is there all the same."""
    assert read(_record(name)).job["id"] == "01J0JOB"


@pytest.mark.parametrize(
    ("without", "headers", "expected"),
    [
        ("", {"dedup-id": b"other"}, "01J0DEDUP"),
        ("dedup_id", {"dedup-id": b"from-the-header"}, "from-the-header"),
        ("dedup_id", {}, "01J0JOB/2"),
    ],
)
def test_the_dedup_key(without: str, headers: dict[str, bytes], expected: str) -> None:
    """The field, else the header that engines send along, else the job and how many tries it has left."""
    assert read(_record(without, headers=headers)).dedup_key == expected


@pytest.mark.parametrize("payload", [b"", b"null", b"{}"])
def test_no_variables_are_an_empty_dict(payload: bytes) -> None:
    """However an engine says that there are none."""
    assert read(_record(job_payload=payload)).job["variables"] == {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "job_id and job_type missing"),
        (b"", "job_id and job_type missing"),
        (b"\xff\xff\xff", "not a protobuf message"),
        (json.dumps({"jobId": "secret"}).encode(), "not a protobuf message"),
        (_record(job_payload=b'{"pin": "secret"').value, "job_payload is not JSON"),
        (_record(job_payload=b'\xff"secret"').value, "job_payload is not JSON"),
        (_record(job_payload=b'["secret"]').value, "job_payload is JSON, but not an object: list"),
    ],
)
def test_what_is_no_job_is_corrupt(value: bytes | None, reason: str) -> None:
    """The reason says what is wrong, and shows no value."""
    with pytest.raises(CorruptRecord, match=reason) as raised:
        read(Record("t", 0, 0, value))
    assert "secret" not in str(raised.value)
