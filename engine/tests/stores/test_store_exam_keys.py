"""The store exam, business keys: one holder in flight per definition, while the store is asked to keep it so."""

from __future__ import annotations

import pytest
from rochallor.core import commands as cmd
from rochallor.ports import StoreConflict, Wanted


async def holder(world, key="k", definition_id="straight"):
    async with world.store.transaction() as tx:
        loaded = await tx.load(Wanted(keys=frozenset({(definition_id, key)})))
    return loaded.keys.get((definition_id, key))


async def test_an_instance_in_flight_holds_its_key(world):
    """Loading a key names the instance that holds it."""
    instance = await world.start(business_key="k")
    assert await holder(world) == instance.id


async def test_a_free_key_has_no_holder(world):
    """A key nobody took is not found; nor is one of another definition."""
    await world.start(business_key="k")
    assert await holder(world, "K") is None
    assert await holder(world, "k", "timed") is None


async def test_a_second_holder_is_refused(world):
    """A second instance with a held key is a conflict, and nothing of it stays."""
    first = await world.start(business_key="k")
    second = world.started(business_key="k")
    with pytest.raises(StoreConflict):
        await world.save(second)
    assert await holder(world) == first.id
    assert await world.store.reads.instance(second.after.id) is None


async def test_two_takers_in_one_batch_are_refused(world):
    """Two instances of one batch cannot both take a key."""
    with pytest.raises(StoreConflict):
        await world.save(world.started(business_key="k"), world.started(business_key="k"))


async def test_keys_of_different_definitions_do_not_meet(world):
    """The same key may be held once per definition."""
    one, two = await world.start(business_key="k"), await world.start("timed", business_key="k")
    assert (await holder(world), await holder(world, "k", "timed")) == (one.id, two.id)


async def test_instances_without_a_key_never_meet(world):
    """No key is no key to hold."""
    await world.start()
    await world.start()
    assert await holder(world, "") is None


async def completed(world, _instance):
    for _ in range(2):
        [claimed] = await world.claim("a", "b")
        await world.complete(claimed.job)


async def failed(world, instance):
    [claimed] = await world.claim("a")
    command = cmd.FailJob(instance_id=instance.id, job=claimed.job, worker_id="w", retryable=False, message="")
    await world.do(command)


async def cancelled(world, instance):
    await world.cancel(instance)


@pytest.mark.parametrize("end", [completed, failed, cancelled])
async def test_an_ended_instance_gives_its_key_back(world, end):
    """However an instance ends, the next one may take its key."""
    await end(world, await world.start(business_key="k"))
    assert await holder(world) is None
    successor = await world.start(business_key="k")
    assert await holder(world) == successor.id


async def test_a_key_goes_over_within_one_batch(world):
    """A batch in which the holder ends and another starts leaves the key with the other."""
    first = await world.start(business_key="k")
    end = world.change(first, cmd.CancelInstance(instance_id=first.id))
    second = world.started(business_key="k")
    await world.save(end, second)
    assert await holder(world) == second.after.id


async def test_a_key_taken_and_given_back_in_one_batch_is_free(world):
    """An instance that starts and ends within a batch holds nothing; the next of the batch may take its key."""
    first = world.started(business_key="k")
    end = world.change(first.after, cmd.CancelInstance(instance_id=first.after.id))
    second = world.started(business_key="k")
    await world.save(first, end, second)
    assert await holder(world) == second.after.id


async def test_a_reopened_instance_holds_its_key_again(world):
    """A manual retry takes the key back, and meets a conflict when another has it."""
    instance = await world.start(business_key="k")
    await failed(world, instance)
    reopen = cmd.RetryStep(instance_id=instance.id, step_id="a")
    successor = await world.start(business_key="k")
    with pytest.raises(StoreConflict):
        await world.do(reopen)
    await world.cancel(successor)
    await world.do(reopen)
    assert await holder(world) == instance.id


async def test_an_instance_that_fails_again_in_the_same_batch_holds_nothing(world):
    """Reopened and ended within one batch, an instance gives back what it had taken."""
    instance = await world.start(business_key="k")
    await failed(world, instance)
    before = await world.store.reads.instance(instance.id)
    again = world.change(before, cmd.RetryStep(instance_id=instance.id, step_id="a"))
    await world.save(again, world.change(again.after, cmd.CancelInstance(instance_id=instance.id)))
    assert await holder(world) is None


async def test_a_store_without_unique_keys_lets_many_hold_one(build, tmp_path, world_over):
    """Where keys need not be unique, any number of instances carry one and nobody is its holder."""
    store = build(tmp_path, unique=False)
    await store.open()
    world = world_over(store)
    await world.start(business_key="k")
    second = await world.start(business_key="k")
    assert await holder(world) is None
    assert (await store.reads.instance(second.id)).business_key == "k"
    await world.cancel(second)
    await store.close()
