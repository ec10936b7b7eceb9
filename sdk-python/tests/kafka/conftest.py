"""A Kafka in memory that a worker reads in virtual time, and an engine that notes what is reported to it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

import pytest
from rochallor_proto.engine_pb2 import JobDispatchEvent
from workflow_sdk import HandlerRegistry, JobContext
from workflow_sdk.handler.outcome import Failed
from workflow_sdk.kafka.deliveries import DeadLetter, log_dead_letter
from workflow_sdk.kafka.port import Listener, Record
from workflow_sdk.kafka.worker import KafkaWorker
from workflow_sdk.metrics.silent import SilentMetrics
from workflow_sdk.runner.deduplication_cache import DeduplicationCache
from workflow_sdk.worker.bell import Bell
from workflow_sdk.worker.ports import Job
from workflow_sdk.worker.settings import WorkerSettings
from workflow_sdk.worker.stop import Stop
from workflow_sdk.worker.timing import Timing

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..conftest import VirtualLoop

Event = Literal["came", "going", "lost"]
T = TypeVar("T")


class Settings(TypedDict, total=False):
    """What a test may set of `WorkerSettings`."""

    parallelism: int
    shutdown_timeout: float


class Consumer:
    """Reads a log. Partitions come and go within `poll`, as with the real one.

    Args:
        log: what it reads, and where it commits.

    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self.topic = ""
        self.paused: set[int] = set()
        self.positions: dict[int, int] = {}
        self.polls = 0
        self.pauses = 0
        self.closed = False
        self.faults: deque[Exception] = deque()
        self.commits_to_fail = 0
        self._unanswered: list[Mapping[int, int]] = []
        self._listener: Listener
        self._events: deque[tuple[Event, Collection[int]]] = deque()
        self.busy = False
        self._bell = Bell()

    def rebalance(self, event: Event, *partitions: int) -> None:
        """Let partitions come ("came"), go ("going") or be lost ("lost") at the next opportunity."""
        self._events.append((event, partitions))
        self._bell.ring()

    def ring(self) -> None:
        self._bell.ring()

    async def subscribe(self, topic: str, listener: Listener) -> None:
        self.topic, self._listener = topic, listener
        self.log.readers.append(self)
        self.rebalance("came", *self.log.partitions)

    async def poll(self, max_records: int, seconds: float) -> list[Record]:
        async with self._alone():
            self.polls += 1
            if not (self._events or self._ready()) and seconds:
                await self._bell.wait(seconds)
            while self._events:
                await self._happen(*self._events.popleft())
            self._fail(self.faults)
            self._answer()
            return self._fetch(max_records)

    async def pause(self, partitions: Collection[int]) -> None:
        async with self._alone():
            self.pauses += 1
            self.paused |= set(partitions)

    async def resume(self, partitions: Collection[int]) -> None:
        async with self._alone():
            self.paused -= set(partitions)

    async def commit(self, offsets: Mapping[int, int]) -> None:
        async with self._alone():
            self._unanswered.append(offsets)

    async def close(self) -> None:
        async with self._alone():
            await self._happen("going", list(self.positions))
            self.closed = True

    def _alone(self) -> _Alone:
        return _Alone(self)

    async def _happen(self, event: Event, partitions: Collection[int]) -> None:
        if event == "came":
            await self._listener.came(partitions)
            for partition in partitions:
                self.positions[partition] = self.log.committed.get((self.topic, partition), 0)
                self.paused.discard(partition)
            return
        if event == "going":
            self._commit(await self._listener.going(partitions))
        else:
            await self._listener.lost(partitions)
        for partition in partitions:
            del self.positions[partition]

    def _commit(self, offsets: Mapping[int, int]) -> None:
        for partition, offset in offsets.items():
            assert partition in self.positions, "only the owner may commit"
            self.log.committed[self.topic, partition] = offset
            self.log.commits.append((partition, offset))

    def _answer(self) -> None:
        asked, self._unanswered = self._unanswered, []
        for offsets in asked:
            if self.commits_to_fail:
                self.commits_to_fail -= 1
                continue
            known = {each: offset for each, offset in offsets.items() if each in self.positions}
            self._commit(known)
            self._listener.committed(known)

    def _fail(self, faults: deque[Exception]) -> None:
        if faults:
            raise faults.popleft()

    def _open(self) -> list[int]:
        return [each for each in self.positions if each not in self.paused]

    def _ready(self) -> bool:
        return any(len(self.log.records[self.topic, each]) > self.positions[each] for each in self._open())

    def _fetch(self, max_records: int) -> list[Record]:
        found: list[Record] = []
        for partition in self._open():
            first = self.positions[partition]
            some = self.log.records[self.topic, partition][first : first + max_records - len(found)]
            self.positions[partition] += len(some)
            found += some
        return found


