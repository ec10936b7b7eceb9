"""What becomes of each record, across all topics: known already, worked on, to be tried again, or settled.

A record is settled once the engine accepted its report or turned it down, or it went to the dead letters; its id is
remembered only then, so that a copy that comes earlier still counts on the first, and is there if that one comes to
nothing. Two records of one step execution are never worked on at a time: the later waits, because it may be a copy as
well as the next try.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from workflow_sdk.kafka.record import CorruptRecord, Dispatched, read
from workflow_sdk.worker.claimed import Claimed
from workflow_sdk.worker.report_rules import GIVE_UP_SECONDS, Told

if TYPE_CHECKING:
    from workflow_sdk.kafka.offsets import Offsets
    from workflow_sdk.kafka.port import Record
    from workflow_sdk.worker.limits import Lane
    from workflow_sdk.worker.ports import Job

_log = logging.getLogger("workflow_sdk")

AGAIN_SECONDS = 5.0
"""Nobody else gives a job back whose report did not get through, so this worker takes it again after so long."""

DeadLetter = Callable[["Record", str], object]
"""`dead_letter(record, reason)`; called on the worker's loop, so it must not block. If it raises, it is asked again."""


def log_dead_letter(record: Record, reason: str) -> None:
    """Log an error that tells where the record lies, so that it can be read again, and nothing of what is in it."""
    _log.error(
        "skipping the record at %s, partition %d, offset %d: %s", record.topic, record.partition, record.offset, reason
    )


class Seen(Protocol):
    """A set that remembers ids for a while: a `DeduplicationCache`."""

    def seen(self, key: str, /) -> bool:
        """Remember an id, and return whether it was known."""
        ...

    def __contains__(self, key: str, /) -> bool: ...


class Keeper(Protocol):
    """Who read a record."""

    def back(self, delivery: Delivery) -> None:
        """Bring it again."""

    def settled(self, delivery: Delivery) -> None:
        """Commit past it, once nothing before it is open."""


@dataclass(eq=False)
class Delivery:
    """One record in this worker's hands.

    Args:
        record: as it was read.
        offsets: the partition it belongs to.
        keeper: who read it.
        dispatched: the job in it, once that was looked for.
        followers: records of the same work that came while this one was under way.
        broken_since: when the engine first answered its report with an internal error.

    """

    record: Record
    offsets: Offsets
    keeper: Keeper
    dispatched: Dispatched | None = None
    followers: list[Delivery] = field(default_factory=list)
    broken_since: float | None = None

    @property
    def work(self) -> str:
        """What two records of the same work have in common."""
        assert self.dispatched is not None, "it was read"
        return str(self.dispatched.job["stepExecutionId"] or self.dispatched.job["id"])


class Deliveries:
    """The records of one worker.

    Args:
        start: begins to work on a job in a lane; its slot is taken by then.
        seen: the ids of what is settled.
        dead_letter: gets what is no job, or no engine will ever take.
        monotonic: seconds that only grow.

    """

    def __init__(
        self,
        start: Callable[[Job, Lane], object],
        *,
        seen: Seen,
        dead_letter: DeadLetter,
        monotonic: Callable[[], float],
    ) -> None:
        self._monotonic = monotonic
        self._start = start
        self._seen = seen
        self._dead_letter = dead_letter
        self._under_way: dict[str, Delivery] = {}
        self._pauses: set[asyncio.TimerHandle] = set()

    def take(self, delivery: Delivery, claim: Callable[[], Lane]) -> None:
        """Do what is to be done with a record; `claim` takes a slot, and is called only if it needs one."""
        if delivery.dispatched is None:
            try:
                delivery.dispatched = read(delivery.record)
            except CorruptRecord as error:
                self._bury(delivery, str(error))
                return
        if delivery.dispatched.dedup_key in self._seen:
            delivery.keeper.settled(delivery)
            return
        earlier = self._under_way.get(delivery.work)
        if earlier is not None:
            earlier.followers.append(delivery)
            return
        self._under_way[delivery.work] = delivery
        self._start(delivery.dispatched.job, claim())

    def reported(self, claimed: Claimed, told: Told) -> None:
        """Note what became of a job that was started."""
        delivery = self._under_way.pop(claimed.key)
        assert delivery.dispatched is not None, "it was read"
        followers, delivery.followers = delivery.followers, []
        if told is Told.BROKEN and self._has_been_broken_for_long(delivery):
            self._bury(delivery, f"the engine answered its reports with internal errors for {GIVE_UP_SECONDS:g} s")
        elif told in {Told.BROKEN, Told.NOTHING}:
            self._later(delivery)
        else:
            self._seen.seen(delivery.dispatched.dedup_key)
            delivery.keeper.settled(delivery)
        for follower in followers:
            follower.keeper.back(follower)

    def close(self) -> None:
        """Take nothing again."""
        for pause in self._pauses:
            pause.cancel()
        self._pauses.clear()

    def _has_been_broken_for_long(self, delivery: Delivery) -> bool:
        now = self._monotonic()
        if delivery.broken_since is None:
            delivery.broken_since = now
        return now - delivery.broken_since > GIVE_UP_SECONDS

    def _bury(self, delivery: Delivery, reason: str) -> None:
        try:
            self._dead_letter(delivery.record, reason)
        except Exception:  # noqa: BLE001 - the application's own; the record must not be lost by it
            _log.exception("the dead letter hook failed; it is asked again in %g s", AGAIN_SECONDS)
            self._later(delivery)
        else:
            delivery.keeper.settled(delivery)

    def _later(self, delivery: Delivery) -> None:
        def again() -> None:
            self._pauses.discard(pause)
            delivery.keeper.back(delivery)

        pause = asyncio.get_running_loop().call_later(AGAIN_SECONDS, again)
        self._pauses.add(pause)
