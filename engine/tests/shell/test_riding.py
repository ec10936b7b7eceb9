"""Polls that ride with a batch, on a store with one writer: one transaction for both, and neither spoils the other."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest
from rochallor.core.errors import InternalError
from rochallor.ports import StoreConflict
from rochallor.shell.work import Write
from rochallor.stores.memory import MemoryStore

pytestmark = pytest.mark.parametrize("houses", [False], ids=["riding"], indirect=True)

TASK = {"id": "work", "type": "SERVICE_TASK", "nextStep": "end"}
END = {"id": "end", "type": "END"}


class Counted(MemoryStore):
    """Counts commits; a claim in a transaction that has saved something fails as told."""

    def __init__(self):
        super().__init__()
        self.commits = 0
        self.spoil = []

    @asynccontextmanager
    async def transaction(self):
        async with super().transaction() as tx:
            saves = []
            tx.save = partial(self._save, tx.save, saves)
            tx.claim = partial(self._claim, tx.claim, saves)
            yield tx
        self.commits += 1

    async def _save(self, save, saves, changes, *, last=False, **options):
        saves.append(last)
        return await save(changes, last=last, **options)

    async def _claim(self, claim, saves, requests, now_ms):
        assert not any(saves)
        if saves and self.spoil:
            raise self.spoil.pop()
        return await claim(requests, now_ms)


@pytest.fixture
def store():
    return Counted()


@pytest.fixture
async def riding(houses, store):
    house = await houses(store)
    await house.upload({**TASK, "nextStep": "more"}, {**TASK, "id": "more"}, END)
    return house


async def reported_and_polled(house):
    """Return what a worker gets that reports its job and asks for the next at the same moment."""
    await house.start()
    (job,) = await house.poll("work")
    both = asyncio.gather(house.engine.complete_job(job.id, "w"), house.poll("more"))
    return (await asyncio.wait_for(both, 5))[1]


async def test_a_report_and_a_poll_are_one_transaction(riding, store):
    """Start, poll, both: three. The poll gets the job that the report makes."""
    before = store.commits
    assert len(await reported_and_polled(riding)) == 1
    assert store.commits - before == 3


async def test_who_has_ridden_in_vain_is_not_woken_for_what_another_one_got(riding, store):
    """Three polls ride with the start of one job; the two that got nothing wait."""
    before = store.commits
    polls = [asyncio.create_task(riding.poll("work", wait_ms=30_000, max_jobs=1)) for _ in range(3)]
    instance_id = await riding.start()
    done, waiting = await asyncio.wait(polls, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert [job.instance_id for poll in done for job in poll.result()] == [instance_id]
    assert len(waiting) == 2
    await asyncio.gather(riding.start(), riding.start())
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert store.commits - before == 2


@pytest.mark.parametrize("error", [StoreConflict("taken"), ZeroDivisionError()], ids=["race", "bug"])
async def test_a_claim_that_fails_takes_no_command_with_it(riding, store, error):
    """The report is done by itself, and then the poll, which finds nothing wrong any more."""
    store.spoil = [error]
    assert len(await reported_and_polled(riding)) == 1
    assert not store.spoil


async def test_a_poll_does_not_ride_before_its_commands_do(houses, store):
    """Its reports are more than a batch takes; it gets what the last of them makes."""
    house = await houses(store, batch_limit=1)
    await house.upload({**TASK, "nextStep": "more"}, {**TASK, "id": "more"}, END)
    await asyncio.gather(house.start(), house.start())
    jobs = await house.poll("work")
    both_queued = asyncio.Event()

    async def wait(_tx, _now_ms):
        await both_queued.wait()

    busy = asyncio.create_task(house.engine.executor.submit(Write(wait)))
    await asyncio.sleep(0)
    work = [house.engine.complete_job(job.id, "w") for job in jobs] + [house.poll("more")]
    together = asyncio.gather(*work)
    for _ in range(3):
        await asyncio.sleep(0)
    both_queued.set()
    *_, more = await asyncio.wait_for(together, 5)
    await busy
    assert len(more) == 2


async def test_leases_given_on_a_ride_are_planned_for(riding):
    """Or nobody would look when they run out."""
    told = []
    riding.engine.executor.polls.after_claim.append(told.extend)
    await asyncio.gather(riding.start(), riding.poll("work"))
    assert told == [riding.clock.at_ms + 30_000]


async def test_a_claim_that_fails_is_made_by_itself_before_the_next_batch(houses, store):
    """Riding on, it would make one batch after the other fail for as long as there are any."""
    house = await houses(store, batch_limit=1)
    await house.upload(TASK, END)
    all_there = asyncio.Event()

    async def wait(_tx, _now_ms):
        await all_there.wait()

    busy = asyncio.create_task(house.engine.executor.submit(Write(wait)))
    tasks = [asyncio.create_task(work) for work in (house.start(), house.poll("work", max_jobs=1))]
    for _ in range(3):
        await asyncio.sleep(0)
    tasks += [asyncio.create_task(house.start()) for _ in range(4)]
    await asyncio.sleep(0)
    store.spoil = [ZeroDivisionError() for _ in range(5)]
    all_there.set()
    await busy
    first, jobs, *_ = await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert [job.instance_id for job in jobs] == [first]
    assert len(store.spoil) == 4


async def test_a_command_that_fails_takes_no_poll_with_it(riding):
    """The poll that rode with it is served by itself."""
    instance_id = await riding.start()
    both = asyncio.gather(riding.engine.executor.submit(Failing()), riding.poll("work"), return_exceptions=True)
    failed, jobs = await asyncio.wait_for(both, 5)
    assert isinstance(failed, InternalError)
    assert [job.instance_id for job in jobs] == [instance_id]


class Failing:
    """Work that makes its whole transaction fail."""

    def wish(self, wishes):
        """Nothing."""

    async def perform(self, desk):
        """Save what cannot be saved."""
        desk.changes.append(None)
