"""Watching an instance: every committed revision, once, in order, and then the end."""

from __future__ import annotations

import asyncio
import json

import pytest
from rochallor.core.errors import BadRequest, NotFound, Unavailable
from rochallor.shell import live

TASK = {"id": "work", "type": "SERVICE_TASK", "retryCount": 0, "nextStep": "end"}
REVIEW = {"id": "review", "type": "USER_TASK", "nextStep": "work"}
END = {"id": "end", "type": "END"}
PATIENT_S = 10.0


async def taken(watch):
    """Take everything until the watch ends by itself."""
    return [view async for view in watch]


async def parked(house, instance_id):
    """Let a watcher that has been started get to where it waits."""
    while instance_id not in house.engine.executor.watchers._events:  # noqa: ASYNC110  # yields, never waits
        await asyncio.sleep(0)


@pytest.fixture
def finished(house):
    """Run REVIEW, TASK, END to the end (3 revisions); gives the instance's id."""

    async def finish():
        await house.upload(REVIEW, TASK, END)
        instance_id = await house.start(variables=b'{"big": 1}')
        await house.engine.complete_user_task(instance_id, "review", completed_by="ada", result=b'{"ok": true}')
        (job,) = await house.poll("work")
        await house.engine.complete_job(job.id, "w")
        return instance_id

    return finish


async def test_a_finished_record_is_told_from_the_beginning_to_its_end(house, finished):
    """Each revision comes with the status and the steps after it; then the watch ends."""
    views = await taken(await house.engine.watch(await finished()))
    assert [(view.revision, view.status, view.current_step_ids) for view in views] == [
        (1, "WAITING", ["review"]),
        (2, "ACTIVE", ["work"]),
        (3, "COMPLETED", []),
    ]


async def test_the_last_view_agrees_with_the_instance(house, finished):
    """Folding revision by revision ends where the engine's own state is."""
    instance_id = await finished()
    *_, last = await taken(await house.engine.watch(instance_id))
    now = await house.engine.get_instance(instance_id)
    assert (last.revision, last.status, last.current_step_ids) == (now.revision, now.status, now.current_step_ids)


@pytest.mark.parametrize("after", [0, 1, 2, 3])
async def test_a_resumed_watch_gives_exactly_the_missing_revisions(house, finished, after):
    """What is told after a revision is what a full watch tells after it."""
    instance_id = await finished()
    everything = await taken(await house.engine.watch(instance_id))
    assert await taken(await house.engine.watch(instance_id, after)) == everything[after:]


@pytest.mark.parametrize(("after", "over"), [(2, False), (3, True)])
async def test_a_watch_of_nothing_more_says_so_at_once(house, finished, after, over):
    """Only a final instance whose last revision is known leaves nothing to wait for."""
    assert (await house.engine.watch(await finished(), after)).over is over


async def test_a_change_names_its_step_and_keeps_the_rest_as_detail(house, finished):
    """A change is the event: kind, step, step execution, and what else it says."""
    instance_id = await finished()
    watch = await house.engine.watch(instance_id, 1)
    closed, entered, created = (await watch.next()).changes
    assert (closed.kind, closed.step_id, closed.step_execution_id) == ("StepClosed", "review", f"{instance_id}-1")
    assert json.loads(bytes(closed.detail))["output"] == {"ok": True}
    assert (entered.kind, entered.step_id) == ("StepEntered", "work")
    assert json.loads(bytes(created.detail))["job_type"] == "work"


async def test_a_waiting_watch_hears_of_the_next_commit(house):
    """A watcher that has read everything is woken by a change."""
    await house.upload(REVIEW, TASK, END)
    instance_id = await house.start()
    watch = await house.engine.watch(instance_id, 1)
    asked = asyncio.create_task(watch.next())
    await parked(house, instance_id)
    assert not asked.done()
    await house.engine.complete_user_task(instance_id, "review")
    assert (await asyncio.wait_for(asked, PATIENT_S)).revision == 2


async def test_a_change_between_two_questions_is_not_missed(house):
    """What was committed while the watcher was busy elsewhere is there when it asks again."""
    await house.upload(REVIEW, TASK, END)
    instance_id = await house.start()
    watch = await house.engine.watch(instance_id)
    assert (await watch.next()).revision == 1
    await house.engine.complete_user_task(instance_id, "review")
    assert (await watch.next()).revision == 2


async def test_a_commit_during_the_read_is_not_missed(house, monkeypatch):
    """A commit after the record was read and before the watcher waits still wakes it."""
    await house.upload(REVIEW, TASK, END)
    instance_id = await house.start()
    watch = await house.engine.watch(instance_id, 1)
    read = house.engine.store.reads.history

    async def slow_read(*arguments):
        record = await read(*arguments)
        monkeypatch.undo()
        await house.engine.complete_user_task(instance_id, "review")
        return record

    monkeypatch.setattr(house.engine.store.reads, "history", slow_read)
    assert (await asyncio.wait_for(watch.next(), PATIENT_S)).revision == 2


