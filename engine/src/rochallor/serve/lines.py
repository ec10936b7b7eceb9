"""The two log lines there are many of: a step dispatched, a request answered.

They are encoded here and gathered into one write per turn of the loop, because a line through the logging machinery
costs more than the step it tells about (30 µs against 2). Everything else goes through structlog (`logs.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import lru_cache
from typing import BinaryIO, Protocol

import msgspec

from rochallor.core.events import StepEntered
from rochallor.core.ids import step_execution_id
from rochallor.ports import Clock
from rochallor.shell.desk import Desk
from rochallor.shell.traces import current_trace_id, trace_id_of


class StepLine(msgspec.Struct):
    """One step execution entered; `attempt` counts executions of this step in its instance, from 1.

    `trace_id` is the one of whoever started the instance; `worker` the number of one of several processes.
    """

    time: str
    instance_id: str
    definition_id: str
    definition_version: int
    step_id: str
    step_type: str
    step_execution_id: str
    attempt: int
    trace_id: str | msgspec.UnsetType = msgspec.UNSET
    worker: int | msgspec.UnsetType = msgspec.UNSET
    level: str = "info"
    event: str = "step dispatched"


class RequestLine(msgspec.Struct):
    """One request answered: `route` is the pattern or the rpc, `status` HTTP's number or gRPC's word.

    `trace_id` is the caller's; `worker` the number of one of several processes.
    """

    time: str
    transport: str
    method: str
    route: str
    status: int | str
    ms: float
    trace_id: str | msgspec.UnsetType = msgspec.UNSET
    worker: int | msgspec.UnsetType = msgspec.UNSET
    level: str = "info"
    event: str = "request"


Line = StepLine | RequestLine


class Lines(Protocol):
    """Where the lines of steps and requests go."""

    def steps(self, desk: Desk) -> None:
        """Write a line for every step that a committed batch entered."""

    def request(self, transport: str, method: str, route: str, status: int | str, seconds: float) -> None:
        """Write a line for an answered request."""


class NoLines:
    """Writes nothing: the level is above info."""

    def steps(self, desk: Desk) -> None:
        """Do nothing."""

    def request(self, transport: str, method: str, route: str, status: int | str, seconds: float) -> None:
        """Do nothing."""


class StreamLines:
    """Writes to a byte stream what `encode` makes of a line; call `flush` at the end."""

    def __init__(
        self, stream: BinaryIO, encode: Callable[[Line], bytes], clock: Clock, *, worker: int | None = None
    ) -> None:
        self._worker = msgspec.UNSET if worker is None else worker
        self._stream = stream
        self._encode = encode
        self._clock = clock
        self._pending: list[bytes] = []

    def steps(self, desk: Desk) -> None:
        """Write a line for every step that a committed batch entered."""
        at = rfc3339(desk.now_ms)
        for change in desk.changes:
            after = change.after
            trace_id = trace_id_of(after.traceparent) if after.traceparent else msgspec.UNSET
            for event in change.committed.events:
                if type(event) is StepEntered:
                    self._put(
                        StepLine(
                            at,
                            after.id,
                            after.definition_id,
                            after.definition_version,
                            event.step_id,
                            event.step_type.value,
                            step_execution_id(after.id, event.seq),
                            event.attempt,
                            trace_id,
                            self._worker,
                        )
                    )

    def request(self, transport: str, method: str, route: str, status: int | str, seconds: float) -> None:
        """Write a line for an answered request."""
        at = rfc3339(self._clock.now_ms())
        trace_id = current_trace_id() or msgspec.UNSET
        self._put(RequestLine(at, transport, method, route, status, round(seconds * 1000, 3), trace_id, self._worker))

    def _put(self, line: Line) -> None:
        if not self._pending:
            asyncio.get_running_loop().call_soon(self.flush)
        self._pending.append(self._encode(line))

    def flush(self) -> None:
        """Write what has gathered."""
        if self._pending:
            text = b"".join(self._pending)
            self._pending.clear()
            self._stream.write(text)
            self._stream.flush()


_to_json = msgspec.json.Encoder().encode


def as_json(line: Line) -> bytes:
    """Return the line as one JSON object."""
    return _to_json(line) + b"\n"


def as_text(line: Line) -> bytes:
    """Return the line for a person at a terminal."""
    at = line.time[11:23] if line.worker is msgspec.UNSET else f"{line.time[11:23]} #{line.worker}"
    if isinstance(line, StepLine):
        where = f"{line.definition_id} v{line.definition_version} {line.instance_id}"
        text = f"{at} step     {line.step_id:<24} {line.step_type:<16} {where}"
    else:
        text = f"{at} request  {line.status} {line.method} {line.route} {line.ms:.1f} ms"
    return text.encode() + b"\n"


def rfc3339(at_ms: int) -> str:
    """Return a time in ms since the epoch as RFC 3339 in UTC, to the millisecond."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


@lru_cache(maxsize=4)
def _second(at_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_s))
