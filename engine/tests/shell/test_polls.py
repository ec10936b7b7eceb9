"""Polls beside commands, on a store that can do both at once: neither waits for the other, and no job is missed."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from rochallor.stores.memory import MemoryStore

pytestmark = pytest.mark.parametrize("houses", [True], ids=["apart"], indirect=True)

TASK = {"id": "work", "type": "SERVICE_TASK", "nextStep": "end"}
END = {"id": "end", "type": "END"}


class Slow(MemoryStore):
    """Its claims are made at once, and answered when a test says so; `made` are those that no test has looked at."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.made = asyncio.Queue()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def claim(self, requests, now_ms):
        claimed = await super().claim(requests, now_ms)
        self.asked.append(len(requests))
        self.made.put_nowait(len(requests))
        if requests:
            await self.may_answer.wait()
        return claimed


@pytest.fixture
def store():
    return Slow()


@pytest.fixture
async def apart(houses, store):
    """An engine whose claims take as long as a test wants."""
    house = await houses(store)
    await house.upload(TASK, END)
    yield house
    store.may_answer.set()


async def claimed_and_not_answered(house, store, *job_types, **poll):
    """Return a poll for which the store has made its claim."""
    store.may_answer.clear()
    store.made = asyncio.Queue()
    poll = asyncio.create_task(house.poll(*(job_types or ("work",)), **poll))
    async with asyncio.timeout(5):
        while not await store.made.get():
            pass  # a claim for nobody, from before
    return poll


async def test_a_claim_holds_no_command_up(apart, store):
    """Whoever starts and reports is answered while a claim is under way."""
    await apart.start()
    (job,) = await apart.poll("work", max_jobs=1)
    poll = await claimed_and_not_answered(apart, store)
    await asyncio.wait_for(apart.start(), 5)
    await asyncio.wait_for(apart.engine.complete_job(job.id, "w"), 5)
    assert not poll.done()


async def test_a_job_that_appears_during_a_claim_is_not_missed(apart, store):
    """The claim came before the job and found nothing, so the poll looks again instead of waiting for the next job."""
    poll = await claimed_and_not_answered(apart, store, wait_ms=30_000)
    instance_id = await asyncio.wait_for(apart.start(), 5)
    store.may_answer.set()
    assert [job.instance_id for job in await asyncio.wait_for(poll, 5)] == [instance_id]


async def test_a_job_claimed_while_its_instance_moves_on_can_be_reported(apart, store):
    """What a claim says of an instance may be older than what has been committed meanwhile, and is not believed."""
    fork = {"id": "fork", "type": "PARALLEL_GATEWAY", "parallelNextSteps": ["left", "right"], "joinStep": "join"}
    left, right = ({**TASK, "id": name, "nextStep": "join"} for name in ("left", "right"))
    await apart.upload(fork, left, right, {"id": "join", "type": "JOIN_GATEWAY", "nextStep": "end"}, END, id="both")
    instance_id = await apart.start("both")
    (first,) = await apart.poll("left", "right", max_jobs=1)
    second = await claimed_and_not_answered(apart, store, "left", "right", max_jobs=1)
    await asyncio.wait_for(apart.engine.complete_job(first.id, "w"), 5)
    store.may_answer.set()
    (other,) = await asyncio.wait_for(second, 5)
    await asyncio.wait_for(apart.engine.complete_job(other.id, "w"), 5)
    assert await apart.status(instance_id) == "COMPLETED"


async def test_every_commit_is_followed_by_a_claim_for_nobody_at_least(apart, store):
    """That is when the store tells other engines what is left for them."""
    store.made = asyncio.Queue()
    await apart.start()
    assert await asyncio.wait_for(store.made.get(), 5) == 0


async def test_polls_that_come_during_a_claim_share_the_next(apart, store):
    """However many they are, they are one more claim."""
    first = await claimed_and_not_answered(apart, store)
    later = [asyncio.create_task(apart.poll("work")) for _ in range(5)]
    await asyncio.sleep(0)
    store.may_answer.set()
    await asyncio.wait_for(asyncio.gather(first, *later), 5)
    assert Counter(store.asked)[5] == 1


async def test_a_stop_during_a_claim_waits_for_its_answer(apart, store):
    """Leases that were given are told to whoever asked for them."""
    instance_id = await apart.start()
    poll = await claimed_and_not_answered(apart, store)
    stop = asyncio.create_task(apart.engine.stop())
    await asyncio.sleep(0)
    store.may_answer.set()
    await asyncio.wait_for(stop, 5)
    assert [job.instance_id for job in await poll] == [instance_id]


async def test_a_poll_comes_after_the_commands_before_it(apart):
    """A worker that asks for more while its report is under way gets the job that the report makes."""
    await apart.upload({**TASK, "nextStep": "more"}, {**TASK, "id": "more"}, END, id="two")
    await apart.start("two")
    (job,) = await apart.poll("work")
    more, _ = await asyncio.gather(apart.poll("more"), apart.engine.complete_job(job.id, "w"))
    assert [job.job_type for job in more] == ["more"]