async def test_a_lost_notice_only_costs_time(house, monkeypatch):
    """A commit that nobody told of (another engine's) is found by looking again."""
    monkeypatch.setattr(live, "LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(house.engine.executor.watchers, "changed", lambda _instance_id: None)
    await house.upload(REVIEW, TASK, END)
    instance_id = await house.start()
    watch = await house.engine.watch(instance_id, 1)
    asked = asyncio.create_task(watch.next())
    await parked(house, instance_id)
    await house.engine.complete_user_task(instance_id, "review")
    assert (await asyncio.wait_for(asked, PATIENT_S)).revision == 2


async def test_every_revision_comes_once_under_concurrent_changes(house):
    """64 commands at once: two watchers see each revision exactly once, in order."""
    branches = [{"id": f"w{n}", "type": "WAIT", "nextStep": "join"} for n in range(64)]
    fork = {
        "id": "fork",
        "type": "PARALLEL_GATEWAY",
        "parallelNextSteps": [branch["id"] for branch in branches],
        "joinStep": "join",
    }
    await house.upload(fork, *branches, {"id": "join", "type": "JOIN_GATEWAY", "nextStep": "end"}, END)
    instance_id = await house.start()
    watchers = [asyncio.create_task(taken(await house.engine.watch(instance_id))) for _ in range(2)]
    await asyncio.gather(*(house.engine.signal_wait(instance_id, branch["id"]) for branch in branches))
    for seen in await asyncio.wait_for(asyncio.gather(*watchers), PATIENT_S):
        assert [view.revision for view in seen] == list(range(1, 66))
        assert seen[-1].status == "COMPLETED"


async def test_a_long_record_is_not_kept_for_a_slow_watcher(house, finished, monkeypatch):
    """A watcher holds a few revisions at most, and still gets all of them once."""
    monkeypatch.setattr(live, "AHEAD", 1)
    watch = await house.engine.watch(await finished())
    assert len(watch._ahead) == 1
    assert [view.revision for view in await taken(watch)] == [1, 2, 3]


async def test_a_failed_run_ends_the_watch_and_its_retry_is_for_the_next(house):
    """A watch ends with FAILED; the retry comes to whoever watches again after it."""
    await house.upload(TASK, END)
    instance_id = await house.start()
    (job,) = await house.poll("work")
    await house.engine.fail_job(job.id, "w", message="broken", retryable=False)
    assert [view.status for view in await taken(await house.engine.watch(instance_id))] == ["ACTIVE", "FAILED"]
    await house.engine.retry_step(instance_id, "work")
    watch = await house.engine.watch(instance_id, 2)
    assert (await watch.next()).changes[0].kind == "InstanceReopened"
    assert not watch.over


async def test_the_link_to_a_child_is_told_when_it_is_there_in_time(house):
    """A completed parent's last revision, the child's start, is told to who has not asked past it yet."""
    await house.upload(END, id="child")
    await house.upload(END, autoStartNextWorkflow=True, nextWorkflowId="child")
    instance_id = await house.start()
    watch = await house.engine.watch(instance_id)
    await house.engine.sweeper.settled()
    views = await taken(watch)
    assert [(view.status, view.changes[-1].kind) for view in views] == [
        ("COMPLETED", "ChainRequested"),
        ("COMPLETED", "ChildStarted"),
    ]


async def test_a_stopping_engine_lets_watchers_go(houses):
    """A watcher is told to come back elsewhere instead of being left to wait."""
    house = await houses()
    await house.upload(REVIEW, TASK, END)
    instance_id = await house.start()
    asked = asyncio.create_task((await house.engine.watch(instance_id, 1)).next())
    await parked(house, instance_id)
    house.engine.live.end()
    with pytest.raises(Unavailable, match="watch again"):
        await asyncio.wait_for(asked, PATIENT_S)
    with pytest.raises(Unavailable):
        await house.engine.watch(instance_id)


async def test_a_cancelled_question_loses_nothing_and_leaves_nothing(house):
    """A watcher may give up a wait and ask again."""
    await house.upload(REVIEW, TASK, END)
    instance_id = await house.start()
    watch = await house.engine.watch(instance_id, 1)
    asked = asyncio.create_task(watch.next())
    await parked(house, instance_id)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert not house.engine.executor.watchers._events
    await house.engine.complete_user_task(instance_id, "review")
    assert (await watch.next()).revision == 2


async def test_an_unknown_instance_cannot_be_watched(house):
    """Nobody waits for what does not exist."""
    with pytest.raises(NotFound):
        await house.engine.watch("nobody")


@pytest.mark.parametrize("after", [4, 2**63, -1])
async def test_a_revision_that_does_not_exist_is_refused(house, finished, after):
    """A watcher ahead of the record has seen another one, and is told so instead of waiting in vain."""
    with pytest.raises(BadRequest, match="its latest is 3"):
        await house.engine.watch(await finished(), after)


async def test_a_watch_does_not_touch_the_state_it_began_with(house):
    """What a reader of the store was given stays as it was, however a watcher folds on from it."""
    await house.upload(REVIEW, TASK, END)
    instance_id = await house.start(variables=b'{"big": 1}')
    given = await house.engine.store.reads.instance(instance_id)
    watch = await house.engine.watch(instance_id, 1)
    await house.engine.complete_user_task(instance_id, "review")
    await watch.next()
    assert (given.current_step_ids, list(given.variables)) == (["review"], ["big"])
