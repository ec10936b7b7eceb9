"""What time does goes on, whatever becomes of one thing that is due."""

from __future__ import annotations

import asyncio

import pytest
from rochallor.core.commands import FireTimer
from rochallor.core.errors import InternalError, Unavailable
from rochallor.ports import Due
from rochallor.shell.work import Chain, Do, Ripen
from rochallor.stores.memory import MemoryStore

END = {"id": "end", "type": "END"}
TASK = {"id": "work", "type": "SERVICE_TASK", "retryCount": 1, "nextStep": "end"}


def timed(seconds):
    timer = {"type": "TIMER", "duration": f"PT{seconds}S", "interrupting": True, "targetStepId": "end"}
    return {"id": "ask", "type": "USER_TASK", "nextStep": "end", "boundaryEvents": [timer]}


class Gated(MemoryStore):
    """Says what is due only when a test lets it; `looked` counts how often it was asked."""

    def __init__(self):
        super().__init__()
        self.looked = 0
        self.fails = []

    async def due(self, now_ms, limit):
        self.looked += 1
        if self.fails:
            raise self.fails.pop()
        return await super().due(now_ms, limit)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Nobody waits long before the next attempt."""
    monkeypatch.setattr("rochallor.shell.sweeper._RETRY_S", 0.001)


async def until_completed(house, instance_id):
    answer = await asyncio.wait_for(house.engine.await_instance(instance_id, wait_ms=5_000), 5)
    assert answer.reached


def wake(house, ms):
    house.clock.at_ms += ms
    house.engine.sweeper.hurry()


@pytest.mark.parametrize("error", [Unavailable("away"), InternalError("a bug"), ZeroDivisionError()])
async def test_a_sweep_that_fails_is_made_again(houses, error):
    """An engine without its sweeper would look well, and fire no timer any more."""
    store = Gated()
    house = await houses(store)
    await house.upload(timed(1), END)
    instance_id = await house.start()
    store.fails = [error]
    wake(house, 2_000)
    await until_completed(house, instance_id)
    await house.engine.ready()


@pytest.mark.parametrize("kind", [Ripen, Chain])
async def test_what_is_refused_does_not_keep_others(house, monkeypatch, kind):
    """A delayed job that cannot ripen, a chain that cannot start: the timer beside them fires."""
    await house.upload(timed(1), END, id="timed")
    await house.upload(TASK, END, id="flow", autoStartNextWorkflow=True, nextWorkflowId="timed")
    for _ in range(2):
        await house.start("flow")
    delayed, last = await house.poll("work")

    async def refused(*_):
        raise InternalError("a bug")

    monkeypatch.setattr(kind, "perform", refused)
    await house.engine.fail_job(delayed.id, "w", message="", retryable=True, retry_after_ms=100)
    await house.engine.complete_job(last.id, "w")
    for _ in range(2):
        instance_id = await house.start("timed")
        wake(house, 2_000)
        await until_completed(house, instance_id)
    await house.engine.ready()


async def test_a_queue_that_is_full_passes(houses):
    """What is due while the engine has too much to do is done when it has less."""
    house = await houses(queue_limit=5)
    await house.upload(TASK, END)
    await house.upload(timed(1), END, id="timed")
    await house.start()
    (job,) = await house.poll("work")
    await house.engine.fail_job(job.id, "w", message="", retryable=True, retry_after_ms=1_000)
    instance_id = await house.start("timed")
    burst = [asyncio.ensure_future(house.start("timed")) for _ in range(5)]
    await asyncio.sleep(0)
    assert len(house.engine.executor._queue) == 5
    wake(house, 2_000)
    await asyncio.gather(*burst)
    await until_completed(house, instance_id)
    assert len(await house.poll("work")) == 1
    await house.engine.ready()


@pytest.mark.parametrize(("planned_ms", "expected_ms"), [(None, 5_000), (700, 700), (9_000, 5_000)])
async def test_what_is_stuck_does_not_put_off_what_is_planned(house, monkeypatch, planned_ms, expected_ms):
    """It is tried again every five seconds, and whatever comes before that comes at its time."""
    now_ms = house.clock.at_ms
    stuck = Due(timers=(("nobody", 1, 0),), next_at_ms=planned_ms if planned_ms is None else now_ms + planned_ms)

    async def due(_now_ms, _limit):
        return stuck

    monkeypatch.setattr(house.engine.store, "due", due)
    await house.engine.sweeper.sweep()
    assert house.engine.sweeper._next_ms == now_ms + expected_ms


@pytest.fixture
async def stuck(houses, monkeypatch):
    """A store and an engine with a workflow whose timers are always refused."""
    perform = Do.perform

    async def refused(self, desk):
        if isinstance(self.command, FireTimer) and self.command.instance_id in store.refused:
            raise InternalError("a bug")
        return await perform(self, desk)

    monkeypatch.setattr(Do, "perform", refused)
    store = Gated()
    store.refused = set()
    house = await houses(store)
    await house.upload(timed(1), END)
    return store, house


async def test_what_is_stuck_is_left_alone_for_a_while_whatever_else_is_planned(stuck):
    """What is planned changes all the time, and is no reason to try again at once what has just been refused."""
    store, house = stuck
    store.refused.add(await house.start())
    house.clock.at_ms += 1_500
    due = store.due

    async def with_other_plans(now_ms, limit):
        return (await due(now_ms, limit))._replace(next_at_ms=now_ms + 60_000 + store.looked)

    store.due = with_other_plans
    await house.engine.sweeper.sweep()
    looked = store.looked
    await house.engine.sweeper.sweep()
    assert store.looked == looked + 1
    house.clock.at_ms += 5_000
    store.refused.clear()
    await house.engine.sweeper.sweep()
    assert not (await due(house.clock.at_ms, 10)).timers


@pytest.mark.parametrize(
    ("due", "answer", "is_stuck"),
    [
        (Due(ripe=True), None, False),
        (Due(chains=(("parent", "next", None),)), False, False),
        (Due(chains=(("parent", "next", None),)), True, True),
    ],
    ids=["ripe again", "put off, and due again", "done, and still due"],
)
async def test_what_may_be_due_again_is_not_stuck(house, monkeypatch, due, answer, is_stuck):
    """More has ripened meanwhile, a chain was put off for a moment: both are done at their time, not 5 s later."""
    looks = [due, due, due, Due()]
    tries = []

    async def told(_now_ms, _limit):
        return looks.pop(0)

    async def perform(_self, _desk):
        tries.append(answer)
        return answer

    monkeypatch.setattr(house.engine.store, "due", told)
    for kind in (Ripen, Chain):
        monkeypatch.setattr(kind, "perform", perform)
    await house.engine.sweeper.sweep()
    assert len(tries) == (1 if is_stuck else 3)
    assert (house.engine.sweeper._next_ms is None) is not is_stuck


async def test_what_is_behind_many_stuck_things_has_its_turn(stuck, monkeypatch):
    """However many of the oldest stay due."""
    monkeypatch.setattr("rochallor.shell.sweeper._AT_ONCE", 2)
    store, house = stuck
    for _ in range(5):
        store.refused.add(await house.start())
    house.clock.at_ms += 1
    good = await house.start()
    house.clock.at_ms += 1_500
    await house.engine.sweeper.sweep()
    assert await house.status(good) == "COMPLETED"


async def test_an_engine_that_has_lost_a_part_is_not_ready(house):
    """Whoever watches it restarts it, instead of waiting for timers that nobody fires."""
    sweeper = house.engine._tasks[1]
    sweeper.cancel()
    await asyncio.wait([sweeper])
    with pytest.raises(Unavailable, match="a part of the engine has ended"):
        await house.engine.ready()
