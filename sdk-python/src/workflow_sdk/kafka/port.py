"""What the worker asks of a Kafka consumer: one of a topic, in a group, with commits by hand.

Behind it stands a library (`confluent`), or a fake in memory. It would break if the listener were not awaited before
partitions change hands: what it returns is the last chance to commit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Record:
    """One record as it lies in the log.

    Args:
        topic: where it was read.
        partition: number within the topic.
        offset: number within the partition.
        value: its bytes; None for a tombstone.
        key: what it was partitioned by, the instance's id; None when there is none.
        headers: what the producer said about it; the last of a name counts.

    """

    topic: str
    partition: int
    offset: int
    value: bytes | None
    key: bytes | None = None
    headers: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


class Listener(Protocol):
    """Who is told which partitions come and go."""

    async def came(self, partitions: Collection[int]) -> None:
        """Note partitions that are ours from now on; they are not paused."""

    async def going(self, partitions: Collection[int]) -> Mapping[int, int]:
        """Let go of partitions; return the offsets to commit for them before they go."""
        ...

    def committed(self, offsets: Mapping[int, int]) -> None:
        """Note, within a call of `poll`, what the brokers remember from now on."""

    async def lost(self, partitions: Collection[int]) -> None:
        """Let go of partitions that are somebody else's already: it is too late to commit."""


class ConsumerBroken(Exception):
    """This consumer will never deliver again; the worker ends with it."""


class Consumer(Protocol):
    """One consumer of one topic. Calls are made one at a time; each may raise what the library raises."""

    async def subscribe(self, topic: str, listener: Listener) -> None:
        """Join the group. From then on `poll` is to be called regularly, whatever is paused."""

    async def poll(self, max_records: int, seconds: float) -> Sequence[Record]:
        """Return at most so many records, as soon as there are any; none after so many seconds.

        Raises:
            ConsumerBroken: there will never be any again.

        """
        ...

    async def pause(self, partitions: Collection[int]) -> None:
        """Fetch no more records of these partitions."""

    async def resume(self, partitions: Collection[int]) -> None:
        """Fetch them again, from where they were paused."""

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Ask the brokers to remember, by partition, the offset of the next record to read.

        Does not wait for them: while a group changes they may be silent for long, and polls have to go on. The listener
        hears what they took; what they did not take has to be asked for again.
        """

    async def close(self) -> None:
        """Leave the group."""
