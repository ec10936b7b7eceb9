"""A consumer on confluent-kafka, which blocks: every call runs on one thread of its own.

The library calls back about partitions within `poll` and `close`, on that thread; the answers are fetched from the
loop, which never waits for the thread without serving them. It would break if a call were made from the loop itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from workflow_sdk.kafka.intake import LET_GO_SECONDS
from workflow_sdk.kafka.port import ConsumerBroken, Listener, Record
from workflow_sdk.worker.threads import Threads

_log = logging.getLogger("workflow_sdk")

GROUP_PREFIX = "workflow.workers."

DEFAULTS: dict[str, Any] = {
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    # Should somebody switch that on: nothing is stored, so nothing is committed but what is done.
    "enable.auto.offset.store": False,
    "partition.assignment.strategy": "cooperative-sticky",
}
_LISTENER_SECONDS = LET_GO_SECONDS * 2


def configuration(brokers: str, job_type: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the library's settings for one job type; `extra` wins, except over the group, which is the contract's."""
    settings = {"bootstrap.servers": brokers, **DEFAULTS, **(extra or {}), "group.id": GROUP_PREFIX + job_type}
    if settings.get("group.protocol") == "consumer" and "partition.assignment.strategy" not in (extra or {}):
        del settings["partition.assignment.strategy"]  # there the brokers assign, and the library refuses both
    return settings


class ConfluentConsumer:
    """One topic, one group.

    Args:
        settings: the library's.
        name: what its thread is called.

    Raises:
        confluent_kafka.KafkaException: the library does not know or like a setting.

    """

    def __init__(self, settings: Mapping[str, Any], name: str) -> None:
        self._on_commit: Callable[[Mapping[int, int]], object] | None = None
        self._consumer = Consumer({**settings, "on_commit": self._answered})
        self._threads = Threads(1, name)
        self._topic = ""

    async def subscribe(self, topic: str, listener: Listener) -> None:
        """Join the group."""
        self._topic = topic
        loop = asyncio.get_running_loop()

        def asked(work: Coroutine[Any, Any, Any]) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result(_LISTENER_SECONDS)

        def on_assign(_: Consumer, partitions: list[TopicPartition]) -> None:
            asked(listener.came(_numbers(partitions)))

        def on_revoke(_: Consumer, partitions: list[TopicPartition]) -> None:
            self._commit(asked(listener.going(_numbers(partitions))))  # the library sends it before it lets go

        def on_lost(_: Consumer, partitions: list[TopicPartition]) -> None:
            asked(listener.lost(_numbers(partitions)))

        self._on_commit = lambda offsets: loop.call_soon_threadsafe(listener.committed, offsets)
        await self._threads.run(
            lambda: self._consumer.subscribe([topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)
        )

    async def poll(self, max_records: int, seconds: float) -> Sequence[Record]:
        """Return at most so many records, as soon as there are any."""
        found: list[Record] = await self._threads.run(self._poll, max_records, seconds)
        return found

    async def pause(self, partitions: Collection[int]) -> None:
        """Fetch no more records of these partitions."""
        await self._threads.run(self._consumer.pause, self._places(partitions))

    async def resume(self, partitions: Collection[int]) -> None:
        """Fetch them again."""
        await self._threads.run(self._consumer.resume, self._places(partitions))

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Ask for a commit; the answer comes with a poll."""
        await self._threads.run(self._commit, offsets)

    async def close(self) -> None:
        """Leave the group."""
        try:
            await self._threads.run(self._consumer.close)
        finally:
            self._threads.close()

    def _poll(self, max_records: int, seconds: float) -> list[Record]:
        # `consume` would wait until it has all it was asked for; so the first is waited for, and what lies ready added.
        first = self._consumer.poll(seconds)
        if first is None:
            return []
        more = self._consumer.consume(max_records - 1, 0) if max_records > 1 else []
        return [_record(message) for message in [first, *more] if _is_record(message)]

    def _commit(self, offsets: Mapping[int, int]) -> None:
        if offsets:
            places = [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
            self._consumer.commit(offsets=places, asynchronous=True)

    def _answered(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        """Hear, within `poll` or `close`, what became of a commit."""
        failed = error or next((place.error for place in places if place.error is not None), None)
        if failed is not None:
            _log.warning("%s: offsets are not committed yet: %s", self._topic, failed)
        taken = {place.partition: place.offset for place in places if error is None and place.error is None}
        if taken and self._on_commit is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
                self._on_commit(taken)

    def _places(self, partitions: Collection[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in partitions]


def consumers(brokers: str, extra: Mapping[str, Any] | None, worker_id: str) -> Callable[[str], ConfluentConsumer]:
    """Return what makes a worker's consumers."""
    return lambda job_type: ConfluentConsumer(
        configuration(brokers, job_type, extra), f"workflow-kafka-{worker_id}-{job_type}"
    )


def _is_record(message: Message) -> bool:
    """Return whether a message is one; errors come as messages, too."""
    error = message.error()
    if error is None:
        return True
    if error.fatal():
        raise ConsumerBroken(f"{error.str()}; the worker has to be started anew")
    if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its published name
        _log.warning("kafka: %s", error.str())
    return False


def _record(message: Message) -> Record:
    return Record(
        topic=str(message.topic()),
        partition=int(message.partition() or 0),
        offset=int(message.offset() or 0),
        value=message.value(),
        key=message.key(),
        headers={name: value for name, value in _pairs(message) if isinstance(value, bytes)},
    )


def _pairs(message: Message) -> Iterable[tuple[str, str | bytes | None]]:
    headers = message.headers() or ()
    return headers.items() if isinstance(headers, dict) else headers


def _numbers(places: list[TopicPartition]) -> list[int]:
    return [place.partition for place in places]
