"""Two engines on one PostgreSQL: either serves any request, and what one does the other knows of."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest
from rochallor.core.errors import BadRequest, BusinessKeyInUse
from rochallor.shell import engine as engine_module
from rochallor.shell import neighbours
from rochallor.shell.clocks import SystemEntropy
from rochallor.shell.engine import Engine
from rochallor.shell.requests import Poll
from rochallor.stores.postgres import PostgresStore

END = {"id": "end", "name": "end", "type": "END"}
WORK = {"id": "work", "name": "work", "type": "SERVICE_TASK", "nextStep": "end"}
TIMER = {"type": "TIMER", "duration": "PT10S", "interrupting": True, "targetStepId": "end"}
PAUSE = {"id": "pause", "name": "pause", "type": "WAIT", "nextStep": "end", "boundaryEvents": [TIMER]}
NEVER_S = 3_600.0


class HandClock:
    """One time for both engines, that stands still until a test moves it."""

    def __init__(self):
        self.at_ms = 1_790_000_000_000

    def now_ms(self):
        return self.at_ms


class Pair:
    """Two running engines, and what tests ask of them."""

    def __init__(self, dsn):
        self.clock = HandClock()
        self.one, self.two = (
            Engine(PostgresStore(dsn, max_conns=5), clock=self.clock, entropy=SystemEntropy()) for _ in range(2)
        )

    async def upload(self, *steps, name="flow", **fields):
        definition = {"id": name, "name": name, "steps": steps, **fields}
        await self.one.upload_definition(json.dumps(definition).encode())

    async def poll(self, engine, wait_ms=20_000, max_jobs=1):
        poll = Poll(worker_id="w", job_types=["work"], wait_ms=wait_ms, max_jobs=max_jobs)
        return await asyncio.wait_for(engine.poll_jobs(poll, default_max_jobs=10), 10)

    async def parked(self, engine, wait_ms=20_000):
        """Return a poll that is waiting already."""
        poll = asyncio.create_task(self.poll(engine, wait_ms))
        while not engine.executor.polls.counts():  # noqa: ASYNC110  # parking has no event, and needs none
            await asyncio.sleep(0)
        return poll


@pytest.fixture
def look_again(monkeypatch):
    """By itself nobody looks again: what wakes a waiting caller is news."""
    monkeypatch.setattr(neighbours, "LOOK_AGAIN_S", NEVER_S)
    return lambda seconds: monkeypatch.setattr(neighbours, "LOOK_AGAIN_S", seconds)


@pytest.fixture
async def pair(postgres_database, look_again):  # noqa: ARG001  # set before the engines start
    pair = Pair(postgres_database)
    await pair.one.start()
    await pair.two.start()
    yield pair
    for engine in (pair.one, pair.two):
        await engine.stop()


async def test_job_made_by_one_wakes_a_poll_at_the_other(pair):
    """A poll parked at one engine gets the job that a start at another makes."""
    await pair.upload(WORK, END)
    poll = await pair.parked(pair.two)
    started = await pair.one.start_instance("flow")
    [job] = await poll
    assert job.instance_id == started.id


async def test_no_wakeup_is_lost_when_poll_and_start_cross(pair):
    """Polls and starts at the same moment, again and again: every poll gets a job, without looking twice."""
    await pair.upload(WORK, END)
    for _ in range(25):
        [job], _ = await asyncio.gather(pair.poll(pair.two), pair.one.start_instance("flow"))
        await pair.two.complete_job(job.id, "w")


async def test_change_by_one_wakes_a_caller_at_the_other(pair):
    """Who waits at one engine for an instance to end hears of it when another engine ends it."""
    await pair.upload(WORK, END)
    started = await pair.one.start_instance("flow")
    waiting = asyncio.create_task(pair.two.await_instance(started.id, wait_ms=20_000))
    await asyncio.sleep(0)
    await pair.one.cancel_instance(started.id)
    assert (await asyncio.wait_for(waiting, 10)).reached


async def test_lost_news_only_delays(postgres_database, look_again):
    """When news is lost, a parked poll finds the job when it looks again by itself."""
    look_again(0.02)
    pair = Pair(postgres_database)
    pair.one.store.signals.publish = lambda **_: None
    await pair.one.start()
    await pair.two.start()
    await pair.upload(WORK, END)
    poll = await pair.parked(pair.two)
    started = await pair.one.start_instance("flow")
    assert [job.instance_id for job in await poll] == [started.id]
    await pair.one.stop()
    await pair.two.stop()


async def test_either_engine_takes_a_report(pair):
    """A job claimed at one engine is completed at the other."""
    await pair.upload(WORK, END)
    started = await pair.one.start_instance("flow")
    [job] = await pair.poll(pair.one)
    await pair.two.complete_job(job.id, "w")
    assert (await pair.one.get_instance(started.id)).status == "COMPLETED"


async def test_racing_reports_have_one_winner(pair):
    """Of completions of one job through both engines at once, all succeed and one counts."""
    await pair.upload(WORK, END)
    started = await pair.one.start_instance("flow")
    [job] = await pair.poll(pair.one)
    reports = [engine.complete_job(job.id, "w") for engine in (pair.one, pair.two) for _ in range(16)]
    await asyncio.gather(*reports)
    assert len(await pair.one.store.reads.history(started.id)) == 2


async def test_business_key_race_is_told_as_what_it_is(pair):
    """Of two starts with one key at two engines, one wins and the other hears who has the key."""
    await pair.upload(WORK, END)
    starts = [engine.start_instance("flow", business_key="k") for engine in (pair.one, pair.two)]
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    assert sorted(isinstance(outcome, BusinessKeyInUse) for outcome in outcomes) == [False, True]


async def test_timer_fires_once_for_both(pair):
    """A timer that both engines find due at the same time fires once."""
    await pair.upload(PAUSE, END)
    started = await pair.one.start_instance("flow")
    pair.clock.at_ms += 10_000
    await asyncio.gather(pair.one.sweeper.sweep(), pair.two.sweeper.sweep())
    assert (await pair.one.get_instance(started.id)).status == "COMPLETED"
    assert len(await pair.one.store.reads.history(started.id)) == 2


async def test_timer_of_a_dead_engine_is_fired_by_the_other(postgres_database, monkeypatch):
    """A timer planned by an engine that is gone is noticed by one that slept when it was planned."""
    monkeypatch.setattr(engine_module, "LONGEST_SLEEP_MS", 20)
    pair = Pair(postgres_database)
    await pair.one.start()
    await pair.two.start()
    await pair.upload(PAUSE, END)
    pair.one._tasks[1].cancel()
    started = await pair.one.start_instance("flow")
    pair.clock.at_ms += 10_000
    assert (await asyncio.wait_for(pair.two.await_instance(started.id, wait_ms=9_000), 10)).reached
    await pair.one.stop()
    await pair.two.stop()


async def test_start_that_an_old_version_refuses_is_the_newest_ones(pair):
    """An engine that remembers a version does not refuse by it what the newest one takes."""
    picky = {"properties": {"x": {"type": "number"}}, "required": ["x"]}
    await pair.upload(WORK, END, inputSchema=picky)
    await pair.two.start_instance("flow", variables=b'{"x": 1}')
    await pair.upload(WORK, END)
    started = await pair.two.start_instance("flow")
    assert started.definition_version == 2
    await pair.upload(WORK, END, inputSchema=picky)
    with pytest.raises(BadRequest, match="x"):
        await pair.two.start_instance("flow", version=3)
    with pytest.raises(BadRequest, match="x"):
        await pair.two.start_instance("flow")


async def test_chain_starts_one_child(pair):
    """A next workflow that both engines find waiting is started once."""
    await pair.upload(END, name="parent", autoStartNextWorkflow=True, nextWorkflowId="child")
    parent = await pair.one.start_instance("parent")
    await pair.one.sweeper.settled()
    await pair.upload(WORK, END, name="child")
    pair.clock.at_ms += 5_000
    await asyncio.gather(pair.one.sweeper.sweep(), pair.two.sweeper.sweep())
    children = await pair.two.list_instances(definition_id="child")
    assert [child.parent_instance_id for child in children.items] == [parent.id]


async def test_two_engines_drain_one_queue(pair):
    """A hundred jobs, workers at both engines: every instance completes, every job is worked once."""
    await pair.upload(WORK, END)
    await asyncio.gather(*((pair.one, pair.two)[n % 2].start_instance("flow") for n in range(100)))
    worked = []

    async def work(engine):
        while len(worked) < 100:
            with suppress(asyncio.TimeoutError):
                for job in await pair.poll(engine, wait_ms=50, max_jobs=8):
                    worked.append(job.id)
                    await engine.complete_job(job.id, "w")

    await asyncio.gather(*(work(engine) for engine in (pair.one, pair.two) for _ in range(4)))
    assert len(worked) == len(set(worked)) == 100
    assert (await pair.one.list_instances(status="COMPLETED")).total == 100
