"""A worker in virtual time, on an engine in memory that sees everything."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import pytest
from workflow_sdk import HandlerRegistry, JobContext
from workflow_sdk.errors import NotOffered
from workflow_sdk.handler.outcome import Failed
from workflow_sdk.metrics.silent import SilentMetrics
from workflow_sdk.worker.ports import Job
from workflow_sdk.worker.settings import WorkerSettings
from workflow_sdk.worker.stop import Stop
from workflow_sdk.worker.timing import Timing
from workflow_sdk.worker.worker import Worker

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..conftest import VirtualLoop

T = TypeVar("T")


class Settings(TypedDict, total=False):
    """What a test may set of `WorkerSettings`."""

    parallelism: int
    poll_interval: float
    long_poll_ms: int
    lease_seconds: int
    shutdown_timeout: float
    batch_reports: bool


@dataclass
class Engine:
    """Hands out jobs under leases and notes every report.

    Args:
        ours: whether it holds polls, gives tokens and takes batches.
        lease_seconds: how long a job stays a worker's.
        round_trip: seconds that every call takes.

    """

    ours: bool = True
    lease_seconds: float = 30.0
    round_trip: float = 0.001
    waiting: deque[dict[str, Any]] = field(default_factory=deque[dict[str, Any]])
    leased: dict[str, tuple[str | None, float]] = field(default_factory=dict[str, tuple[str | None, float]])
    completed: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    failed: dict[str, Any] = field(default_factory=dict[str, Any])
    polls: list[tuple[tuple[str, ...], int, int, int]] = field(
        default_factory=list[tuple[tuple[str, ...], int, int, int]]
    )
    calls: Counter[str] = field(default_factory=Counter[str])
    handed_out: Counter[str] = field(default_factory=Counter[str])
    most_claimed: int = 0
    faults: deque[Exception | None] = field(default_factory=deque[Exception | None])
    overlapping: int = 0
    _reporting: set[str] = field(default_factory=set[str])
    _changed: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])

    @property
    def can_wait(self) -> bool:
        return self.ours

    @property
    def can_batch(self) -> bool:
        return self.ours

    def add(self, count: int, job_type: str = "work", **variables: Any) -> None:
        first = len(self.waiting) + sum(self.handed_out.values())
        for number in range(first, first + count):
            self.waiting.append({"id": f"{job_type}-{number}", "jobType": job_type, "variables": variables})
        self._ring()

    def take_away(self, job_id: str) -> None:
        """Give a held job to somebody else."""
        self.leased[job_id] = ("somebody else", float("inf"))

    async def poll(self, job_types: Sequence[str], max_jobs: int, wait_ms: int, lease_seconds: int) -> list[Job]:
        self.calls["poll"] += 1
        self.polls.append((tuple(job_types), max_jobs, wait_ms, lease_seconds))
        await self.travel()
        jobs = self._claim(job_types, max_jobs)
        if not jobs and wait_ms:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._changed.append(waiter)
            await asyncio.wait({waiter}, timeout=wait_ms / 1000)
            jobs = self._claim(job_types, max_jobs)
        return jobs

    async def complete(self, job: Job, variables: Mapping[str, Any]) -> None:
        self.calls["complete"] += 1
        await self._report(job["id"], lambda: self.completed.__setitem__(job["id"], dict(variables)))

    async def fail(self, job: Job, failed: Failed) -> None:
        self.calls["fail"] += 1
        await self._report(job["id"], lambda: self.failed.__setitem__(job["id"], failed))

    async def report(
        self, outcomes: Sequence[Mapping[str, Any]], poll: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        if not self.ours:
            raise NotOffered(404, "no such route")
        self.calls["extend" if any("extend" in each for each in outcomes) else "report"] += 1
        await self.travel()
        results = [{"jobId": each["jobId"], "status": self._outcome(each)} for each in outcomes]
        jobs = self._claim(poll["jobTypes"], poll["maxJobs"]) if poll else []
        return {"results": results, "jobs": jobs}

    async def close(self) -> None:
        self.calls["close"] += 1

    def _outcome(self, outcome: Mapping[str, Any]) -> str:
        job_id = outcome["jobId"]
        token, ends_at = self.leased.get(job_id, (None, 0))
        if token != outcome.get("leaseToken") or ends_at < self._now:
            return "STALE"
        if "extend" in outcome:
            self.leased[job_id] = (token, self._now + outcome["extend"]["leaseSeconds"])
            return "ACCEPTED"
        del self.leased[job_id]
        if "completed" in outcome:
            self.completed[job_id] = outcome["completed"]["variables"]
        else:
            self.failed[job_id] = outcome["failed"]
        return "ACCEPTED"

    async def _report(self, job_id: str, apply: Callable[[], None]) -> None:
        self.overlapping += job_id in self._reporting
        self._reporting.add(job_id)
        try:
            await self.travel()
            apply()
            self.leased.pop(job_id, None)
        finally:
            self._reporting.discard(job_id)

    async def travel(self) -> None:
        await asyncio.sleep(self.round_trip)
        if self.faults:
            fault = self.faults.popleft()
            if fault is not None:
                raise fault

    def _claim(self, job_types: Sequence[str], max_jobs: int) -> list[Job]:
        self._take_back()
        found = [job for job in self.waiting if job["jobType"] in job_types][:max_jobs]
        claimed: list[Job] = []
        for job in found:
            self.waiting.remove(job) if job is not self.waiting[0] else self.waiting.popleft()
            self.handed_out[job["id"]] += 1
            token = f"token-{job['id']}-{self.handed_out[job['id']]}"
            self.leased[job["id"]] = (token if self.ours else None, self._now + self.lease_seconds)
            claimed.append({**job, "stepExecutionId": job["id"], **({"leaseToken": token} if self.ours else {})})
        self.most_claimed = max(self.most_claimed, len(self.leased))
        return claimed

    def _take_back(self) -> None:
        for job_id, (_, ends_at) in list(self.leased.items()):
            if ends_at < self._now:
                del self.leased[job_id]
                self.waiting.append({"id": job_id, "jobType": job_id.rpartition("-")[0], "variables": {}})

    def _ring(self) -> None:
        for waiter in self._changed:
            if not waiter.done():
                waiter.set_result(None)
        self._changed.clear()

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()


class Flag:
    """A stop event that a test sets."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set


