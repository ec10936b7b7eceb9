"""The one writer: takes whatever waits, does it in one transaction, commits, answers. Group commit.

It waits for nobody: while one batch commits, the next gathers by itself. So an idle engine answers at once and a busy
one pays one commit for many commands. It only lets the loop hand over first what has arrived already (`gathering.py`).
A batch the store refuses is tried again one by one, so that only the guilty command fails.

Jobs that a batch makes while polls wait for them are those polls' from the outset. All other polls (`polls.py`) are
served beside it where the store can do both at once. Elsewhere they ride with a batch: one claim for all of them, in
its transaction, after its commands; so both together cost one flush.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
import structlog

from rochallor.core.errors import InternalError, TooManyRequests, Unavailable, WorkflowError
from rochallor.core.machine import step
from rochallor.ports import ClaimedJob, ClaimRequest, Clock, Entropy, Store, StoreConflict, Transaction
from rochallor.shell.definitions import Definitions
from rochallor.shell.desk import Desk, Moment
from rochallor.shell.gathering import gather
from rochallor.shell.known import Memory
from rochallor.shell.metrics import Metrics
from rochallor.shell.polls import Aboard, Polls
from rochallor.shell.refusals import A_BUG, RACES, told
from rochallor.shell.settings import Settings
from rochallor.shell.wakeups import LoopWaits, Waits, Watchers
from rochallor.shell.work import GiveBack, Wishes, Work

T = TypeVar("T")
log = structlog.get_logger("rochallor.executor")

AfterCommit = Callable[[Desk], None]


class Submission(msgspec.Struct, frozen=True):
    """Work and where its answer goes."""

    work: Work[Any]
    answer: asyncio.Future[Any]


class Executor:
    """Owns the queue and the writer task.

    `polls` claim beside it or ride with it. `after_commit` are told of every committed desk.

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
        self.watchers = Watchers()
        self._store = store
        self._definitions = definitions
        self._memory = Memory()
        self._wake = asyncio.Event()
        self._polls_ride = not store.claims_apart
        wake = self._wake if self._polls_ride else asyncio.Event()
        self.polls = Polls(
            store,
            self._memory,
            clock=clock,
            metrics=metrics,
            waits=self.waits,
            wake=wake,
            give_back=self._give_back,
        )
        self._clock = clock
        self._entropy = entropy
        self._settings = settings
        self._metrics = metrics
        self._queue: deque[Submission] = deque()
        self._came = self._taken = 0
        metrics.queue_depth.set_function(lambda: len(self._queue))
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
        self._came += 1
        self._queue.append(Submission(work, answer))
        self._wake.set()
        return answer

    async def poll(self, request: ClaimRequest, wait_ms: int) -> list[ClaimedJob]:
        """Claim jobs, waiting up to `wait_ms` for the first one.

        The commands that came before are done first: whoever reports and polls gets the jobs that the report makes.
        """
        self._refuse_when_stopping()
        await asyncio.sleep(0)  # what comes at the same moment came before
        return [] if self.stopping else await self.polls.claim(request, wait_ms, after=self._came)

    async def run(self) -> None:
        """Write and claim until `stop`."""
        async with asyncio.TaskGroup() as group:
            if not self._polls_ride:
                group.create_task(self.polls.run())
            await self._write()
            self.polls.end()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue or (self._polls_ride and self.polls):
                done = True
                if self._queue:
                    await gather(self._queue, self._settings.batch_limit)
                    done = await self._cycle(self._take(), with_polls=True)
                    self.polls.follow(self._taken)
                if self._polls_ride and not (done and self._queue):
                    await self.polls.serve()
            if self.stopping:
                return

    def drain(self) -> None:
        """Let nobody wait any more, now or later; commands still succeed."""
        self.draining = True
        self.polls.drain()
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

    def _give_back(self, jobs: Sequence[ClaimedJob]) -> None:
        """Queue again what nobody has heard of. If that cannot be done, its leases run out, as those of the dead do."""
        with suppress(WorkflowError):
            self.enqueue(GiveBack(jobs)).add_done_callback(asyncio.Future.exception)

    def _take(self) -> list[Submission]:
        count = min(len(self._queue), self._settings.batch_limit)
        self._taken += count
        return [self._queue.popleft() for _ in range(count)]

    async def _cycle(self, batch: list[Submission], tries: int = RACES, *, with_polls: bool = False) -> bool:
        """Do a batch in one transaction, then answer all of it; return whether that went well at once.

        What lost a race against another engine is decided again on what the winner left: once all together, because
        that is what was remembered wrongly, then each alone. Polls ride with the first try only, which may have failed
        because of them; a store that is unavailable is so for both.
        """
        aboard = Aboard()
        try:
            await self._transact(batch, aboard, with_polls=with_polls, locked=tries < RACES)
        except Unavailable as error:
            self._memory.doubt()
            self._refuse(batch, error)
        except StoreConflict as error:
            self._memory.doubt()
            if tries == RACES or (tries > 1 and len(batch) == 1):
                await self._cycle(batch, tries - 1)
            else:
                await self._isolate(batch, error)
        except Exception as error:  # one bad command must not take its batch-mates or the writer down
            if aboard.waiting or aboard.riding:
                log.warning("a batch failed with polls aboard and is done again without them", exc_info=error)
                await self._cycle(batch, tries)
            else:
                await self._isolate(batch, error)
        else:
            return True
        return False

    async def _transact(self, batch: list[Submission], aboard: Aboard, *, with_polls: bool, locked: bool) -> None:
        now_ms, time_s = self._clock.now_ms(), asyncio.get_running_loop().time
        began_s = time_s()
        try:
            async with self._store.transaction() as tx:
                desk = await self._desk(tx, batch, now_ms, locked=locked)
                locked_s = time_s()
                results = [await self._perform(submission, desk) for submission in batch]
                if with_polls:
                    self.polls.board(aboard, self._taken, desk.ready, desk.ripened)
                await self._store_away(tx, desk, aboard)
        except BaseException:
            self.polls.put_back([*aboard.waiting, *aboard.riding])
            self._definitions.doubt()
            raise
        self._metrics.transacted("commands", time_s() - began_s, locked_s - began_s)
        self._memory.committed(desk.changes)
        self._definitions.committed()
        for submission, result in zip(batch, results, strict=True):
            _answer(submission, result)
        self.polls.land(aboard, desk.ready + desk.ripened)
        self._metrics.committed(desk.changes, len(batch))
        self._announce(desk)

    async def _store_away(self, tx: Transaction, desk: Desk, aboard: Aboard) -> None:
        """Save what the batch has changed, and lock jobs for the polls that are aboard."""
        if desk.changes:
            aboard.save_ms = self._clock.now_ms()
            last = not desk.released and not aboard.riding
            waiting = [poll.request for poll in aboard.waiting]
            aboard.given = await tx.save(desk.changes, last=last, waiting=waiting, now_ms=aboard.save_ms)
        if desk.released:
            await tx.hasten_chains(desk.released, desk.now_ms)
        if aboard.riding:
            aboard.claim_ms = self._clock.now_ms()
            aboard.claimed = await tx.claim([poll.request for poll in aboard.riding], aboard.claim_ms)

    def _announce(self, desk: Desk) -> None:
        """Tell those who look on what was committed; what they make of it is their affair."""
        for change in desk.changes:
            self.watchers.changed(change.after.id)
        for observer in self.after_commit:
            try:
                observer(desk)
            except Exception:
                log.exception("an observer of commits failed by a bug")

    async def _desk(self, tx: Transaction, batch: Sequence[Submission], now_ms: int, *, locked: bool) -> Desk:
        wishes = Wishes()
        for submission in batch:
            submission.work.wish(wishes)
        wanted, recalled = wishes.without(self._memory, locked=locked)
        loaded = await tx.load(wanted)
        loaded.instances.update(recalled.instances)
        loaded.leases.update(recalled.leases)
        moment = Moment(now_ms, self._entropy.bits(64))
        rules = self._settings.rules
        unique_keys = self._store.unique_keys
        desk = Desk(tx, loaded, definitions=self._definitions, rules=rules, moment=moment, unique_keys=unique_keys)
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
            return InternalError(A_BUG)

    def _refuse(self, batch: list[Submission], error: Exception) -> None:
        for submission in batch:
            _answer(submission, error)

    async def _isolate(self, batch: list[Submission], error: Exception) -> None:
        """Find the guilty one of a batch that failed as a whole, by trying each alone."""
        if len(batch) == 1:
            self._refuse(batch, told(error))
            return
        for submission in batch:
            await self._cycle([submission])


def _answer(submission: Submission, result: object) -> None:
    if submission.answer.done():
        return  # the caller went away; what was done is committed all the same
    if isinstance(result, Exception):
        submission.answer.set_exception(result)
    else:
        submission.answer.set_result(result)
