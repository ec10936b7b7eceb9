"""The polls: whatever polls wait are served by one claim; who found nothing waits on until jobs appear.

A poll is parked right after the claim that found nothing for it, and woken by as many jobs as there are polls. What
must not be missed are jobs that appear while a claim is under way and may not have seen them: polls that want them look
again instead of being parked.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence

from rochallor.core.errors import WorkflowError
from rochallor.ports import ClaimedJob, ClaimRequest, Clock, Store, StoreConflict
from rochallor.shell.known import Memory
from rochallor.shell.metrics import Metrics
from rochallor.shell.refusals import RACES, told
from rochallor.shell.wakeups import ParkedPolls, PollTimes, WaitingPoll, Waits

AfterClaim = Callable[[Sequence[int]], None]


class Polls:
    """Owns the polls of an engine, waiting and parked, and claims for them.

    It does so by itself (`run`) or when it is told to (`serve`); `wake` is set when there is something to do.
    `after_claim` are told when leases that were handed out will end.
    """

    def __init__(
        self, store: Store, memory: Memory, *, clock: Clock, metrics: Metrics, waits: Waits, wake: asyncio.Event
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
        self._new: deque[WaitingPoll] = deque()
        self._appeared: set[str] = set()
        self._draining = False
        self._ending = False

    def __len__(self) -> int:
        """How many polls are to be served."""
        return len(self._new)

    def counts(self) -> dict[str, int]:
        """Return how many parked polls wait per job type."""
        return self.parked.counts()

    async def claim(self, request: ClaimRequest, wait_ms: int) -> list[ClaimedJob]:
        """Claim jobs, waiting up to `wait_ms` for the first one."""
        deadline = self._waits.time() + wait_ms / 1000 if wait_ms else 0.0
        poll = WaitingPoll(request, deadline, asyncio.get_running_loop().create_future())
        self._new.append(poll)
        self._wake.set()
        try:
            jobs = await poll.answer
        finally:
            self.parked.forget(poll)
        self._metrics.polled(jobs)
        return jobs

    def appeared(self, ready: Counter[str]) -> None:
        """Let polls look again, because jobs of these types have appeared, so many of each; told of every commit."""
        self._new.extend(self.parked.take(ready))
        self._appeared.update(ready)
        self._wake.set()

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
        """Make one claim for all polls that wait. Also for none: then the store tells its neighbours what is left."""
        polls = [poll for poll in self._new if not poll.answer.done()]
        self._new.clear()
        await self._claim(polls, RACES)

    async def _claim(self, polls: list[WaitingPoll], tries: int) -> None:
        now_ms, began = self._clock.now_ms(), asyncio.get_running_loop().time()
        self._appeared.clear()
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
            self._memory.claimed(claimed)
            self.times.asked(polls, now_ms)
            self._hand_out(polls, claimed)

    def _hand_out(self, polls: list[WaitingPoll], claimed: list[list[ClaimedJob]]) -> None:
        now = self._waits.time()
        leases_end_ms = [jobs[0].lease_expires_at_ms for jobs in claimed if jobs]
        if leases_end_ms:
            for observer in self.after_claim:
                observer(leases_end_ms)
        for poll, jobs in zip(polls, claimed, strict=True):
            if poll.answer.done():
                continue
            if jobs or poll.deadline <= now or self._draining:
                poll.answer.set_result(jobs)
            elif self._appeared.isdisjoint(poll.request.job_types):
                self.parked.park(poll)
            else:
                self._new.append(poll)


def _refuse(polls: list[WaitingPoll], error: WorkflowError) -> None:
    for poll in polls:
        if not poll.answer.done():
            poll.answer.set_exception(error)
