"""What happens to every exchange, whichever transport it came over: it is written down, and its faults are applied.

The order is always the same: clock jumps and delays, leases that run out, then the engine sees the request (never, once
or twice), then delays and what is to become of the answer. A transport only carries out the `Delivery`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, NamedTuple

from rochallor_stub import scripted
from rochallor_stub.activity import Activity
from rochallor_stub.clock import VirtualClock, drawing, milliseconds
from rochallor_stub.faults import Fault, Faults
from rochallor_stub.journal import ANSWERED, CUT, DROPPED, GONE, Exchange, Journal
from rochallor_stub.messages import REST, Reply, Request
from rochallor_stub.timekeeper import Timekeeper
from rochallor_stub.world import World

Process = Callable[[], Awaitable[Reply | None]]
"""Has the engine answer once more; None when the client has gone meanwhile."""

JOB_REPORTS = ("completeJob", "failJob")
POLLS = ("pollJobs", "reportJobs")
_JOB_ID_AT = 3  # of /v1/jobs/{id}/complete, split at slashes


class End(Enum):
    """What a transport is to do with an answer."""

    SEND = ANSWERED
    DROP = DROPPED
    CUT = CUT
    GONE = GONE


class Delivery(NamedTuple):
    """An answer and what is to become of it."""

    end: End
    reply: Reply | None = None


class Subject(NamedTuple):
    """What an exchange is about: the jobs it reports on, and the job types it asks for."""

    jobs: tuple[str, ...] = ()
    job_types: frozenset[str] = frozenset()


class Front:
    """Stands before the engine of one stub. `world` is the one of the moment; a reset puts another one there."""

    def __init__(
        self, world: World, *, clock: VirtualClock, activity: Activity, timekeeper: Timekeeper, journal: Journal
    ) -> None:
        self.world = world
        self.journal = journal
        self.faults = Faults()
        self._clock = clock
        self._activity = activity
        self._timekeeper = timekeeper

    async def serve(self, request: Request, process: Process) -> Delivery:
        """Answer one exchange, faults and all."""
        with self._activity.exchange(), self._entry(request) as entry:
            subject = self._subject(request, entry.request)
            if request.operation in POLLS:
                self._activity.expected |= subject.job_types
            faults = await self._met(request, subject)
            entry.faults = tuple(fault.fault for fault in faults)
            delivery = await self._deliver(faults, subject, entry, process)
            entry.end(delivery.end.value, self._clock.at_ms)
            return delivery

    @contextmanager
    def stream(self, request: Request) -> Iterator[tuple[Exchange, list[Fault]]]:
        """Write down an exchange whose answer goes on and on; give it with its faults. Nobody waits for it to end."""
        with self._entry(request) as entry:
            faults = self.faults.meet(request, frozenset())
            entry.faults = tuple(fault.fault for fault in faults)
            yield entry, faults
            entry.end(ANSWERED if entry.outcome not in {DROPPED, CUT} else entry.outcome, self._clock.at_ms)

    async def prepare(self, faults: list[Fault]) -> None:
        """Do what comes before the engine sees the request."""
        for fault in faults:
            if fault.fault == "clock_jump":
                with self._activity.wait():
                    await self._timekeeper.jump(milliseconds(fault.seconds))
            elif fault.fault == "delay" and not fault.after:
                await self._pause(fault)

    @contextmanager
    def _entry(self, request: Request) -> Iterator[Exchange]:
        entry = self.journal.begin(request, self._clock.at_ms)
        try:
            with drawing(request.operation):
                yield entry
        except BaseException:
            entry.end(GONE, self._clock.at_ms)
            raise

    async def _deliver(self, faults: list[Fault], subject: Subject, entry: Exchange, process: Process) -> Delivery:
        await self.prepare(faults)
        by_name = by_fault(faults)
        made_up = by_name.get("status")
        if "drop_before" in by_name:
            return Delivery(End.DROP)
        if made_up is not None and not made_up.after:
            return _noted(entry, Delivery(End.SEND, scripted.refusal(made_up, entry.transport)))
        if "expire_lease" in by_name:
            await self._expire(subject.jobs)
        reply = await process()
        if "duplicate" in by_name:
            reply = await process()
        if reply is None:
            return Delivery(End.GONE)
        if "expire_lease" in by_name and entry.operation in POLLS:
            await self._expire(_jobs_of(reply))
        for fault in faults:
            if fault.fault == "delay" and fault.after:
                await self._pause(fault)
        if made_up is not None:
            return _noted(entry, Delivery(End.SEND, scripted.refusal(made_up, entry.transport)))
        return _noted(entry, _spoilt(by_name, reply))

    async def _met(self, request: Request, subject: Subject) -> list[Fault]:
        job_types = set(subject.job_types)
        if self.faults.look_at_jobs:
            for job_id in subject.jobs:
                job_types.add(await self.world.job_type(job_id) or "")
        return self.faults.meet(request, frozenset(job_types))

    async def _pause(self, fault: Fault) -> None:
        if fault.real:
            with self._activity.wait():
                await asyncio.sleep(fault.seconds)
        else:
            await self._timekeeper.sleep(milliseconds(fault.seconds))

    async def _expire(self, jobs: tuple[str, ...]) -> None:
        for job_id in jobs:
            await self.world.expire(job_id)

    def _subject(self, request: Request, said: Any) -> Subject:
        if request.operation in JOB_REPORTS:
            return Subject(jobs=(_job_of(request, said),))
        if request.operation not in POLLS or not isinstance(said, dict):
            return Subject()
        poll = said if request.operation == "pollJobs" else said.get("poll")
        outcomes = said.get("outcomes")
        return Subject(
            jobs=tuple(str(each["jobId"]) for each in _dicts(outcomes) if "jobId" in each),
            job_types=frozenset(_texts(poll.get("jobTypes"))) if isinstance(poll, dict) else frozenset(),
        )


def by_fault(faults: list[Fault]) -> dict[str, Fault]:
    """Return faults by what they do; of several that do the same, the one planted first."""
    return {str(fault.fault): fault for fault in reversed(faults)}


def _noted(entry: Exchange, delivery: Delivery) -> Delivery:
    if delivery.reply is not None:
        entry.note(delivery.reply)
    return delivery


def _spoilt(by_name: dict[str, Fault], reply: Reply) -> Delivery:
    if "drop_after" in by_name:
        return Delivery(End.DROP, reply)
    if "half_close" in by_name:
        return Delivery(End.CUT, reply)
    if "garbage" in by_name:
        return Delivery(End.SEND, scripted.garbage(by_name["garbage"], reply))
    return Delivery(End.SEND, reply)


def _job_of(request: Request, said: Any) -> str:
    if request.transport == REST:
        return (request.path.split("/") + [""] * (_JOB_ID_AT + 1))[_JOB_ID_AT]
    return str(said.get("jobId", "")) if isinstance(said, dict) else ""


def _jobs_of(reply: Reply) -> tuple[str, ...]:
    said = reply.read()
    return tuple(str(job.get("id")) for job in _dicts(said.get("jobs"))) if isinstance(said, dict) else ()


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
