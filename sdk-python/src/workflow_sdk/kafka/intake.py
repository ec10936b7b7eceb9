"""Brings the records of one job type: reads as many as there is room for, pauses when there is none, and commits.

Records that were read and have no slot yet wait here; unlike leases they do not run out. The consumer is polled all the
time, paused or not, because that is how the group knows that this worker lives.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from workflow_sdk.kafka.deliveries import Deliveries, Delivery
from workflow_sdk.kafka.offsets import Offsets
from workflow_sdk.kafka.port import Consumer, ConsumerBroken, Record
from workflow_sdk.worker.bell import Bell

if TYPE_CHECKING:
    from workflow_sdk.worker.limits import Lane
    from workflow_sdk.worker.slots import Slots
    from workflow_sdk.worker.timing import Timing

_log = logging.getLogger("workflow_sdk")

TOPIC_PREFIX = "workflow.jobs."

POLL_SECONDS = 0.5
"""How long a poll waits for records; also how long a stop or a commit may have to wait for a poll."""
COMMIT_SECONDS = 1.0
"""How often offsets are committed; what a crash repeats is what ended since."""
LET_GO_SECONDS = 5.0
"""How long a partition that is taken away waits for its jobs under way, so that its next owner does not repeat them."""
LAST_COMMIT_SECONDS = 5.0
PATIENCE_SECONDS = 0.1
"""How long slots are full before reading pauses: a pause throws away what the library has fetched ahead."""
ERROR_SECONDS = 1.0
MOST_PER_POLL = 500


class Intake:
    """One topic's records, for one run.

    Args:
        job_type: whose topic it is.
        consumer: reads it; closed with the intake.
        lane: the limits of the type's handler.
        slots: all of the worker's.
        deliveries: takes the records.
        timing: time.

    """

    def __init__(
        self, job_type: str, consumer: Consumer, *, lane: Lane, slots: Slots, deliveries: Deliveries, timing: Timing
    ) -> None:
        self._topic = TOPIC_PREFIX + job_type
        self._consumer = consumer
        self._lane = lane
        self._slots = slots
        self._deliveries = deliveries
        self._timing = timing
        self._waiting: deque[Delivery] = deque()
        self._partitions: dict[int, Offsets] = {}
        self._paused: set[int] = set()
        self._changed = Bell()  # there may be room
        self._let_go = Bell()  # a record is not under way any more
        self._stopping = False
        self._leaving = False
        self._committed_at = timing.monotonic()
        self._errors = 0

    async def run(self) -> None:
        """Read until told to leave; then commit what is done, and leave the group. If cancelled, just end."""
        try:
            await self._consumer.subscribe(self._topic, self)
            while not self._leaving:
                await self._try_a_round()
        except Exception:
            await self._leave()
            raise
        await self._leave()

    def stop(self) -> None:
        """Begin no more jobs. Records that wait are left to whoever reads them next."""
        self._stopping = True
        self._leave_waiting(list(self._partitions.values()))

    def leave(self) -> None:
        """Let `run` end."""
        self._leaving = True
        self._changed.ring()
        self._let_go.ring()

    def feed(self) -> None:
        """Begin what waits, as far as there is room."""
        while self._waiting and not self._stopping and self._lane.allowance(self._slots.free()):
            self._deliveries.take(self._waiting.popleft(), self._claim)
        self._changed.ring()

    def back(self, delivery: Delivery) -> None:
        """Bring a record again, before those that were read after it."""
        if delivery.offsets.gone or self._stopping:
            delivery.offsets.leave(delivery.record.offset)
            self._let_go.ring()
        else:
            self._waiting.appendleft(delivery)
        self.feed()

    def settled(self, delivery: Delivery) -> None:
        """Commit past a record, at the next opportunity, once nothing before it is open."""
        delivery.offsets.done(delivery.record.offset)
        self._let_go.ring()

    async def came(self, partitions: Collection[int]) -> None:
        """Note partitions that are ours from now on."""
        for partition in partitions:
            self._partitions[partition] = Offsets()
        self._paused -= set(partitions)

    async def going(self, partitions: Collection[int]) -> Mapping[int, int]:
        """Give the jobs under way in these partitions a moment, then forget them; return what is done."""
        leaving = [self._partitions[each] for each in partitions if each in self._partitions]
        self._leave_waiting(leaving)
        ends_at = self._timing.monotonic() + LET_GO_SECONDS
        while any(offsets.is_busy for offsets in leaving) and not self._leaving:
            left = ends_at - self._timing.monotonic()
            if left <= 0:
                break
            await self._let_go.wait(left)
        done = self._to_commit(partitions)
        await self.lost(partitions)
        return done

    def committed(self, offsets: Mapping[int, int]) -> None:
        """Note what the brokers remember."""
        for partition, offset in offsets.items():
            if partition in self._partitions:
                self._partitions[partition].committed(offset)

    async def lost(self, partitions: Collection[int]) -> None:
        """Forget partitions; their jobs under way are finished and reported, and perhaps done twice."""
        for partition in partitions:
            offsets = self._partitions.pop(partition, None)
            if offsets is not None:
                offsets.gone = True
                self._leave_waiting([offsets])
        self._paused -= set(partitions)

    async def _round(self) -> None:
        self.feed()
        room = await self._room_soon()
        await self._open_or_close(is_open=room > 0)
        self._received(await self._consumer.poll(max(room, 1), POLL_SECONDS if room else 0.0))
        if self._timing.monotonic() >= self._committed_at + COMMIT_SECONDS:
            await self._commit()

    async def _room_soon(self) -> int:
        """Return for how many records there is room, after some patience if for none."""
        ends_at = self._timing.monotonic() + (POLL_SECONDS if self._paused else PATIENCE_SECONDS)
        while not (room := self._room()) and not self._leaving:
            left = ends_at - self._timing.monotonic()
            if left <= 0:
                break
            rate = self._lane.seconds_until_more()
            await self._changed.wait(left if rate is None else min(left, rate))
            if rate is not None:
                self.feed()
        return room

    def _room(self) -> int:
        if self._stopping or self._waiting:
            return 0
        return self._lane.allowance(min(self._slots.free(), MOST_PER_POLL))

    async def _open_or_close(self, *, is_open: bool) -> None:
        if is_open and self._paused:
            opened, self._paused = self._paused, set()
            await self._consumer.resume(opened)
        closed: set[int] = set() if is_open else self._partitions.keys() - self._paused
        if closed:
            self._paused |= closed
            await self._consumer.pause(closed)

    def _received(self, records: Sequence[Record]) -> None:
        for record in records:
            offsets = self._partitions.setdefault(record.partition, Offsets())
            if offsets.begin(record.offset):
                self._waiting.append(Delivery(record, offsets, self))
        if self._stopping:
            self._leave_waiting(list(self._partitions.values()))
        self.feed()

    def _claim(self) -> Lane:
        self._slots.take(1)
        self._lane.take(1)
        return self._lane

    def _leave_waiting(self, partitions: Sequence[Offsets]) -> None:
        for delivery in [each for each in self._waiting if each.offsets in partitions]:
            self._waiting.remove(delivery)
            delivery.offsets.leave(delivery.record.offset)

    async def _commit(self) -> None:
        self._committed_at = self._timing.monotonic()
        offsets = self._to_commit(self._partitions)
        if offsets:
            await self._consumer.commit(offsets)

    def _to_commit(self, partitions: Collection[int]) -> dict[int, int]:
        found = {each: self._partitions[each].to_commit for each in partitions if each in self._partitions}
        return {partition: offset for partition, offset in found.items() if offset is not None}

    async def _try_a_round(self) -> None:
        try:
            await self._round()
        except ConsumerBroken:
            raise
        except Exception as error:  # noqa: BLE001 - a worker outlives its brokers
            self._errors += 1
            if self._errors & (self._errors - 1) == 0:  # the 1st, 2nd, 4th, 8th ...: an outage must not fill the log
                _log.warning("%s: reading failed (%d in a row): %s", self._topic, self._errors, error)
            if not self._leaving:
                await self._changed.wait(ERROR_SECONDS)
        else:
            self._errors = 0

    async def _leave(self) -> None:
        self._leaving = self._stopping = True
        try:
            await self._commit_the_last()
        except Exception as error:  # noqa: BLE001 - what is not committed comes again, which is all that can happen
            _log.warning("%s: the last commit failed, so some records come again: %s", self._topic, error)
        await self._consumer.close()

    async def _commit_the_last(self) -> None:
        ends_at = self._timing.monotonic() + LAST_COMMIT_SECONDS
        await self._open_or_close(is_open=False)
        await self._commit()
        while self._to_commit(self._partitions) and self._timing.monotonic() < ends_at:
            self._received(await self._consumer.poll(1, LAST_COMMIT_SECONDS / 50))
