"""Scripted faults: which exchanges they meet, and the table of what they do.

A fault is planted with what an exchange must look like, and meets the `nth` one that does, and those after it, `times`
in all. How a fault is carried out is `front`'s business, and the transports'.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec
from rochallor.transports.grpc.rpcs import RPCS, STREAMS
from rochallor.transports.rest.routes import ROUTES

from rochallor_stub.clock import MOST_SECONDS, milliseconds
from rochallor_stub.errors import StubError
from rochallor_stub.messages import Request

FAULTS: dict[str, str] = {
    "delay": "waits `seconds` of virtual time (`real`: of the wall's) before the request is processed; `after`: before "
    "its answer is sent",
    "drop_before": "the engine never sees the request: the connection is reset, over gRPC the call ends UNAVAILABLE",
    "drop_after": "a lost acknowledgement: the request is processed, and its answer is dropped in the same way",
    "duplicate": "the request is processed twice, as when a network repeats it; the second answer is sent",
    "status": "is answered with an HTTP `status` (over gRPC its equivalent), `body` and `retry_after_s`, and not "
    "processed; `after`: processed all the same",
    "garbage": "is processed and answered with success and a `body` that is no JSON and no message",
    "half_close": "is processed, half of the answer is sent, then the connection is closed; over gRPC UNAVAILABLE",
    "expire_lease": "the lease of the jobs concerned runs out at once: before a report is processed, after a poll was",
    "clock_jump": "the clock jumps by `seconds`, forward or back, before the request is processed",
}
"""What each fault does."""

OPERATIONS = frozenset({route.operation for route in ROUTES} | {n[0].lower() + n[1:] for n in (*RPCS, *STREAMS)})
STATUSES = range(200, 600)
"""What an answer can have; 1xx are no answers."""
Name = Literal[
    "delay",
    "drop_before",
    "drop_after",
    "duplicate",
    "status",
    "garbage",
    "half_close",
    "expire_lease",
    "clock_jump",
]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One fault. Fields that are None match everything.

    `operation`: as the contract names it, on both transports. `method`, `path`: of REST; `path` may have `*`.
    `transport`: rest or grpc. `job_type`: of a job that the exchange asks for or reports on. `nth`: which match is the
    first to be met, from 1. `times`: how many in a row, None for all. The other fields: see `FAULTS`.
    """

    fault: Name
    operation: str | None = None
    method: str | None = None
    path: str | None = None
    transport: Literal["rest", "grpc"] | None = None
    job_type: str | None = None
    nth: int = 1
    times: int | None = 1
    seconds: float = 0.0
    real: bool = False
    after: bool = False
    status: int = 503
    body: Any = None
    retry_after_s: int | None = None

    def check(self) -> None:
        """Raise `StubError` when it could never meet anything, or could not be carried out."""
        if self.operation is not None and self.operation not in OPERATIONS:
            raise StubError(f"no operation is called {self.operation!r}; there are {', '.join(sorted(OPERATIONS))}")
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise StubError("nth and times count from 1; leave times out (None) for every exchange from the nth on")
        milliseconds(self.seconds)
        if self.seconds < 0 and self.fault != "clock_jump":
            raise StubError(f"seconds is {self.seconds:g}; nothing waits less than 0 s, only a clock_jump goes back")
        if self.status not in STATUSES:
            raise StubError(f"status is {self.status}; an answer's is {STATUSES[0]} to {STATUSES[-1]}")
        if self.retry_after_s is not None and not 0 <= self.retry_after_s <= MOST_SECONDS:
            raise StubError(f"retry_after_s is {self.retry_after_s}; seconds to wait are 0 or more, and not for ever")

    def fits(self, request: Request, job_types: frozenset[str]) -> bool:
        """Tell whether an exchange looks like what this fault waits for."""
        wanted = (
            (self.operation, request.operation),
            (self.method, request.method),
            (self.transport, request.transport),
        )
        return (
            all(mine is None or mine == theirs for mine, theirs in wanted)
            and (self.path is None or fnmatchcase(request.path, self.path))
            and (self.job_type is None or self.job_type in job_types)
        )


class Planted(msgspec.Struct):
    """A fault and how it has fared: `seen` exchanges that fit, `hits` that it was applied to."""

    id: int
    fault: Fault
    seen: int = 0
    hits: int = 0

    def meet(self) -> bool:
        """Count one more exchange that fits; tell whether it is hit."""
        self.seen += 1
        last = None if self.fault.times is None else self.fault.nth + self.fault.times - 1
        hit = self.seen >= self.fault.nth and (last is None or self.seen <= last)
        self.hits += hit
        return hit


class Faults:
    """The faults of one stub. Each method plants one and returns its number; `where` are fields of `Fault`."""

    def __init__(self) -> None:
        self._planted: dict[int, Planted] = {}
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[Planted]:
        return iter(list(self._planted.values()))

    def __len__(self) -> int:
        return len(self._planted)

    def add(self, fault: Fault) -> int:
        """Plant a fault; raises `StubError` when it could never meet anything."""
        fault.check()
        number = next(self._numbers)
        self._planted[number] = Planted(number, fault)
        return number

    def remove(self, number: int) -> None:
        """Take a fault out; one that is gone already is no error."""
        self._planted.pop(number, None)

    def clear(self) -> None:
        """Take all of them out."""
        self._planted.clear()

    @property
    def look_at_jobs(self) -> bool:
        """Whether any fault wants to know the job types of an exchange."""
        return any(planted.fault.job_type is not None for planted in self)

    def meet(self, request: Request, job_types: frozenset[str]) -> list[Fault]:
        """Return the faults that hit this exchange, in the order in which they were planted."""
        return [planted.fault for planted in self if planted.fault.fits(request, job_types) and planted.meet()]

    def delay(self, operation: str | None = None, *, seconds: float, **where: Any) -> int:
        """Let an exchange wait."""
        return self.add(Fault(fault="delay", operation=operation, seconds=seconds, **where))

    def drop_before(self, operation: str | None = None, **where: Any) -> int:
        """Lose a request."""
        return self.add(Fault(fault="drop_before", operation=operation, **where))

    def drop_after(self, operation: str | None = None, **where: Any) -> int:
        """Lose an acknowledgement."""
        return self.add(Fault(fault="drop_after", operation=operation, **where))

    def duplicate(self, operation: str | None = None, **where: Any) -> int:
        """Process a request twice."""
        return self.add(Fault(fault="duplicate", operation=operation, **where))

    def status(self, operation: str | None = None, *, status: int = 503, **where: Any) -> int:
        """Answer with an error."""
        return self.add(Fault(fault="status", operation=operation, status=status, **where))

    def garbage(self, operation: str | None = None, **where: Any) -> int:
        """Answer with bytes that mean nothing."""
        return self.add(Fault(fault="garbage", operation=operation, **where))

    def half_close(self, operation: str | None = None, **where: Any) -> int:
        """Close in the middle of the answer."""
        return self.add(Fault(fault="half_close", operation=operation, **where))

    def expire_lease(self, operation: str | None = None, **where: Any) -> int:
        """Take a job away from its worker."""
        return self.add(Fault(fault="expire_lease", operation=operation, **where))

    def clock_jump(self, operation: str | None = None, *, seconds: float, **where: Any) -> int:
        """Set the clock."""
        return self.add(Fault(fault="clock_jump", operation=operation, seconds=seconds, **where))
