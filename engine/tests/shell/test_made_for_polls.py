"""Jobs that are made while polls wait for them: theirs from the outset, with one commit and nothing to claim."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from rochallor.core.commands import StartInstance
from rochallor.core.errors import Unavailable
from rochallor.ports import StoreConflict
from rochallor.stores.memory import MemoryStore
from rochallor.stores.memory.store import MemoryTransaction

FIRST = {"id": "first", "type": "SERVICE_TASK", "nextStep": "second"}
SECOND = {"id": "second", "type": "SERVICE_TASK", "nextStep": "end"}
END = {"id": "end", "type": "END"}


class Counted(MemoryStore):
    """Counts transactions, and claims that are none of theirs."""

    def __init__(self):
        super().__init__()
        self.transactions = self.claims = 0

    @asynccontextmanager
    async def transaction(self):
        self.transactions += 1
        async with super().transaction() as tx:
            yield tx

    async def claim(self, requests, now_ms):
        self.claims += 1
        return await super().claim(requests, now_ms)


@pytest.fixture
def store():
    return Counted()


@pytest.fixture
async def house(houses, store):
    house = await houses(store)
    await house.upload(FIRST, SECOND, END)
    return house


async def soon(poll):
    return await asyncio.wait_for(poll, 5)


async def test_who_waits_for_a_job_gets_it_from_the_transaction_that_makes_it(house, store):
    """A worker on a long poll costs no claim and is not a commit behind. Its report needs no read."""
    poll = await house.parked("first", max_jobs=1)
    before = store.transactions, store.claims
    instance_id = await house.start(variables=b'{"n": 1}')
    (job,) = await soon(poll)
    assert store.transactions - before[0] == 1
    assert store.claims - before[1] == 0 or not store.claims_apart  # elsewhere it looks for polls, and finds none
    assert (job.instance_id, json.loads(bytes(job.variables))) == (instance_id, {"n": 1})
    assert not await house.poll("first")
    await house.engine.complete_job(job.id, "w", lease_token=job.lease_token)
    assert [job.instance_id for job in await house.poll("second")] == [instance_id]


async def test_what_is_more_than_was_waited_for_is_queued(house):
    """Each poll gets as many as it wants, and whoever asks next the rest."""
    poll = await house.parked("first", max_jobs=2)
    started = await asyncio.gather(*(house.start() for _ in range(3)))
    assert [job.instance_id for job in await soon(poll)] == started[:2]
    assert [job.instance_id for job in await house.poll("first")] == started[2:]


async def test_those_who_wait_are_given_jobs_in_turn(house):
    """Two jobs for two workers are one for each."""
    polls = [await house.parked("first") for _ in range(2)]
    started = await asyncio.gather(house.start(), house.start())
    assert [[job.instance_id for job in await soon(poll)] for poll in polls] == [[one] for one in started]


async def test_who_waits_on_is_not_woken_for_a_job_that_another_one_has(house, store):
    """There is nothing to claim for whom nothing was made."""
    polls = [await house.parked("first") for _ in range(2)]
    before = store.transactions
    for poll in polls:
        instance_id = await house.start()
        assert [job.instance_id for job in await soon(poll)] == [instance_id]
    assert store.transactions - before == 2


async def test_a_lease_given_at_birth_is_planned_for(house):
    """Or nobody would look when it runs out; then the job is delivered anew."""
    told = []
    house.engine.executor.polls.after_claim.append(told.extend)
    poll = await house.parked("first")
    instance_id = await house.start()
    await soon(poll)
    assert told == [house.clock.at_ms + 30_000]
    await house.pass_time(30_001)
    assert [job.instance_id for job in await house.poll("first")] == [instance_id]


async def test_who_waited_for_a_job_that_came_to_nothing_waits_on(house):
    """It is made and taken back in one batch; the next one is given all the same."""
    poll = await house.parked("second")
    instance_id = await house.start()
    (job,) = await house.poll("first")
    waits = asyncio.Event()
    house.engine.executor.polls.parked.announce = lambda _types: waits.set()
    await asyncio.gather(house.engine.complete_job(job.id, "w"), house.engine.cancel_instance(instance_id))
    await asyncio.wait_for(waits.wait(), 5)
    assert not poll.done()
    another = await house.start()
    (job,) = await house.poll("first")
    await house.engine.complete_job(job.id, "w")
    assert [job.instance_id for job in await soon(poll)] == [another]


@pytest.mark.parametrize("error", [Unavailable("gone"), ZeroDivisionError()], ids=["lost", "bug"])
async def test_who_waited_for_a_batch_that_failed_waits_on(house, monkeypatch, error):
    """It is given what the next one makes; a bug in giving costs no command its success."""
    poll = await house.parked("first", max_jobs=1)
    save, failed = MemoryTransaction.save, []

    async def fails(self, changes, *, waiting=(), **options):
        if waiting and not failed:
            failed.append(error)
            raise error
        return await save(self, changes, waiting=waiting, **options)

    monkeypatch.setattr(MemoryTransaction, "save", fails)
    started = []
    if isinstance(error, Unavailable):
        waits = asyncio.Event()
        house.engine.executor.polls.parked.announce = lambda _types: waits.set()
        with pytest.raises(Unavailable):
            await house.start()
        await asyncio.wait_for(waits.wait(), 5)
    else:
        started.append(await house.start())
    started.append(await house.start())
    assert [job.instance_id for job in await soon(poll)] == started[:1]
    assert failed


async def test_a_batch_that_fails_with_nobody_aboard_is_tried_one_by_one_at_once(house, store, monkeypatch):
    """Nobody else can be to blame."""
    save = MemoryTransaction.save

    async def fails_together(self, changes, **options):
        if len(changes) > 1:
            raise ZeroDivisionError
        return await save(self, changes, **options)

    monkeypatch.setattr(MemoryTransaction, "save", fails_together)
    before = store.transactions
    await asyncio.gather(house.start(), house.start())
    assert store.transactions - before == 3


class Wavering:
    """Starts one workflow, and another one when it has to decide again."""

    def __init__(self, *workflows):
        self.workflows = list(workflows)

    def wish(self, wishes):
        """All of them."""
        wishes.latest.update(self.workflows)

    async def perform(self, desk):
        """Start the next."""
        await desk.start(self.workflows.pop(0), None, StartInstance(instance_id="i", variables={}))


async def test_who_waits_for_what_is_made_at_the_second_try_gets_it(house, monkeypatch):
    """Nobody was called for it, so it is looked for."""
    await house.upload({**SECOND, "id": "other"}, END, id="another")
    poll = await house.parked("other")
    save, lost = MemoryTransaction.save, [StoreConflict("taken")]

    async def races(self, changes, **options):
        if lost:
            raise lost.pop()
        return await save(self, changes, **options)

    monkeypatch.setattr(MemoryTransaction, "save", races)
    await house.engine.executor.submit(Wavering("flow", "another"))
    assert [job.job_type for job in await soon(poll)] == ["other"]
