"""The real library takes our settings, and does what the port promises against a broker in memory."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, TypedDict
from unittest.mock import MagicMock

import pytest
from rochallor_proto.engine_pb2 import JobDispatchEvent
from workflow_sdk import HandlerRegistry, JobContext
from workflow_sdk.runner.kafka_runner import KafkaRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

    import confluent_kafka
    from typing_extensions import Unpack
    from workflow_sdk.kafka import confluent
    from workflow_sdk.kafka.deliveries import DeadLetter
else:
    confluent_kafka = pytest.importorskip("confluent_kafka", reason="needs workflow-sdk[kafka]")
    confluent = pytest.importorskip("workflow_sdk.kafka.confluent")

BASE: dict[str, Any] = {
    "bootstrap.servers": "a:9092,b:9092",
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "partition.assignment.strategy": "cooperative-sticky",
    "group.id": "workflow.workers.charge",
}


@pytest.mark.parametrize(
    ("extra", "changed"),
    [
        (None, {}),
        ({"auto.offset.reset": "latest"}, {"auto.offset.reset": "latest"}),
        ({"security.protocol": "SASL_SSL"}, {"security.protocol": "SASL_SSL"}),
        ({"group.id": "mine"}, {}),
        ({"group.protocol": "consumer"}, {"group.protocol": "consumer", "partition.assignment.strategy": None}),
    ],
)
def test_configuration(extra: dict[str, Any] | None, changed: dict[str, Any]) -> None:
    """The published settings; what the user adds wins, but for the group; new groups choose no strategy."""
    expected = {name: value for name, value in {**BASE, **changed}.items() if value is not None}
    assert confluent.configuration("a:9092,b:9092", "charge", extra) == expected


@pytest.mark.parametrize("extra", [None, {"group.protocol": "consumer"}, {"session.timeout.ms": 45000}])
def test_the_library_accepts_the_configuration(extra: dict[str, Any] | None) -> None:
    """A consumer is made of it; no broker is asked for that."""
    confluent_kafka.Consumer(confluent.configuration("127.0.0.1:1", "charge", extra)).close()


def test_a_setting_that_the_library_does_not_know_is_refused() -> None:
    """A misspelt name is found when the worker starts, and named."""
    with pytest.raises(confluent_kafka.KafkaException, match=r"fetch\.min\.byte"):
        confluent.ConfluentConsumer(confluent.configuration("127.0.0.1:1", "charge", {"fetch.min.byte": 1}), "t")


# The library's broker in memory takes no notice of who leaves: it waits until the session is over.
QUICK = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 300, "log_level": 0}


class Kafka:
    """A broker within librdkafka, four partitions a topic."""

    def __init__(self) -> None:
        self._producer = confluent_kafka.Producer(
            {"test.mock.num.brokers": 1, "bootstrap.servers": "replaced", "log_level": 0}
        )
        (broker,) = self._producer.list_topics(timeout=10).brokers.values()
        self.address = f"{broker.host}:{broker.port}"

    def publish(self, *names: str, partition: int) -> None:
        for name in names:
            event = JobDispatchEvent(job_id=name, job_type="work", step_execution_id=name, dedup_id=name)
            self.put(event.SerializeToString(), partition)

    def put(self, value: bytes, partition: int) -> None:
        self._producer.produce("workflow.jobs.work", value, partition=partition)
        assert self._producer.flush(10) == 0

    def committed(self) -> dict[int, int]:
        """Return how far the group is, by partition."""
        group = confluent.configuration(self.address, "work", {"log_level": 0})
        asking = confluent_kafka.Consumer(group)
        places = [confluent_kafka.TopicPartition("workflow.jobs.work", each) for each in range(4)]
        try:
            return {each.partition: each.offset for each in asking.committed(places, timeout=10) if each.offset >= 0}
        finally:
            asking.close()


class Options(TypedDict, total=False):
    """What a test may set of a `KafkaRunner`."""

    parallelism: int
    dead_letter: DeadLetter


class Work:
    """Runs workers on threads and counts what they do."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.ran: Counter[str] = Counter()
        self.at_work = threading.Event()
        self._running: list[tuple[KafkaRunner, threading.Thread]] = []

    def start(self, worker_id: str, count: int, **settings: Unpack[Options]) -> threading.Event:
        """Start a worker; return an event that is set when it has reported so many jobs."""
        registry, enough = HandlerRegistry(), threading.Event()
        client = MagicMock()

        @registry.register("work")
        def work(ctx: JobContext) -> None:
            self.ran[ctx["id"]] += 1
            self.at_work.set()

        def complete(*_: object) -> None:
            if client.complete_job.call_count >= count:
                enough.set()

        client.complete_job.side_effect = complete
        runner = KafkaRunner(worker_id, self._kafka.address, client, registry, extra_kafka_config=QUICK, **settings)
        thread = threading.Thread(target=runner.run)
        thread.start()
        self._running.append((runner, thread))
        return enough

    def stop(self) -> None:
        for runner, _ in self._running:
            runner.stop()
        for _, thread in self._running:
            thread.join(30)
            assert not thread.is_alive()
        self._running.clear()


@pytest.fixture
def kafka() -> Kafka:
    return Kafka()


@pytest.fixture
def workers(kafka: Kafka) -> Iterator[Work]:
    work = Work(kafka)
    yield work
    work.stop()


@pytest.mark.slow
def test_jobs_travel_through_a_broker(kafka: Kafka, workers: Work) -> None:
    """Pauses, commits, a corrupt record, a second run: every job is done once, and the group is at the end."""
    letters: list[int] = []
    kafka.put(b"\xff", 0)
    kafka.publish(*(f"a{number}" for number in range(40)), partition=0)
    kafka.publish(*(f"b{number}" for number in range(40)), partition=2)
    enough = workers.start("w1", 80, parallelism=3, dead_letter=lambda record, _: letters.append(record.offset))
    assert enough.wait(30)
    workers.stop()
    assert letters == [0]
    assert kafka.committed() == {0: 41, 2: 40}

    kafka.publish("later", partition=0)
    assert workers.start("w2", 1).wait(30)
    workers.stop()
    assert kafka.committed()[0] == 42
    assert len(workers.ran) == 81
    assert set(workers.ran.values()) == {1}


@pytest.mark.slow
def test_partitions_change_hands(kafka: Kafka, workers: Work) -> None:
    """A second worker joins and gets partitions of the first: nothing is committed past that was not done."""
    kafka.publish("0-0", partition=0)
    assert workers.start("w1", 1).wait(30)
    second = workers.start("w2", 1)
    published = {0: 1, 1: 0, 2: 0, 3: 0}
    while not second.is_set():
        assert published[0] < 200, "the second worker never got a partition"
        for partition, count in published.items():
            kafka.publish(f"{partition}-{count}", partition=partition)
            published[partition] = count + 1
        second.wait(0.1)
    workers.stop()
    committed = kafka.committed()
    assert committed
    passed = {f"{partition}-{number}" for partition, offset in committed.items() for number in range(offset)}
    assert passed <= workers.ran.keys()
