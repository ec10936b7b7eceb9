"""Times on the wire."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400


def timestamp(moment: str | None) -> Timestamp | None:
    """Return an RFC 3339 time as protobuf has it; None stays None, which leaves a field unset."""
    if moment is None:
        return None
    since = datetime.fromisoformat(moment) - _EPOCH
    return Timestamp(seconds=since.days * _DAY_S + since.seconds, nanos=since.microseconds * 1_000)
