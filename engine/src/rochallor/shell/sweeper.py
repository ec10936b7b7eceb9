"""What time does by itself: timers fire, leases run out, delayed jobs ripen, chains start.

The sweeper sleeps until the next thing is due, and every commit tells it what it planned, so nothing is polled for.
What is due becomes commands like anybody's; the machine decides whether they still mean anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import structlog

from rochallor.core import commands as cmd
from rochallor.core.errors import TooManyRequests, Unavailable, WorkflowError
from rochallor.core.ids import JobRef, ulid
from rochallor.ports import Clock, Due, Entropy, Store
from rochallor.shell.desk import Desk
from rochallor.shell.executor import Executor
from rochallor.shell.metrics import Metrics
from rochallor.shell.work import Chain, Do, Ripen, Work, chained

log = structlog.get_logger("rochallor.sweeper")

_AT_ONCE = 500
_RETRY_S = 1.0
_STUCK_MS = 5_000
_LOOK_MS = 1_000
_PASSING = (Unavailable, TooManyRequests)

Thing = tuple[object, ...]
_RIPE: Thing = ("ripe",)
_PUT_OFF = False
"""What `Chain` returns when it could not start the next workflow yet."""
Make = Callable[["Sweeper"], Work[Any]]


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
        self._chains: set[asyncio.Task[bool]] = set()
        self._stuck: dict[Thing, int] = {}
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
        """Do all that is due now. What is due still after that is stuck, and left alone for a while."""
        done: set[Thing] = set()
        limit = _AT_ONCE
        while True:
            now_ms = self._clock.now_ms()
            due = await self._store.due(now_ms, limit)
            self._next_ms = due.next_at_ms
            things = _things(due)
            cut_off = limit in {len(due.timers), len(due.leases), len(due.chains)}
            self._note_stuck(done & things.keys(), now_ms)
            if not cut_off:
                self._stuck = {thing: at_ms for thing, at_ms in self._stuck.items() if thing in things}
            tried = {thing: make for thing, make in things.items() if self._stuck.get(thing, now_ms) <= now_ms}
            if tried:
                done = await self._do(tried)
            elif cut_off:
                done, limit = set(), limit * 2  # what is behind all that is stuck
            else:
                planned = [] if due.next_at_ms is None else [due.next_at_ms]
                self._next_ms = min([*self._stuck.values(), *planned], default=None)
                return

    def _note_stuck(self, stuck: set[Thing], now_ms: int) -> None:
        if stuck:
            some = sorted(map(str, stuck))[:3]
            log.error("what is due does not go away; `rochallor doctor` shows why", count=len(stuck), some=some)
            self._stuck.update(dict.fromkeys(stuck, now_ms + _STUCK_MS))

    async def _do(self, things: Mapping[Thing, Make]) -> set[Thing]:
        """Return those that should not be due any more. Put off or ripe there may be something again at once."""
        done = set()
        submitted = [self._executor.submit(make(self)) for make in things.values()]
        passing = None
        for thing, result in zip(things, await asyncio.gather(*submitted, return_exceptions=True), strict=True):
            if isinstance(result, _PASSING):
                passing = result
            elif isinstance(result, WorkflowError):
                log.warning("what is due was refused", due=thing, why=str(result))
                done.add(thing)
            elif isinstance(result, BaseException):
                raise result
            elif thing != _RIPE and result is not _PUT_OFF:
                done.add(thing)
        if passing is not None:
            raise passing
        return done

    def chain(self, parent_id: str, target: str, key: str | None) -> Chain:
        """Return the work of starting the next workflow of a parent, or putting it off."""
        return Chain(parent_id, target, key, ulid(self._clock.now_ms(), self._entropy.bits(80)))

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
            task = asyncio.ensure_future(self._executor.submit(self.chain(parent_id, target, key)))
            self._chains.add(task)
            task.add_done_callback(self._chained)
        if desk.plans:
            self._plan(desk.plans)
        if desk.released:
            self._sooner.set()

    def _chained(self, task: asyncio.Task[bool]) -> None:
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


def _things(due: Due) -> dict[Thing, Make]:
    """Return what is due, each with how to make the work of it."""
    ripe: dict[Thing, Make] = {_RIPE: lambda _: Ripen()} if due.ripe else {}
    return (
        {("timer", *timer): partial(_fire, *timer) for timer in due.timers}
        | {("lease", job): partial(_expire, job) for job in due.leases}
        | {("chain", *chain): partial(_next, *chain) for chain in due.chains}
        | ripe
    )


def _fire(instance_id: str, seq: int, index: int, _: Sweeper) -> Work[Any]:
    return Do(cmd.FireTimer(instance_id=instance_id, seq=seq, index=index, actor=cmd.SYSTEM))


def _expire(job: JobRef, _: Sweeper) -> Work[Any]:
    return Do(cmd.ExpireLease(instance_id=job.instance_id, job=job, actor=cmd.SYSTEM))


def _next(parent_id: str, target: str, key: str | None, sweeper: Sweeper) -> Work[Any]:
    return sweeper.chain(parent_id, target, key)