class Bench:
    """One worker, one engine, one stop."""

    def __init__(self, virtual_loop: type[VirtualLoop]) -> None:
        self._virtual_loop = virtual_loop
        self.engine = Engine()
        self.registry = HandlerRegistry()
        self.stop = Flag()
        self.ran: Counter[str] = Counter()
        self.cancelled: list[JobContext] = []
        self.metrics: Any = SilentMetrics()
        self.stopping: Stop
        self.running: asyncio.Future[None]

    def run(self, script: Callable[[], Awaitable[T]], **settings: Unpack[Settings]) -> T:
        """Run a worker beside `script()`, in virtual time; when the script ends, the worker is stopped."""
        loop = self._virtual_loop()
        try:
            return loop.run_until_complete(self._both(script, settings))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    async def _both(self, script: Callable[[], Awaitable[T]], settings: Settings) -> T:
        loop = asyncio.get_running_loop()
        timing = Timing(monotonic=loop.time, chance=lambda: 0.5)
        worker = Worker(self.engine, self.registry, WorkerSettings("w", timing=timing, **settings), self.metrics)
        self.stopping = Stop(self.stop)
        self.running = running = asyncio.ensure_future(worker.run(self.stopping))
        told = asyncio.ensure_future(script())
        await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
        if running.done() and not running.cancelled():
            told.cancel()
            await running
        result = await told
        self.stop.set()
        await asyncio.wait({running})
        if not running.cancelled():
            await running
        return result

    async def until(self, condition: Callable[[], object], seconds: float = 3600) -> None:
        """Wait until something is so."""
        ends_at = asyncio.get_running_loop().time() + seconds
        while not condition():
            assert asyncio.get_running_loop().time() < ends_at, "it never came to be so"
            await asyncio.sleep(0.01)


@pytest.fixture
def bench(virtual_loop: type[VirtualLoop]) -> Bench:
    return Bench(virtual_loop)
