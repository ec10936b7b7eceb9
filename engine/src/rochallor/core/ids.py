"""Ids that say where they belong.

An instance has a ULID. A step execution is `<instance>-<seq>`, a job `<instance>-<seq>-<delivery>`. So a report about
a job finds its instance without an index, and a late one is told from a made-up one when the job's row is long gone.
"""

from __future__ import annotations

import re

import msgspec

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_JOB_ID = re.compile(r"([0-9A-Z]{26})-([1-9][0-9]{0,11})-([1-9][0-9]{0,11})")


class JobRef(msgspec.Struct, frozen=True, order=True, gc=False):
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
    parts = _JOB_ID.fullmatch(text)
    return JobRef(parts[1], int(parts[2]), int(parts[3])) if parts else None
