"""What time does by itself: timers fire, leases run out, delayed jobs ripen, chains start.

The sweeper sleeps until the next thing is due, and every commit tells it what it planned, so nothing is polled for.
What is due becomes commands like anybody's; the machine decides whether they still mean anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

import structlog

from rochallor.core import commands as cmd
from rochallor.core.errors import TooManyRequests, Unavailable, WorkflowError
from rochallor.core.ids import JobRef, ulid
from rochallor.ports import Clock, Due, Entropy, Store
from rochallor.shell.desk import Desk
from rochallor.shell.executor import Executor
from rochallor.shell.metrics import Metrics
from rochallor.shell.work import Chain, Do, Ripen, chained

log = structlog.get_logger("rochallor.sweeper")

_AT_ONCE = 500
_RETRY_S = 1.0
_STUCK_MS = 5_000
_LOOK_MS = 1_000
_PASSING = (Unavailable, TooManyRequests)


class Sweeper:
    """One task per engine. `longest_sleep_ms` bounds the wait where others may plan things in the same store."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        *,
        clock: Clock,
        entropy: Entropy,
        metrics: Metrics,
        longest_sleep_ms: int | None = None,
    ) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._entropy = entropy
        self._metrics = metrics
        self._longest_sleep_ms = longest_sleep_ms
        self._next_ms: int | None = None
        self._sooner = asyncio.Event()
        self._chains: set[asyncio.Task[None]] = set()
        executor.after_commit.append(self._note)
        executor.polls.after_claim.append(self._plan)

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            self._sooner.clear()
            try:
                await self.sweep()
            except _PASSING as error:
                log.warning("nothing can be done now, sweeping again soon", why=str(error))
                await asyncio.sleep(_RETRY_S)
            except Exception:  # timers and leases of all others must go on
                log.exception("sweeping failed by a bug, again soon")
                await asyncio.sleep(_RETRY_S)
            else:
                await self._sleep()

    async def sweep(self) -> None:
        """Do all that is due now."""
        done: Due | None = None
        while True:
            due = await self._store.due(self._clock.now_ms(), _AT_ONCE)
            self._next_ms = due.next_at_ms
            if not (due.timers or due.leases or due.chains or due.ripe):
                return
            if due == done:
                log.error("what is due does not go away; `rochallor doctor` shows why", due=due)
                self._next_ms = _soonest(due.next_at_ms, self._clock.now_ms())
                return
            await self._do(due)
            done = due

    async def _do(self, due: Due) -> None:
        work: list[Awaitable[object]] = [
            *(
                self._executor.submit(Do(cmd.FireTimer(instance_id=i, seq=seq, index=n, actor=cmd.SYSTEM)))
                for i, seq, n in due.timers
            ),
            *(self._executor.submit(Do(_expiry(job))) for job in due.leases),
            *(self.start_chain(*chain) for chain in due.chains),
        ]
        if due.ripe:
            work.append(self._executor.submit(Ripen()))
        things = [*due.timers, *due.leases, *due.chains, "what is ripe"]
        passing = None
        for thing, result in zip(things, await asyncio.gather(*work, return_exceptions=True), strict=False):
            if isinstance(result, _PASSING):
                passing = result
            elif isinstance(result, WorkflowError):
                log.warning("what is due was refused", due=thing, why=str(result))
            elif isinstance(result, BaseException):
                raise result
        if passing is not None:
            raise passing

    async def start_chain(self, parent_id: str, target: str, key: str | None) -> None:
        """Start the next workflow of a parent, or put it off."""
        child_id = ulid(self._clock.now_ms(), self._entropy.bits(80))
        await self._executor.submit(Chain(parent_id, target, key, child_id))

    async def settled(self) -> None:
        """Return when every chain that a commit has asked for was tried once."""
        while self._chains:
            await asyncio.gather(*self._chains, return_exceptions=True)

    def hurry(self) -> None:
        """Look at once: what could not be done before (a chain without its target) may work now."""
        self._sooner.set()

    def _note(self, desk: Desk) -> None:
        """After a commit: start its chains at once, and wake earlier when it planned something earlier."""
        for parent_id, target, key in chained(desk):
            task = asyncio.ensure_future(self.start_chain(parent_id, target, key))
            self._chains.add(task)
            task.add_done_callback(self._chained)
        if desk.plans:
            self._plan(desk.plans)
        if desk.released:
            self._sooner.set()

    def _chained(self, task: asyncio.Task[None]) -> None:
        self._chains.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._sooner.set()  # the request row is still there; the sweep takes it up again

    def _plan(self, plans: Iterable[int]) -> None:
        soonest = min(plans)
        if self._next_ms is None or soonest < self._next_ms:
            self._next_ms = soonest
            self._sooner.set()

    async def _sleep(self) -> None:
        """Wait until something is due by the clock, or somebody plans something sooner.

        The clock is looked at every second: it may jump, and then what is due is due, however long the wait was meant
        to be. Where others plan things in the same store, the wait ends after `longest_sleep_ms` in any case.
        """
        slept_ms = 0
        while (left_ms := self._left_ms(slept_ms)) > 0:
            nap_ms = min(left_ms, _LOOK_MS)
            try:
                async with asyncio.timeout(nap_ms / 1000):  # wait_for of Python 3.11 can lose a cancellation
                    await self._sooner.wait()
                    return
            except TimeoutError:
                slept_ms += nap_ms

    def _left_ms(self, slept_ms: int) -> int:
        planned_ms = _LOOK_MS if self._next_ms is None else self._next_ms - self._clock.now_ms()
        return planned_ms if self._longest_sleep_ms is None else min(planned_ms, self._longest_sleep_ms - slept_ms)


def _soonest(planned_ms: int | None, now_ms: int) -> int:
    """Return when to look at what is stuck again: soon, or along with the next thing that is planned."""
    soon_ms = now_ms + _STUCK_MS
    return min(planned_ms, soon_ms) if planned_ms is not None and planned_ms > now_ms else soon_ms


def _expiry(job: JobRef) -> cmd.ExpireLease:
    return cmd.ExpireLease(instance_id=job.instance_id, job=job, actor=cmd.SYSTEM)