class _Alone:
    """Fails where two calls of one consumer overlap."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    async def __aenter__(self) -> None:
        assert not self._consumer.busy, "one call at a time"
        assert not self._consumer.closed, "it is closed"
        self._consumer.busy = True

    async def __aexit__(self, *_: object) -> None:
        self._consumer.busy = False


@dataclass
class Log:
    """Topics, and how far the groups are."""

    partitions: tuple[int, ...] = (0,)
    records: defaultdict[tuple[str, int], list[Record]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    commits: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    readers: list[Consumer] = field(default_factory=list[Consumer])

    def put(self, value: bytes | None, job_type: str = "work", partition: int = 0) -> None:
        """Append raw bytes."""
        topic = f"workflow.jobs.{job_type}"
        records = self.records[topic, partition]
        records.append(Record(topic, partition, len(records), value))
        for reader in self.readers:
            reader.ring()

    def publish(self, job_id: str, job_type: str = "work", partition: int = 0, **fields: Any) -> None:
        """Append a job as an engine publishes it."""
        variables = fields.pop("variables", {})
        event = JobDispatchEvent(
            schema_version=1,
            dedup_id=fields.pop("dedup_id", f"publication-of-{job_id}"),
            job_id=job_id,
            job_type=job_type,
            instance_id="i",
            step_execution_id=fields.pop("step_execution_id", f"step-of-{job_id}"),
            retries_remaining=fields.pop("retries_remaining", 3),
            job_payload=json.dumps(variables).encode(),
        )
        assert not fields
        self.put(event.SerializeToString(), job_type, partition)

    def committed_at(self, partition: int = 0, job_type: str = "work") -> int:
        """Return how far a group is, 0 at the beginning."""
        return self.committed.get((f"workflow.jobs.{job_type}", partition), 0)


@dataclass
class Engine:
    """Notes reports; its polls are switched off."""

    can_wait = can_batch = False
    completed: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    failed: dict[str, Failed] = field(default_factory=dict[str, Failed])
    reports: int = 0
    faults: deque[Exception] = field(default_factory=deque[Exception])
    answer_seconds: float = 0.001
    closed: bool = False

    async def poll(
        self,
        job_types: Sequence[str],  # noqa: ARG002 - the port's signature
        max_jobs: int,  # noqa: ARG002 - as above
        wait_ms: int,  # noqa: ARG002 - as above
        lease_seconds: int,  # noqa: ARG002 - as above
    ) -> list[Job]:
        raise AssertionError("nobody polls an engine that publishes to Kafka")

    async def complete(self, job: Job, variables: Mapping[str, Any]) -> None:
        await self._hear(lambda: self.completed.__setitem__(job["id"], dict(variables)))

    async def fail(self, job: Job, failed: Failed) -> None:
        await self._hear(lambda: self.failed.__setitem__(job["id"], failed))

    async def report(
        self,
        outcomes: Sequence[Mapping[str, Any]],  # noqa: ARG002 - as above
        poll: Mapping[str, Any] | None = None,  # noqa: ARG002 - as above
    ) -> Mapping[str, Any]:
        raise AssertionError("reports ride alone: can_batch is False")

    async def close(self) -> None:
        self.closed = True

    async def _hear(self, note: Callable[[], None]) -> None:
        self.reports += 1
        fault = self.faults.popleft() if self.faults else None
        if fault is None:
            note()
        await asyncio.sleep(self.answer_seconds)
        if fault is not None:
            raise fault


class Flag:
    """A stop event that a test sets."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set


class Bench:
    """One worker, one Kafka, one engine. A `work` handler takes `seconds` and notes who runs."""

    def __init__(self, virtual_loop: type[VirtualLoop]) -> None:
        self._virtual_loop = virtual_loop
        self.log = Log()
        self.engine = Engine()
        self.registry = HandlerRegistry()
        self.stop = Flag()
        self.dead_letter: DeadLetter = log_dead_letter
        self.consumers: dict[str, Consumer] = {}
        self.ran: Counter[str] = Counter()
        self.running = 0
        self.most_running = 0
        self.stopping: Stop
        self.registry.register("work", self.work)

    @property
    def consumer(self) -> Consumer:
        return self.consumers["work"]

    async def work(self, ctx: JobContext) -> dict[str, Any]:
        self.ran[ctx["id"]] += 1
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            await asyncio.sleep(ctx["variables"].get("seconds", 0))
        finally:
            self.running -= 1
        return {"done": ctx["id"]}

    def run(self, script: Callable[[], Awaitable[T]], **settings: Unpack[Settings]) -> T:
        """Run a worker beside `script()`, in virtual time; when the script ends, the worker is stopped."""
        loop = self._virtual_loop()
        try:
            return loop.run_until_complete(self._both(script, settings))
        finally:
            loop.close()

    async def until(self, condition: Callable[[], object], seconds: float = 3600) -> None:
        """Wait until something is so."""
        ends_at = asyncio.get_running_loop().time() + seconds
        while not condition():
            assert asyncio.get_running_loop().time() < ends_at, "it never came to be so"
            await asyncio.sleep(0.01)

    async def _both(self, script: Callable[[], Awaitable[T]], settings: Settings) -> T:
        loop = asyncio.get_running_loop()
        timing = Timing(monotonic=loop.time, chance=lambda: 0.5)
        worker = KafkaWorker(
            self.engine,
            self.registry,
            WorkerSettings("w", timing=timing, **settings),
            SilentMetrics(),
            consumer=self._consumer,
            seen=DeduplicationCache(clock=loop.time),
            dead_letter=self.dead_letter,
        )
        self.stopping = Stop(self.stop)
        running = asyncio.ensure_future(worker.run(self.stopping))
        told = asyncio.ensure_future(script())
        await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            told.cancel()
            await running
        result = await told
        self.stop.set()
        await running
        return result

    def _consumer(self, job_type: str) -> Consumer:
        self.consumers[job_type] = Consumer(self.log)
        return self.consumers[job_type]


@pytest.fixture
def kafka_consumer() -> type[Consumer]:
    """Give the class of a consumer in memory."""
    return Consumer


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def bench(virtual_loop: type[VirtualLoop]) -> Bench:
    return Bench(virtual_loop)
