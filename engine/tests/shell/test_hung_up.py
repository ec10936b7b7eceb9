"""Callers who hang up while jobs are handed to them: nobody hears of these leases, so the jobs go back at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from rochallor.ports import ClaimRequest
from rochallor.shell.work import GiveBack, Wishes
from rochallor.stores.memory import MemoryStore

TASK = {"id": "work", "type": "SERVICE_TASK", "nextStep": "end"}
END = {"id": "end", "type": "END"}


class Held(MemoryStore):
    """What hands out jobs is committed at once, and answered when a test says so."""

    def __init__(self):
        super().__init__()
        self.handed = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def leases(self):
        """Return the tokens of all leases, by job."""
        return {job.ref: job.lease.token for job in self._tables.jobs.values() if job.lease}

    @asynccontextmanager
    async def transaction(self):
        before = self.leases()
        async with super().transaction() as tx:
            yield tx
        if self.leases().items() - before.items():
            self.handed.set()
            await self.may_answer.wait()


@pytest.fixture
async def house(houses):
    house = await houses(Held())
    await house.upload(TASK, END)
    yield house
    house.engine.store.may_answer.set()


async def soon(waiting):
    return await asyncio.wait_for(waiting, 5)


async def hang_up_when_handed(store, poll):
    """Cancel a poll for which jobs have been locked, before anybody answers."""
    await soon(store.handed.wait())
    poll.cancel()
    await asyncio.wait([poll])
    store.may_answer.set()


def hold(store):
    store.handed.clear()
    store.may_answer.clear()


async def test_jobs_claimed_for_who_has_hung_up_are_had_by_the_next(house):
    """It is the same delivery, at once, with nothing in the history; its report counts."""
    store = house.engine.store
    instance_id = await house.start()
    hold(store)
    await hang_up_when_handed(store, asyncio.create_task(house.poll("work")))
    (job,) = await soon(house.poll("work", wait_ms=30_000))
    assert job.id == f"{instance_id}-1-1"
    await soon(house.engine.complete_job(job.id, "w", lease_token=job.lease_token))
    assert await house.status(instance_id) == "COMPLETED"


async def test_a_job_made_for_who_has_hung_up_wakes_the_next_who_waits(house):
    """It has never been in the queue, and gets there now."""
    store = house.engine.store
    gone = await house.parked("work", max_jobs=1)
    waiting = await house.parked("work", max_jobs=1)
    hold(store)
    start = asyncio.create_task(house.start())
    await hang_up_when_handed(store, gone)
    (job,) = await soon(waiting)
    assert job.id == f"{await soon(start)}-1-1"


async def test_a_report_of_a_job_given_back_counts_wherever_it_comes(houses):
    """The engine that had locked it for somebody else does not go by what it remembers of that."""
    store = Held()
    here, there = await houses(store), await houses(store)
    await here.upload(TASK, END)
    instance_id = await here.start()
    hold(store)
    await hang_up_when_handed(store, asyncio.create_task(here.poll("work")))
    await soon(here.start())  # it comes after what was given back
    job, _ = await soon(there.poll("work"))
    await soon(here.engine.complete_job(job.id, "w", lease_token=job.lease_token))
    assert await here.status(instance_id) == "COMPLETED"


async def test_who_goes_while_the_answer_is_on_its_way_keeps_nothing(house, monkeypatch):
    """The answer was there, the caller's task had not run yet, and never did."""
    polls = house.engine.executor.polls
    hand_out = polls.hand_out

    def hand_out_and_hang_up(*handed):
        hand_out(*handed)
        gone.cancel()

    await house.start()
    monkeypatch.setattr(polls, "hand_out", hand_out_and_hang_up)
    gone = asyncio.create_task(house.poll("work"))
    await asyncio.wait([gone])
    assert gone.cancelled()
    monkeypatch.setattr(polls, "hand_out", hand_out)
    assert len(await soon(house.poll("work", wait_ms=30_000))) == 1


async def test_who_has_hung_up_a_moment_ago_takes_no_place_of_who_waits(house):
    """For one job one poll is woken, and that is one with somebody behind it."""
    gone, waiting = await house.parked("work"), await house.parked("work")
    gone.cancel()
    (poll,) = house.engine.executor.polls.parked.take(Counter({"work": 1}))
    assert not poll.answer.done()
    waiting.cancel()


async def test_a_refused_caller_who_goes_has_nothing_to_give_back(house, monkeypatch):
    """A claim that fails, and a caller who hangs up before that can be told: the engine goes on."""
    polls = house.engine.executor.polls
    serve = polls.serve

    async def fails(_requests, _now_ms):
        raise ZeroDivisionError

    async def serve_and_hang_up():
        await serve()
        gone.cancel()

    with monkeypatch.context() as broken:
        broken.setattr(house.engine.store, "claim", fails)
        broken.setattr(polls, "serve", serve_and_hang_up)
        gone = asyncio.create_task(house.poll("work"))
        await asyncio.wait([gone])
    assert gone.cancelled()
    await house.start()
    assert len(await soon(house.poll("work"))) == 1


async def test_what_is_given_back_is_locked_by_its_instance_first(house):
    """As for every command, so that nobody else has to do with the job meanwhile, and locks keep their order."""
    instance_id = await house.start()
    wishes = Wishes()
    [claimed] = await house.engine.store.claim(
        [ClaimRequest("w", ("work",), 1, 1_000, "token", 1_000)], house.clock.now_ms()
    )
    GiveBack(claimed).wish(wishes)
    assert wishes.instances == {instance_id}


async def test_an_engine_that_goes_gives_nothing_back(house, caplog):
    """Then the lease runs out, as that of a worker that died."""
    store = house.engine.store
    await house.start()
    hold(store)
    poll = asyncio.create_task(house.poll("work"))
    await soon(store.handed.wait())
    house.engine.executor.stop()
    await hang_up_when_handed(store, poll)
    await soon(house.engine.stop())
    assert len(store.leases()) == 1
    assert not caplog.records
