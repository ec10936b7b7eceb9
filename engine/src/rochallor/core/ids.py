"""Ids that say where they belong.

An instance has a ULID. A step execution is `<instance>-<seq>`, a job `<instance>-<seq>-<delivery>`. So a report about
a job finds its instance without an index, and a late one is told from a made-up one when the job's row is long gone.
"""

from __future__ import annotations

from typing import NamedTuple

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_ULID_LENGTH = 26
_MAX_DIGITS = 12
_JOB_PARTS = 3


class JobRef(NamedTuple):
    """The parts of a job id: instance, sequence number of the step execution, delivery (from 1)."""

    instance_id: str
    seq: int
    delivery: int

    def __str__(self) -> str:
        """Return the id as it goes over the wire."""
        return f"{self.instance_id}-{self.seq}-{self.delivery}"


def ulid(now_ms: int, entropy: int) -> str:
    """Return the ULID (github.com/ulid/spec) of a time in ms since the epoch and 80 bits of chance."""
    value = (now_ms << _RANDOM_BITS) | (entropy & ((1 << _RANDOM_BITS) - 1))
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in reversed(range(0, 130, 5)))


def step_execution_id(instance_id: str, seq: int) -> str:
    """Return the id of the `seq`-th step execution of an instance."""
    return f"{instance_id}-{seq}"


def parse_job_id(text: str) -> JobRef | None:
    """Return the parts of a job id, or None when this text was never one."""
    parts = text.split("-")
    if len(parts) != _JOB_PARTS or len(parts[0]) != _ULID_LENGTH:
        return None
    seq, delivery = _number(parts[1]), _number(parts[2])
    return JobRef(parts[0], seq, delivery) if seq and delivery else None


def _number(text: str) -> int:
    canonical = text.isascii() and text.isdigit() and text[0] != "0" and len(text) <= _MAX_DIGITS
    return int(text) if canonical else 0
