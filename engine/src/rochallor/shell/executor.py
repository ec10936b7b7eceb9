"""The one writer: takes whatever waits, does it in one transaction, commits, answers. Group commit.

It never lingers for a bigger batch: while one batch commits, the next gathers by itself. So an idle engine answers at
once and a busy one pays one commit for many commands. A batch the store refuses is tried again one by one, so that only
the guilty command fails. Polls ride in the same transaction, after the commands: a job made by one request is handed
out in the very commit that made it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import structlog

from rochallor.core.errors import Conflict, InternalError, TooManyRequests, Unavailable, WorkflowError
from rochallor.core.machine import step
from rochallor.ports import ClaimedJob, ClaimRequest, Clock, Entropy, Store, StoreConflict, Transaction
from rochallor.shell.definitions import Definitions
from rochallor.shell.desk import Desk, Moment
from rochallor.shell.known import Memory
from rochallor.shell.metrics import Metrics
from rochallor.shell.settings import Settings
from rochallor.shell.wakeups import LoopWaits, ParkedPolls, PollTimes, WaitingPoll, Waits, Watchers
from rochallor.shell.work import Wishes, Work

T = TypeVar("T")
log = structlog.get_logger("rochallor.executor")

RACES = 3
"""How often one command may lose a race against other engines before its caller is told."""

AfterCommit = Callable[[Desk], None]


class Submission(NamedTuple):
    """Work and where its answer goes."""

    work: Work[Any]
    answer: asyncio.Future[Any]


class Executor:
    """Owns the queue and the writer task. `after_commit` are told of every committed desk.

    `step` is the machine that decides; whoever tests a test puts a broken one there.
    """

    def __init__(
        self,
        store: Store,
        definitions: Definitions,
        *,
        clock: Clock,
        entropy: Entropy,
        settings: Settings,
        metrics: Metrics,
        waits: Waits | None = None,
    ) -> None:
        self.waits = waits or LoopWaits()
        self.polls = ParkedPolls(self.waits)
        self.poll_times = PollTimes(clock.now_ms())
        self.watchers = Watchers()
        self._store = store
        self._definitions = definitions
        self._memory = Memory()
        self._clock = clock
        self._entropy = entropy
        self._settings = settings
        self._metrics = metrics
        self._queue: deque[Submission] = deque()
        metrics.queue_depth.set_function(lambda: len(self._queue))
        self._new_polls: deque[WaitingPoll] = deque()
        self._appeared: set[str] = set()
        self._wake = asyncio.Event()
        self.draining = False
        self.stopping = False
        self.after_commit: list[AfterCommit] = []
        self.step = step

    async def submit(self, work: Work[T]) -> T:
        """Do one piece of work durably; returns when it is committed. Raises `WorkflowError`."""
        return await self.enqueue(work)

    def enqueue(self, work: Work[T]) -> asyncio.Future[T]:
        """Queue work without waiting: what is queued in one go lands in one batch, in this order."""
        self._refuse_when_stopping()
        if len(self._queue) >= self._settings.queue_limit:
            message = f"{len(self._queue)} requests are waiting already; try again shortly"
            raise TooManyRequests(message, retry_after_ms=1_000)
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append(Submission(work, answer))
        self._wake.set()
        return answer

    async def poll(self, request: ClaimRequest, wait_ms: int) -> list[ClaimedJob]:
        """Claim jobs, waiting up to `wait_ms` for the first one."""
        self._refuse_when_stopping()
        deadline = self.waits.time() + wait_ms / 1000 if wait_ms else 0.0
        poll = WaitingPoll(request, deadline, asyncio.get_running_loop().create_future())
        self._new_polls.append(poll)
        self._wake.set()
        try:
            jobs = await poll.answer
        finally:
            self.polls.forget(poll)
        self._metrics.polled(jobs)
        return jobs

    def nudge(self, ready: Counter[str]) -> None:
        """Let waiting polls look again, because jobs of these types have appeared elsewhere.

        Polls that are being served at this moment too: their claim may have come just before the jobs.
        """
        self._new_polls.extend(self.polls.take(ready))
        self._appeared.update(ready)
        self._wake.set()

    async def run(self) -> None:
        """Be the writer until `stop`."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue or self._new_polls:
                await self._cycle(self._take(), self._take_polls())
            if self.stopping:
                return

    def drain(self) -> None:
        """Let nobody wait any more, now or later; commands still succeed."""
        self.draining = True
        self.polls.release()
        self.watchers.release()

    def stop(self) -> None:
        """Take nothing new, answer waiting polls, finish what is queued; `run` then returns."""
        self.drain()
        self.stopping = True
        self._wake.set()

    def _refuse_when_stopping(self) -> None:
        """Raise rather than queue what no writer will look at any more."""
        if self.stopping:
            raise Unavailable("the engine is shutting down; try another one, or again soon", retry_after_ms=1_000)

    def _take(self) -> list[Submission]:
        count = min(len(self._queue), self._settings.batch_limit)
        return [self._queue.popleft() for _ in range(count)]

    def _take_polls(self) -> list[WaitingPoll]:
        polls = [poll for poll in self._new_polls if not poll.answer.done()]
        self._new_polls.clear()
        return polls

    async def _cycle(self, batch: list[Submission], polls: list[WaitingPoll], tries: int = RACES) -> None:
        """Do a batch and its polls in one transaction, then answer all of them.

        What lost a race against another engine is decided again on what the winner left: once all together, because
        that is what was remembered wrongly, then each alone.
        """
        try:
            await self._transact(batch, polls)
        except Unavailable as error:
            self._memory.doubt()
            self._refuse(batch, polls, error)
        except StoreConflict as error:
            self._memory.doubt()
            if tries == RACES or (tries > 1 and len(batch) + len(polls) == 1):
                await self._cycle(batch, polls, tries - 1)
            else:
                await self._isolate(batch, polls, error)
        except Exception as error:  # noqa: BLE001 - one bad command must not take its batch-mates or the writer down
            await self._isolate(batch, polls, error)

    async def _transact(self, batch: list[Submission], polls: list[WaitingPoll]) -> None:
        now_ms, began = self._clock.now_ms(), asyncio.get_running_loop().time()
        self._appeared.clear()
        async with self._store.transaction() as tx:
            desk = await self._desk(tx, batch, now_ms)
            locked = asyncio.get_running_loop().time()
            results = [await self._perform(submission, desk) for submission in batch]
            if desk.changes:
                await tx.save(desk.changes)
            if desk.released:
                await tx.hasten_chains(desk.released, now_ms)
            polls += self.polls.take(desk.ready)
            claimed = await self._claim(tx, polls, now_ms)
        self._metrics.transacted(bool(batch), bool(polls), locked - began, asyncio.get_running_loop().time() - began)
        self._memory.committed(desk.changes, claimed)
        self.poll_times.asked(polls, now_ms)
        self._metrics.committed(desk.changes, len(batch))
        for submission, result in zip(batch, results, strict=True):
            _answer(submission, result)
        self._hand_out(polls, claimed, desk)
        for change in desk.changes:
            self.watchers.changed(change.after.id)
        for observer in self.after_commit:
            observer(desk)

    async def _desk(self, tx: Transaction, batch: Sequence[Submission], now_ms: int) -> Desk:
        wishes = Wishes()
        for submission in batch:
            submission.work.wish(wishes)
        wanted, recalled = wishes.without(self._memory)
        loaded = await tx.load(wanted)
        loaded.instances.update(recalled.instances)
        loaded.leases.update(recalled.leases)
        moment = Moment(now_ms, self._entropy.bits(64))
        rules = self._settings.rules
        desk = Desk(tx, loaded, definitions=self._definitions, rules=rules, moment=moment)
        desk.step = self.step
        return desk

    async def _perform(self, submission: Submission, desk: Desk) -> object:
        """Return the work's result or the error it ends with; store errors concern the whole batch and pass."""
        try:
            return await submission.work.perform(desk)
        except (StoreConflict, Unavailable):
            raise
        except WorkflowError as error:
            return error
        except Exception:
            log.exception("command failed by a bug", work=type(submission.work).__name__)
            return InternalError("the engine failed at this request by a mistake of its own; its log says more")

    async def _claim(self, tx: Transaction, polls: list[WaitingPoll], now_ms: int) -> list[list[ClaimedJob]]:
        if not polls:
            return []
        return await tx.claim([poll.request for poll in polls], now_ms)

    def _hand_out(self, polls: list[WaitingPoll], claimed: list[list[ClaimedJob]], desk: Desk) -> None:
        now = self.waits.time()
        for poll, jobs in zip(polls, claimed, strict=True):
            desk.plans.extend(job.lease_expires_at_ms for job in jobs[:1])
            if poll.answer.done():
                continue
            if jobs or poll.deadline <= now or self.draining:
                poll.answer.set_result(jobs)
            elif self._appeared.isdisjoint(poll.request.job_types):
                self.polls.park(poll)
            else:
                self._new_polls.append(poll)

    def _refuse(self, batch: list[Submission], polls: list[WaitingPoll], error: Exception) -> None:
        for submission in batch:
            _answer(submission, error)
        for poll in polls:
            if not poll.answer.done():
                poll.answer.set_exception(error)

    async def _isolate(self, batch: list[Submission], polls: list[WaitingPoll], error: Exception) -> None:
        """Find the guilty one of a batch that failed as a whole, by trying each alone."""
        if len(batch) + len(polls) == 1 or not batch:
            self._refuse(batch, polls, _told(error))
            return
        self._new_polls.extend(poll for poll in polls if not poll.answer.done())
        for submission in batch:
            await self._cycle([submission], [])


def _told(error: Exception) -> WorkflowError:
    if isinstance(error, StoreConflict):
        return Conflict(f"{error}; it was changed at the same time, read it again and decide anew")
    if isinstance(error, WorkflowError):
        return error
    log.error("transaction failed by a bug", exc_info=error)
    return InternalError("the engine failed at this request by a mistake of its own; its log says more")


def _answer(submission: Submission, result: object) -> None:
    if submission.answer.done():
        return  # the caller went away; what was done is committed all the same
    if isinstance(result, Exception):
        submission.answer.set_exception(result)
    else:
        submission.answer.set_result(result)
