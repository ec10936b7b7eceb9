"""The polls: whatever polls wait are served by one claim; who found nothing waits on until jobs appear.

A poll comes behind the commands that were there before it. It is parked right after the claim that found nothing for
it. Jobs that are made while it is parked are leased to it by the transaction that makes them; those that appear in any
other way wake as many polls as there are jobs. What must not be missed are jobs that appear while a claim is under
way and may not have seen them: polls that want them look again instead of being parked.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence

import msgspec

from rochallor.core.errors import WorkflowError
from rochallor.ports import ClaimedJob, ClaimRequest, Clock, Store, StoreConflict
from rochallor.shell.known import Memory
from rochallor.shell.metrics import Metrics
from rochallor.shell.refusals import RACES, told
from rochallor.shell.wakeups import ParkedPolls, PollTimes, WaitingPoll, Waits

AfterClaim = Callable[[Sequence[int]], None]
GiveBack = Callable[[Sequence[ClaimedJob]], None]


class Aboard(msgspec.Struct):
    """The polls that one transaction serves, and what they get from it.

    Those `waiting` are `given` jobs that it makes, leased at `save_ms`. For those `riding` it claims, at `claim_ms`;
    `all_rode` says that nobody else can have waited for what it makes.
    """

    waiting: list[WaitingPoll] = []
    given: list[list[ClaimedJob]] = []
    save_ms: int = 0
    all_rode: bool = False
    riding: list[WaitingPoll] = []
    claimed: list[list[ClaimedJob]] = []
    claim_ms: int = 0


class Polls:
    """Owns the polls of an engine, waiting and parked, and claims for them.

    It does so by itself (`run`), when it is told to (`serve`), or lets them ride with a transaction (`board`). `wake`
    is set when there is something to do. `after_claim` are told when leases that were handed out will end. `give_back`
    gets the jobs that were claimed for callers who hung up meanwhile.
    """

    def __init__(
        self,
        store: Store,
        memory: Memory,
        *,
        clock: Clock,
        metrics: Metrics,
        waits: Waits,
        wake: asyncio.Event,
        give_back: GiveBack,
    ) -> None:
        self.parked = ParkedPolls(waits)
        self.times = PollTimes(clock.now_ms())
        self.after_claim: list[AfterClaim] = []
        self._store = store
        self._memory = memory
        self._clock = clock
        self._metrics = metrics
        self._waits = waits
        self._wake = wake
        self._give_back = give_back
        self._new: deque[WaitingPoll] = deque()
        self._behind: deque[tuple[int, WaitingPoll]] = deque()  # how many commands come before each, in this order
        self._reached = 0
        self._appeared: set[str] = set()
        self._draining = False
        self._ending = False

    def __len__(self) -> int:
        """How many polls are to be served."""
        return len(self._new)

    def counts(self) -> dict[str, int]:
        """Return how many parked polls wait per job type."""
        return self.parked.counts()

    async def claim(self, request: ClaimRequest, wait_ms: int, *, after: int) -> list[ClaimedJob]:
        """Claim jobs behind the first `after` commands, waiting up to `wait_ms` for the first job."""
        deadline = self._waits.time() + wait_ms / 1000 if wait_ms else 0.0
        poll = WaitingPoll(request, deadline, asyncio.get_running_loop().create_future())
        if after > self._reached:
            self._behind.append((after, poll))
        else:
            self._new.append(poll)
            self._wake.set()
        try:
            jobs = await poll.answer
        except asyncio.CancelledError:
            if not poll.answer.cancelled() and not poll.answer.exception():  # it was there, and nobody to hear it
                self.unheard(poll.answer.result())
            raise
        finally:
            self.parked.forget(poll)
        self._metrics.polled(jobs)
        return jobs

    def appeared(self, ready: Counter[str]) -> None:
        """Let polls look again, because jobs of these types have appeared, so many of each."""
        if ready:
            self._wake_parked(ready)
            self._appeared.update(ready)
            self._wake.set()

    def follow(self, taken: int) -> None:
        """Let the polls come that waited for the first `taken` commands: no claim comes before those any more."""
        self._reached = taken
        while self._behind and self._behind[0][0] <= taken:
            self._new.append(self._behind.popleft()[1])
            self._wake.set()

    def board(self, aboard: Aboard, taken: int, made: Counter[str], ripened: Counter[str]) -> None:
        """Let those aboard whom a transaction serves that makes so many jobs of each type, and lets others be claimed.

        Those who are parked wait for what it makes. If claims cannot be made beside it, those who have come behind its
        commands ride, and those who are parked for what ripens. It ends with `land` or, if nothing comes of it,
        `put_back`.
        """
        aboard.waiting = self.parked.take(made)
        if not self._store.claims_apart:
            self.follow(taken)
            self._wake_parked(ripened)
            aboard.riding = self._take()
            aboard.all_rode = True

    def put_back(self, polls: Sequence[WaitingPoll]) -> None:
        """Let polls be served for which nothing came of a transaction."""
        if polls:
            self._new.extendleft(reversed(polls))
            self._wake.set()

    def land(self, aboard: Aboard, ready: Counter[str]) -> None:
        """Answer those who were served; let the others look for what is left of the jobs that have become `ready`."""
        lucky = [place for place, jobs in enumerate(aboard.given) if jobs]
        given = [aboard.given[place] for place in lucky]
        self.hand_out([aboard.waiting[place] for place in lucky], given, aboard.save_ms)
        self.put_back([poll for poll, jobs in zip(aboard.waiting, aboard.given, strict=True) if not jobs])
        self.hand_out(aboard.riding, aboard.claimed, aboard.claim_ms)
        if not aboard.all_rode:
            self.appeared(ready - Counter(job.job_type for jobs in given for job in jobs))

    def drain(self) -> None:
        """Let nobody wait any more, now or later."""
        self._draining = True
        self.parked.release()

    def end(self) -> None:
        """Serve what waits; `run` then returns."""
        self._ending = True
        self._wake.set()

    async def run(self) -> None:
        """Claim for whoever polls, until `end`."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.serve()
            while self._new:
                await self.serve()
            if self._ending:
                return

    async def serve(self) -> None:
        """Make one claim for all polls that wait. Also for none: then the store offers to others what is left."""
        await self._claim(self._take(), RACES)

    def _wake_parked(self, ready: Counter[str]) -> None:
        """Let them look again before those that have just come."""
        self._new.extendleft(reversed(self.parked.take(ready)))

    def _take(self) -> list[WaitingPoll]:
        polls = [poll for poll in self._new if not poll.answer.done()]
        self._new.clear()
        self._appeared.clear()
        return polls

    async def _claim(self, polls: list[WaitingPoll], tries: int) -> None:
        now_ms, began = self._clock.now_ms(), asyncio.get_running_loop().time()
        try:
            claimed = await self._store.claim([poll.request for poll in polls], now_ms)
        except Exception as error:  # noqa: BLE001 - no poll may take the others or the writer down
            if isinstance(error, StoreConflict) and tries > 1:
                await self._claim(polls, tries - 1)
            else:
                _refuse(polls, told(error))
            return
        if polls:
            self._metrics.transacted("claims", asyncio.get_running_loop().time() - began)
            self.hand_out(polls, claimed, now_ms)

    def hand_out(self, polls: Sequence[WaitingPoll], claimed: list[list[ClaimedJob]], now_ms: int) -> None:
        """Answer polls with the jobs that were claimed for them; who got none waits on."""
        self._memory.claimed(claimed)
        self.times.asked(polls, now_ms)
        now = self._waits.time()
        leases_end_ms = [jobs[0].lease_expires_at_ms for jobs in claimed if jobs]
        if leases_end_ms:
            for observer in self.after_claim:
                observer(leases_end_ms)
        for poll, jobs in zip(polls, claimed, strict=True):
            if poll.answer.done():
                self.unheard(jobs)
            elif jobs or poll.deadline <= now or self._draining:
                poll.answer.set_result(jobs)
            elif self._appeared.isdisjoint(poll.request.job_types):
                self.parked.park(poll)
            else:
                self._new.append(poll)

    def unheard(self, jobs: list[ClaimedJob]) -> None:
        """Let others have what nobody will hear of, or it would be locked until its lease ends."""
        if jobs:
            self._memory.given_back(jobs)
            self._give_back(jobs)


def _refuse(polls: list[WaitingPoll], error: WorkflowError) -> None:
    for poll in polls:
        if not poll.answer.done():
            poll.answer.set_exception(error)
