"""Where a queue begins and what is left in it: what a claim may pass over, and what other engines are offered."""

from __future__ import annotations

import asyncio

import pytest
from rochallor.ports import ClaimRequest
from rochallor.stores.postgres.claims import Watermark


@pytest.fixture
async def world(postgres_worlds):
    """Its store has no connection to spare for claims."""
    return await postgres_worlds(4)


@pytest.fixture
async def roomy(postgres_worlds):
    """Its store has one."""
    return await postgres_worlds(5)


async def test_other_engines_hear_of_what_a_claim_leaves(roomy, monkeypatch):
    """Jobs that were queued since the last claim and not taken, and those it looked at and had to leave."""
    told = []
    monkeypatch.setattr(roomy.store.signals, "publish", lambda **news: told.append(set(news["job_types"])))
    for _ in range(3):
        await roomy.start(variables=b'{"text": "' + b"x" * 1_000 + b'"}')
    told.clear()
    await roomy.store.claim([], roomy.now_ms)
    await roomy.claim("a", max_bytes=2_500)
    await roomy.claim("a")
    await roomy.start()
    await roomy.claim("a")
    await roomy.start()
    await roomy.claim("b")
    assert told == [{"a"}, {"a"}, set(), set(), set(), set(), {"a"}]


class Held:
    """A connection whose answers are held back while a test says so."""

    def __init__(self, connection):
        self.connection = connection
        self.answered = asyncio.Event()
        self.asked_once = asyncio.Event()

    def __getattr__(self, name):
        return getattr(self.connection, name)

    async def fetch(self, statement, *arguments):
        answer = await self.connection.fetch(statement, *arguments)
        self.asked_once.set()
        await self.answered.wait()
        return answer


async def under_way(world, *job_types):
    """Return a claim that the database has answered and the store has not heard of, and what holds the answer back."""
    line = world.store._claimer.line
    line._connection = Held(await line.get())
    claim = asyncio.create_task(world.claim(*job_types))
    await line._connection.asked_once.wait()
    return claim, line._connection.answered


async def test_others_are_offered_what_a_claim_could_have_taken_and_did_not(roomy, monkeypatch):
    """What was saved while it was under way, it could not: that is offered after the next, if that leaves it, too."""
    offered = []
    monkeypatch.setattr(roomy.store.signals, "publish", lambda **news: offered.append(set(news["job_types"])))
    await roomy.start()
    claim, answered = await under_way(roomy, "a")
    await roomy.start()
    offered.clear()
    answered.set()
    assert len(await claim) == 1
    assert offered == [set()]
    await roomy.store.claim([], roomy.now_ms)
    await roomy.store.claim([], roomy.now_ms)
    assert offered == [set(), {"a"}, set()]


async def test_others_are_offered_what_was_saved_while_a_claim_took_older_jobs(roomy, monkeypatch):
    """However many it took: those had been offered before."""
    offered = []
    monkeypatch.setattr(roomy.store.signals, "publish", lambda **news: offered.append(set(news["job_types"])))
    for _ in range(2):
        await roomy.start()
    await roomy.store.claim([], roomy.now_ms)
    claim, answered = await under_way(roomy, "a")
    await roomy.start()
    offered.clear()
    answered.set()
    assert len(await claim) == 2
    await roomy.store.claim([], roomy.now_ms)
    assert offered == [set(), {"a"}]


async def test_others_are_offered_at_once_what_a_transaction_has_not_claimed_itself(world, monkeypatch):
    """Where claims ride with transactions there may be none afterwards."""
    offered = []
    monkeypatch.setattr(world.store.signals, "publish", lambda **news: offered.append(set(news["job_types"])))
    await world.start()
    assert {"a"} in offered
    offered.clear()
    async with world.store.transaction() as tx:
        await tx.save([world.started()], last=False)
        assert len((await tx.claim([ClaimRequest("w", ("a",), 10, 1_000, "token", 1_000)], world.now_ms))[0]) == 2
    assert not set().union(*offered)


async def test_a_claim_does_not_pass_over_what_has_ripened_meanwhile(roomy):
    """It would be behind the watermark, and wait until that is forgotten, while younger jobs are handed out."""
    old, young = await roomy.start(), await roomy.start()
    [claimed] = await roomy.claim("a", max_jobs=1)
    await roomy.fail(claimed.job, retry_after_ms=1_000)
    third = await roomy.start()
    roomy.now_ms += 1_000
    claim, answered = await under_way(roomy, "a")
    async with roomy.store.transaction() as tx:
        await tx.ripen(roomy.now_ms)
    await roomy.start()
    answered.set()
    assert [job.job.instance_id for job in await claim] == [young.id, third.id]
    assert (await roomy.claim("a", max_jobs=1))[0].job.instance_id == old.id


async def test_a_claim_does_not_pass_over_what_was_given_back_meanwhile(roomy, monkeypatch):
    """Neither does it keep from other engines that there is something again."""
    offered = set()
    monkeypatch.setattr(roomy.store.signals, "publish", lambda **news: offered.update(news["job_types"]))
    old, _, _ = [await roomy.start() for _ in range(3)]
    given = await roomy.claim("a", max_jobs=1)
    claim, answered = await under_way(roomy, "a")
    await roomy.give_back(*given)
    answered.set()
    assert len(await claim) == 2
    offered.clear()
    await roomy.store.claim([], roomy.now_ms)
    assert offered == {"a"}
    await roomy.start()
    assert (await roomy.claim("a", max_jobs=1))[0].job.instance_id == old.id


async def test_a_claim_sees_what_has_ripened_in_its_transaction(world):
    """It would be behind the watermark, and younger jobs go first."""
    old, young = await world.start(), await world.start()
    [claimed] = await world.claim("a", max_jobs=1)
    await world.fail(claimed.job, retry_after_ms=1_000)
    third = await world.start()
    assert [job.job.instance_id for job in await world.claim("a")] == [young.id, third.id]
    world.now_ms += 1_000
    async with world.store.transaction() as tx:
        await tx.ripen(world.now_ms)
        await tx.save([world.started()])
        [[first]] = await tx.claim([ClaimRequest("w", ("a",), 1, 1_000, "token", 1_000)], world.now_ms)
    assert first.job.instance_id == old.id


def test_the_watermark_moves_again_after_it_was_forgotten():
    """Only a claim that had asked before it was forgotten says nothing about where the next begins."""
    watermark = Watermark()
    assert watermark.after(["a"], 0.0) == [0]
    watermark.forget(["a"])
    watermark.move({"a": 5})
    assert watermark.after(["a"], 0.0) == [0]
    watermark.move({"a": 7})
    assert watermark.after(["a"], 0.0) == [7]
