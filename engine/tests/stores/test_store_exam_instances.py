"""The store exam, instances: what was saved is what is loaded, wholly or not at all."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from rochallor.core import commands as cmd
from rochallor.core.apply import fold
from rochallor.core.ids import JobRef
from rochallor.core.model import Lease
from rochallor.ports import InstanceFilter, StoreConflict, Wanted

VARIABLES = {
    "none": b"{}",
    "plain": b'{"a": 1, "b": [true, null, "x"]}',
    "unicode": '{"größe": "日本 \U0001f600"}'.encode(),
    "nul": b'{"a": "x\\u0000y", "k\\u0000": 1}',
    "precise": b'{"n": 123456789012345678901234567890, "f": 1.5e300, "z": 0.1}',
    "spaced and ordered": b'{"z": {"b" : 1,  "a": 2}, "a": [ 1 ]}',
    "large": b'{"text": "' + b"x" * 2_000_000 + b'"}',
}


@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES.keys())
async def test_an_instance_is_loaded_as_it_was_saved(world, variables):
    """Loading gives back the very instance that was saved, whatever its variables hold."""
    instance = await world.start(variables=variables)
    async with world.store.transaction() as tx:
        loaded = await tx.load(Wanted(instances=frozenset({instance.id})))
    assert loaded.instances == {instance.id: instance}


@pytest.mark.parametrize("name", ["straight", "timed", "approval", "wide", "chained"])
async def test_every_shape_of_open_state_survives(world, name):
    """Open jobs, tasks, timers, tokens and activations are read back as they were written."""
    instance = await world.start(name, b'{"a": 1}', business_key="k", parent_instance_id=world.new_id())
    assert await world.store.reads.instance(instance.id) == instance


async def test_a_frozen_failure_survives(world):
    """What a failed instance keeps for a manual retry is read back as it was written."""
    instance = await world.start("wide")
    jobs = await world.claim("a", max_jobs=1)
    await world.fail(jobs[0].job)
    jobs = await world.claim("a", max_jobs=1)
    failed = await world.fail(jobs[0].job)
    assert failed.frozen is not None
    assert await world.store.reads.instance(instance.id) == failed


async def test_an_update_replaces_the_state(world):
    """After a second save the second state is there."""
    instance = await world.start()
    [claimed] = await world.claim("a")
    after = await world.complete(claimed.job, b'{"done": true}')
    assert await world.store.reads.instance(instance.id) == after


async def test_history_is_what_was_committed(world):
    """The history of an instance is its committed events, in order, unchanged."""
    first = world.started(variables=b'{"a": "\\u0000"}', actor="ann")
    second = world.change(first.after, cmd.CancelInstance(instance_id=first.after.id, actor="bob", reason="ä"))
    await world.save(first, second)
    assert await world.store.reads.history(first.after.id) == [first.committed, second.committed]


async def test_history_can_be_read_from_a_revision_on(world):
    """A reader that knows revision n gets what came after it."""
    instance = await world.start()
    await world.cancel(instance)
    assert [record.revision for record in await world.store.reads.history(instance.id, 1)] == [2]


async def test_history_adds_up_to_the_stored_instance(world):
    """Folding the history gives the stored instance."""
    instance = await world.start("wide", b'{"a": 1}')
    await world.cancel(instance)
    assert fold(await world.store.reads.history(instance.id)) == await world.store.reads.instance(instance.id)


async def test_an_unknown_instance_has_neither_state_nor_history(world):
    """What was never saved is not found, and no error."""
    unknown = world.new_id()
    async with world.store.transaction() as tx:
        loaded = await tx.load(Wanted(frozenset({unknown}), frozenset({JobRef(unknown, 1, 1)})))
    assert (loaded.instances, loaded.leases) == ({}, {})
    assert await world.store.reads.instance(unknown) is None
    assert await world.store.reads.history(unknown) == []


async def test_many_changes_of_one_instance_in_one_batch(world):
    """A batch may carry several revisions of an instance; the last one stays."""
    first = world.started()
    second = world.change(first.after, cmd.CancelInstance(instance_id=first.after.id))
    await world.save(first, second)
    assert await world.store.reads.instance(first.after.id) == second.after


async def test_a_transaction_sees_its_own_writes(world):
    """Inside a transaction, what it saved is loaded."""
    change = world.started()
    async with world.store.transaction() as tx:
        await tx.save([change])
        loaded = await tx.load(Wanted(instances=frozenset({change.after.id})))
    assert loaded.instances == {change.after.id: change.after}


async def test_readers_see_committed_rows_only(world):
    """Until the transaction ends well, readers see nothing of it; and reading inside one does not block."""
    change = world.started("approval", business_key="k")
    async with world.store.transaction() as tx:
        await tx.save([change])
        seen = await world.store.reads.instance(change.after.id)
        listed, total = await world.store.reads.instances(InstanceFilter(), 10, 0)
    assert (seen, listed, total) == (None, [], 0)
    assert await world.store.reads.instance(change.after.id) == change.after


async def rolled_back(world, *changes):
    with suppress(ZeroDivisionError):
        async with world.store.transaction() as tx:
            await tx.save(changes)
            raise ZeroDivisionError


async def test_an_exception_rolls_everything_back(world):
    """A transaction that ends in an exception leaves no instance, event, job, task, timer, key or definition."""
    lost = world.started("timed", business_key="k")
    await rolled_back(world, lost, world.started("approval"))
    assert await world.store.reads.instance(lost.after.id) is None
    assert await world.store.reads.history(lost.after.id) == []
    assert await world.claim("a") == []
    assert (await world.store.due(world.now_ms + 10**9, 10)).timers == ()
    assert await world.start("timed", business_key="k")


async def test_a_rollback_restores_what_was_changed(world):
    """A rolled back update leaves the instance as it was before."""
    instance = await world.start()
    await rolled_back(world, world.change(instance, cmd.CancelInstance(instance_id=instance.id)))
    assert await world.store.reads.instance(instance.id) == instance
    assert len(await world.claim("a")) == 1


async def test_the_store_works_on_after_a_rollback(world):
    """A transaction after a failed one is like any other."""
    await rolled_back(world)
    instance = await world.start()
    assert await world.store.reads.instance(instance.id) == instance


async def test_two_first_revisions_of_one_instance_conflict(world):
    """The same instance cannot be born twice."""
    change = world.started()
    await world.save(change)
    with pytest.raises(StoreConflict):
        await world.save(change)


async def test_a_change_from_an_old_state_conflicts(world):
    """A change built on a revision that is no longer the stored one is refused; the stored one stays."""
    instance = await world.start()
    late = world.change(instance, cmd.CancelInstance(instance_id=instance.id, reason="late"))
    winner = await world.cancel(instance)
    with pytest.raises(StoreConflict):
        await world.save(late)
    assert await world.store.reads.instance(instance.id) == winner


async def test_a_change_of_an_unknown_instance_conflicts(world):
    """A second revision without a first one is refused."""
    first = world.started()
    with pytest.raises(StoreConflict):
        await world.save(world.change(first.after, cmd.CancelInstance(instance_id=first.after.id)))


async def test_a_conflict_takes_the_whole_batch_back(world):
    """A batch with one refused change leaves nothing of its other changes."""
    taken, innocent = world.started(), world.started()
    await world.save(taken)
    with pytest.raises(StoreConflict):
        await world.save(innocent, taken)
    assert await world.store.reads.instance(innocent.after.id) is None


async def test_writers_take_turns(world):
    """Transactions begun at the same time do not mix: each sees the whole effect of the one before."""
    instance = await world.start("wide")
    jobs = await world.claim("a", "b")
    await asyncio.gather(*(world.complete(claimed.job) for claimed in jobs))
    stored = await world.store.reads.instance(instance.id)
    assert stored.revision == 1 + len(jobs)
    assert fold(await world.store.reads.history(instance.id)) == stored


async def test_a_cancelled_writer_does_not_block_the_next(world):
    """A task cancelled inside its transaction gives the turn on, and nothing of it stays."""
    change = world.started()
    inside = asyncio.Event()

    async def hang() -> None:
        async with world.store.transaction() as tx:
            await tx.save([change])
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await inside.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await world.save(change)
    assert await world.store.reads.instance(change.after.id) == change.after


async def test_what_reports_are_about_is_read_with_its_leases(world):
    """Instances come whoever holds their jobs; leases only of the deliveries that are held."""
    two_jobs, one_job, unknown = await world.start("wide"), await world.start(), world.new_id()
    held = [claimed.job for claimed in await world.claim("a", "b", max_jobs=2)]
    assert {job.instance_id for job in held} == {two_jobs.id}
    free, gone = JobRef(one_job.id, 1, 1), JobRef(two_jobs.id, held[0].seq, 7)
    async with world.store.transaction() as tx:
        loaded = await tx.load(Wanted(reported=frozenset({*held, free, gone, JobRef(unknown, 1, 1)})))
    assert loaded.instances == {two_jobs.id: two_jobs, one_job.id: one_job}
    assert loaded.leases == dict.fromkeys(held, Lease("w", "token-of-w", world.now_ms + 30_000))
