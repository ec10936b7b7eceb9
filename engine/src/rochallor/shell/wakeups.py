"""Who waits for what: polls for a job type, callers for an instance to change.

Both are in-memory and lost with the process, which is fine: whoever waited asks again. What must not happen is a wait
that nobody ends, so a poll is parked only by who claims (`polls.py`), right after the claim that found nothing for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Protocol

from rochallor.ports import ClaimedJob, ClaimRequest

MAX_POLL_TIMES = 10_000
"""Job types come from clients; of more than this many, those asked for longest ago are forgotten."""


class Alarm(Protocol):
    """Something that will be called, unless it is cancelled before."""

    def cancel(self) -> None:
        """Do not call it any more."""
        ...


class Waits(Protocol):
    """By what callers' waits are measured: seconds that only grow, and alarms in them."""

    def time(self) -> float:
        """Return the seconds now."""
        ...

    def call_at(self, when: float, callback: Callable[..., object], *args: object) -> Alarm:
        """Have `callback` called on the event loop once `time()` has reached `when`."""
        ...


class LoopWaits:
    """Waits as long as the event loop's clock says."""

    def time(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    def call_at(self, when: float, callback: Callable[..., object], *args: object) -> Alarm:
        """Have it called by the loop."""
        return asyncio.get_running_loop().call_at(when, callback, *args)


class WaitingPoll:
    """One poll: its wish, when it gives up (in the time of `Waits`), and where its answer goes."""

    __slots__ = ("answer", "deadline", "request", "timer")

    def __init__(self, request: ClaimRequest, deadline: float, answer: asyncio.Future[list[ClaimedJob]]) -> None:
        self.request = request
        self.deadline = deadline
        self.answer = answer
        self.timer: Alarm | None = None


class ParkedPolls:
    """Polls that found nothing, by job type, longest waiting first. `announce` is told the types of each one."""

    def __init__(self, waits: Waits | None = None) -> None:
        self.announce: Callable[[Collection[str]], None] = _tell_nobody
        self._waits = waits or LoopWaits()
        self._by_type: dict[str, dict[WaitingPoll, None]] = defaultdict(dict)

    def park(self, poll: WaitingPoll) -> None:
        """Let a poll wait until a job of its types appears or its time is over."""
        for job_type in poll.request.job_types:
            self._by_type[job_type][poll] = None
        poll.timer = self._waits.call_at(poll.deadline, self._give_up, poll)
        self.announce(poll.request.job_types)

    def take(self, ready: Counter[str]) -> list[WaitingPoll]:
        """Return as many waiting polls as there are new jobs, and forget them here."""
        taken: dict[WaitingPoll, None] = {}
        for job_type, count in ready.items():
            waiting = (poll for poll in self._by_type.get(job_type, ()) if not poll.answer.done())
            for poll in list(islice(waiting, count)):
                taken[poll] = None
                self.forget(poll)
        return list(taken)

    def forget(self, poll: WaitingPoll) -> None:
        """Stop a poll's wait."""
        for job_type in poll.request.job_types:
            waiting = self._by_type.get(job_type)
            if waiting is not None:
                waiting.pop(poll, None)
                if not waiting:
                    del self._by_type[job_type]
        if poll.timer is not None:
            poll.timer.cancel()

    def release(self) -> None:
        """Answer everybody with nothing: the engine is going down."""
        for poll in {poll for waiting in self._by_type.values() for poll in waiting}:
            self._give_up(poll)

    def counts(self) -> dict[str, int]:
        """Return how many polls wait per job type."""
        return {job_type: len(polls) for job_type, polls in self._by_type.items()}

    def _give_up(self, poll: WaitingPoll) -> None:
        self.forget(poll)
        if not poll.answer.done():
            poll.answer.set_result([])


class PollTimes:
    """When each job type was last asked for by a poll at this engine; times are milliseconds since the epoch."""

    def __init__(self, since_ms: int) -> None:
        self._since_ms = since_ms
        self._asked_ms: dict[str, int] = {}

    def asked(self, polls: Iterable[WaitingPoll], now_ms: int) -> None:
        """Note that these polls have just been looked at."""
        for poll in polls:
            for job_type in poll.request.job_types:
                self._asked_ms.pop(job_type, None)
                self._asked_ms[job_type] = now_ms
        while len(self._asked_ms) > MAX_POLL_TIMES:
            del self._asked_ms[next(iter(self._asked_ms))]

    def silent_ms(self, job_type: str, now_ms: int) -> int:
        """Return for how long nobody has asked for a type; at most since this engine has been running."""
        return max(0, now_ms - self._asked_ms.get(job_type, self._since_ms))


class Watchers:
    """Callers that wait for an instance to change. `announce` is told which one each of them waits for."""

    def __init__(self) -> None:
        self.announce: Callable[[str], None] = _tell_nobody
        self._events: dict[str, list[asyncio.Event]] = defaultdict(list)

    def changed(self, instance_id: str) -> None:
        """Wake those who wait for this instance."""
        for event in self._events.get(instance_id, ()):
            event.set()

    def release(self) -> None:
        """Wake everybody."""
        for instance_id in list(self._events):
            self.changed(instance_id)

    def watch(self, instance_id: str) -> asyncio.Event:
        """Return an event that is set at the next change; give it back with `unwatch`."""
        event = asyncio.Event()
        self._events[instance_id].append(event)
        self.announce(instance_id)
        return event

    def unwatch(self, instance_id: str, event: asyncio.Event) -> None:
        """Stop watching."""
        events = self._events[instance_id]
        events.remove(event)
        if not events:
            del self._events[instance_id]


def _tell_nobody(_waited_for: object) -> None:
    """This engine is alone on its store."""
