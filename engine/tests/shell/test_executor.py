"""The writer: batches, isolation, waiting polls, limits, stop."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest
from rochallor.core.errors import Conflict, InternalError, TooManyRequests, Unavailable
from rochallor.ports import StoreConflict
from rochallor.shell.refusals import RACES
from rochallor.shell.requests import JobCompleted, JobOutcome, Poll, Report
from rochallor.shell.work import Write
from rochallor.stores.memory import MemoryStore

TASK = {"id": "work", "type": "SERVICE_TASK", "nextStep": "end"}
END = {"id": "end", "type": "END"}


class Watched(MemoryStore):
    """Counts commits, and fails the next transactions or claims as told."""

    def __init__(self):
        super().__init__()
        self.commits = 0
        self.refuse = []
        self.refuse_claims = []

    @asynccontextmanager
    async def transaction(self):
        if self.refuse:
            raise self.refuse.pop(0)
        async with super().transaction() as tx:
            tx.claim = partial(self._claim, tx.claim)
            yield tx
        self.commits += 1

    async def _claim(self, claim, requests, now_ms):
        if self.refuse_claims:
            raise self.refuse_claims.pop(0)
        return await claim(requests, now_ms)


async def test_what_waits_together_commits_together(houses):
    """Fifty starts that arrive while the writer is busy take far fewer commits than fifty."""
    store = Watched()
    house = await houses(store)
    await house.upload(TASK, END)
    before = store.commits
    await asyncio.gather(*(house.start() for _ in range(50)))
    assert store.commits - before <= 2


async def test_what_is_a_few_turns_of_the_loop_away_commits_along(houses, monkeypatch):
    """An idle writer begins when the loop has brought what was there, not with the first of it."""
    monkeypatch.setattr("rochallor.shell.gathering.LONGEST_S", 60.0)
    store = Watched()
    house = await houses(store)
    await house.upload(TASK, END)
    before = store.commits

    async def start_after(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        await house.start()

    await asyncio.gather(*map(start_after, range(0, 20, 4)))
    assert store.commits - before == 1


async def test_refused_command_leaves_its_batch_mates_alone(house):
    """A start of an unknown definition in the middle of a batch fails alone."""
    await house.upload(TASK, END)
    results = await asyncio.gather(house.start(), house.start("ghost"), house.start(), return_exceptions=True)
    assert [isinstance(result, str) for result in results] == [True, False, True]


async def test_batch_the_store_refuses_is_tried_one_by_one(houses):
    """When the store refuses a batch, each command is tried alone and only the guilty one fails."""
    store = Watched()
    house = await houses(store)
    await house.upload(TASK, END)
    store.refuse = [StoreConflict("taken")]
    assert all(await asyncio.gather(*(house.start() for _ in range(5))))
    store.refuse = [StoreConflict("taken") for _ in range(2 + RACES)]
    results = await asyncio.gather(*(house.start() for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [Conflict, str, str]


async def test_command_that_loses_a_race_is_decided_again(houses):
    """A single command whose transaction another engine got ahead of is done on what that one left."""
    store = Watched()
    house = await houses(store)
    await house.upload(TASK, END)
    store.refuse = [StoreConflict("taken")]
    assert await house.start()


async def test_claim_that_loses_a_race_is_tried_again(houses):
    """A poll hears of a lost race only when it is lost again and again; commands beside it hear nothing."""
    store = Watched()
    house = await houses(store)
    await house.upload(TASK, END)
    await house.start()
    store.refuse_claims = [StoreConflict("taken") for _ in range(RACES - 1)]
    assert len(await house.poll("work")) == 1
    store.refuse_claims = [StoreConflict("taken") for _ in range(1 + RACES)]
    poll, started = await asyncio.gather(house.poll("work"), house.start(), return_exceptions=True)
    assert (type(poll), type(started)) == (Conflict, str)
    store.refuse_claims.clear()
    assert len(await house.poll("work")) == 1


async def test_claim_that_dies_of_a_bug_is_the_polls_own_500(houses):
    """The writer goes on."""
    store = Watched()
    house = await houses(store)
    await house.upload(TASK, END)
    store.refuse_claims = [ZeroDivisionError()]
    with pytest.raises(InternalError):
        await house.poll("work")
    await house.start()
    assert len(await house.poll("work")) == 1


async def test_unreachable_store_is_unavailable_and_heals(houses):
    """While the store cannot be reached requests and polls are told so; afterwards all works again."""
    store = Watched()
    house = await houses(store)
    await house.upload(TASK, END)
    store.refuse = [Unavailable("no store")]
    with pytest.raises(Unavailable):
        await house.start()
    store.refuse_claims = [Unavailable("no store")]
    with pytest.raises(Unavailable):
        await house.poll("work")
    assert await house.start()


async def test_bug_in_one_command_is_its_own_500(house):
    """A command that dies of a bug is answered as internal error; those beside it succeed."""
    await house.upload(TASK, END)

    async def broken(_tx, _now_ms):
        raise ZeroDivisionError

    results = await asyncio.gather(
        house.start(), house.engine.executor.submit(Write(broken)), house.start(), return_exceptions=True
    )
    assert [type(result) for result in results] == [str, InternalError, str]


async def test_full_queue_is_refused_at_once(houses):
    """More waiting requests than the limit are refused with a time to come back."""
    house = await houses(queue_limit=2)
    await house.upload(TASK, END)
    results = await asyncio.gather(*(house.start() for _ in range(5)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, TooManyRequests)]
    assert len(refused) == 3
    assert refused[0].retry_after_ms


async def test_waiting_poll_gets_the_job_that_appears(house):
    """A poll that waits is answered by the start that makes a job for it."""
    await house.upload(TASK, END)
    waiting = asyncio.create_task(house.poll("work", wait_ms=30_000))
    await asyncio.sleep(0)
    instance_id = await house.start()
    (job,) = await asyncio.wait_for(waiting, 5)
    assert job.instance_id == instance_id


async def test_two_waiting_polls_share_two_jobs(house):
    """Each new job wakes one waiting poll, the longest waiting first, and nobody gets another's job."""
    await house.upload(TASK, END)
    polls = [asyncio.create_task(house.poll("work", wait_ms=30_000, max_jobs=1)) for _ in range(3)]
    await asyncio.sleep(0)
    started = {await house.start(), await house.start()}
    done, waiting = await asyncio.wait(polls, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    while len(done) < 2:
        more, waiting = await asyncio.wait(waiting, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    assert {job.instance_id for poll in done for job in poll.result()} == started
    assert len(waiting) == 1


async def test_waiting_poll_ends_empty_after_its_time(house):
    """A poll that waits in vain is answered with nothing."""
    assert await house.poll("work", wait_ms=1) == []


async def test_cancelled_poll_takes_no_job(house):
    """A poll whose caller went away is forgotten; the next job goes to somebody else."""
    await house.upload(TASK, END)
    gone = asyncio.create_task(house.poll("work", wait_ms=30_000))
    await asyncio.sleep(0.001)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await house.start()
    assert len(await house.poll("work")) == 1


async def test_stop_answers_waiting_polls_and_refuses_new_work(houses):
    """Going down, the engine answers those who wait with nothing and refuses what comes."""
    house = await houses()
    await house.upload(TASK, END)
    instance_id = await house.start()
    poll = asyncio.create_task(house.poll("other", wait_ms=30_000))
    awaiting = asyncio.create_task(house.engine.await_instance(instance_id, wait_ms=30_000))
    await asyncio.sleep(0.001)
    house.engine.executor.stop()
    assert await asyncio.wait_for(poll, 5) == []
    assert (await asyncio.wait_for(awaiting, 5)).reached is False
    for late in (house.start(), house.poll("work"), house.poll("work", wait_ms=30_000)):
        with pytest.raises(Unavailable):
            await asyncio.wait_for(late, 5)


async def test_stop_answers_a_poll_that_waits_for_a_command(houses):
    """The command is done, and then the poll: it gets the job that the command makes."""
    house = await houses()
    await house.upload(TASK, END)
    start = asyncio.create_task(house.start())
    poll = asyncio.create_task(house.poll("work", wait_ms=30_000))
    for _ in range(2):
        await asyncio.sleep(0)
    house.engine.executor.stop()
    assert [job.instance_id for job in await asyncio.wait_for(poll, 5)] == [await start]


async def test_stop_in_the_middle_of_a_report_leaves_its_outcomes_answered(houses):
    """They were queued before it and are done; only the next jobs do not come."""
    house = await houses()
    await house.upload(TASK, END)
    await house.start()
    (job,) = await house.poll("work")
    poll = Poll(worker_id="w", job_types=["work"])
    report = Report(worker_id="w", outcomes=[JobOutcome(job_id=job.id, completed=JobCompleted())], poll=poll)
    answer = asyncio.create_task(house.engine.report_jobs(report, default_max_jobs=10))
    await asyncio.sleep(0)
    house.engine.executor.stop()
    view = await asyncio.wait_for(answer, 5)
    assert ([result.status for result in view.results], view.jobs) == (["ACCEPTED"], [])


class Stalled(MemoryStore):
    """Commits nothing until it may go on."""

    def __init__(self):
        super().__init__()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.stalled = asyncio.Event()

    @asynccontextmanager
    async def transaction(self):
        async with super().transaction() as tx:
            yield tx
            self.stalled.set()
            await self.go_on.wait()


async def test_whoever_does_not_wait_for_the_stop_cuts_off_nobody(houses):
    """Giving up on a stop that takes long leaves nobody without an answer, and it can be waited for again."""
    store = Stalled()
    house = await houses(store)
    await house.upload(TASK, END)
    store.go_on.clear()
    store.stalled.clear()
    start = asyncio.create_task(house.start())
    await store.stalled.wait()
    stop = asyncio.create_task(house.engine.stop())
    await asyncio.sleep(0)
    stop.cancel()
    await asyncio.gather(stop, return_exceptions=True)
    assert stop.cancelled()
    store.go_on.set()
    assert await asyncio.wait_for(start, 5)
    await asyncio.wait_for(house.engine.stop(), 5)


async def test_everybody_who_waits_is_served_when_delayed_jobs_ripen(houses):
    """However many jobs there are, nobody waits on beside a job that is ready."""
    house = await houses()
    await house.upload({**TASK, "retryCount": 1}, END)
    for _ in range(3):
        await house.start()
    for job in await house.poll("work"):
        await house.engine.fail_job(job.id, "w", message="later", retryable=True, retry_after_ms=1_000)
    polls = [await house.parked("work", max_jobs=1) for _ in range(3)]
    await house.pass_time(1_000)
    assert [len(jobs) for jobs in await asyncio.wait_for(asyncio.gather(*polls), 5)] == [1, 1, 1]


async def test_whoever_has_waited_longest_is_served_first(houses):
    """A poll that comes together with a job does not go before one that waits for it."""
    house = await houses()
    await house.upload(TASK, END)
    old = await house.parked("work")
    new, instance_id = await asyncio.gather(house.poll("work"), house.start())
    assert not new
    assert [job.instance_id for job in await asyncio.wait_for(old, 5)] == [instance_id]


async def test_an_observer_that_fails_keeps_nobody_waiting(houses):
    """What it was told of is committed and answered, and others are told of it once."""
    house = await houses()
    await house.upload(TASK, END)
    told = []
    house.engine.executor.after_commit[:0] = [lambda _desk: 1 / 0, lambda desk: told.append(len(desk.changes))]
    instance_id, jobs = await asyncio.wait_for(asyncio.gather(house.start(), house.poll("work", wait_ms=30_000)), 5)
    assert [job.instance_id for job in jobs] == [instance_id]
    assert told == [1]


async def test_a_poll_behind_a_command_that_the_store_refuses_is_answered(houses):
    """Nothing appeared that would wake it."""
    store = Watched()
    house = await houses(store)
    await house.upload(TASK, END)
    store.refuse = [Unavailable("no store")]
    both = asyncio.gather(house.start(), house.poll("work"), return_exceptions=True)
    refused, jobs = await asyncio.wait_for(both, 5)
    assert isinstance(refused, Unavailable)
    assert jobs == []


async def test_conflicting_reports_have_one_winner(house):
    """Sixty-four reports of one job at once: one counts, the others are late, nothing happens twice."""
    await house.upload(TASK, END)
    instance_id = await house.start()
    (job,) = await house.poll("work")
    await asyncio.gather(*(house.engine.complete_job(job.id, "w") for _ in range(64)))
    assert len(await house.engine.get_audit(instance_id)) == 2
