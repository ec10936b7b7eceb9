"""The store exam, time: what is due is found, nothing before its time, and when to look again is known."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from rochallor.core import commands as cmd
from rochallor.core.ids import JobRef
from rochallor.core.model import Lease
from rochallor.ports import Due

TIMER_MS = 10_000


async def ripen(world):
    async with world.store.transaction() as tx:
        return await tx.ripen(world.now_ms)


async def due(world, limit=10):
    return await world.store.due(world.now_ms, limit)


async def test_an_empty_store_plans_nothing(world):
    """Without work nothing is due, now or ever."""
    assert await due(world) == Due()


async def test_a_ready_job_plans_nothing(world):
    """A job that waits for a worker is nothing time has to do with."""
    await world.start()
    assert await due(world) == Due()


@pytest.mark.parametrize("name", ["timed", "approval"])
async def test_a_timer_is_due_at_its_time_and_not_before(world, name):
    """A timer shows as planned until its very millisecond, then as due."""
    instance = await world.start(name)
    at_ms = world.now_ms + TIMER_MS
    world.now_ms = at_ms - 1
    assert await due(world) == Due(next_at_ms=at_ms)
    world.now_ms = at_ms
    assert await due(world) == Due(timers=((instance.id, 1, 0),))


async def test_a_fired_timer_is_gone(world):
    """A timer that fired is not due again."""
    instance = await world.start("approval")
    world.now_ms += TIMER_MS
    await world.do(cmd.FireTimer(instance_id=instance.id, seq=1, index=0))
    assert await due(world) == Due()


async def test_a_closed_step_takes_its_timers_along(world):
    """Completing a step in time leaves no timer, whichever batch scheduled it."""
    await world.start("timed")
    [claimed] = await world.claim("a")
    await world.complete(claimed.job)
    first = world.started("approval")
    await world.save(first, world.change(first.after, cmd.CancelInstance(instance_id=first.after.id)))
    assert await due(world) == Due()


async def test_a_lease_is_due_when_it_has_run_out(world):
    """A lease shows as planned until its end, then as due, and its job is not ready by itself."""
    await world.start()
    [claimed] = await world.claim("a", lease_ms=1_000)
    assert await due(world) == Due(next_at_ms=world.now_ms + 1_000)
    world.now_ms += 1_000
    assert await due(world) == Due(leases=(claimed.job,))
    assert await world.claim("a") == []


async def test_an_extended_lease_is_due_later(world):
    """Extending a lease moves the time it is due."""
    await world.start()
    [claimed] = await world.claim("a", lease_ms=1_000)
    async with world.store.transaction() as tx:
        await tx.extend(claimed.job, Lease("w", "token-of-w", world.now_ms + 5_000))
    world.now_ms += 1_000
    assert await due(world) == Due(next_at_ms=world.now_ms + 4_000)


async def test_an_expired_job_is_delivered_anew(world):
    """A job whose lease ran out is queued as the next delivery, free, at once, with all its retries."""
    instance = await world.start()
    [claimed] = await world.claim("a", lease_ms=1_000)
    world.now_ms += 1_000
    await world.do(cmd.ExpireLease(instance_id=instance.id, job=claimed.job))
    assert await due(world) == Due()
    [again] = await world.claim("a", worker="other")
    assert (again.job, again.retries_remaining) == (replace(claimed.job, delivery=2), claimed.retries_remaining)


async def test_a_delayed_job_waits_until_it_is_ripe(world):
    """A retry with a delay cannot be claimed, plans its time, is ripe then, and ripening makes it claimable."""
    await world.start()
    [claimed] = await world.claim("a")
    await world.fail(claimed.job, retry_after_ms=500)
    assert await world.claim("a") == []
    assert await due(world) == Due(next_at_ms=world.now_ms + 500)
    assert await ripen(world) == []
    world.now_ms += 500
    assert await due(world) == Due(ripe=True)
    assert await ripen(world) == ["a"]
    assert await due(world) == Due()
    assert [job.job for job in await world.claim("a")] == [replace(claimed.job, delivery=2)]


async def test_ripening_names_each_type_once(world):
    """The types of ripe jobs come once each, in order, without those that are not ripe."""
    for _ in range(2):
        await world.start("wide")
    for claimed in await world.claim("a", "b"):
        later = claimed.job == JobRef(claimed.job.instance_id, 3, 1)
        await world.fail(claimed.job, retry_after_ms=2_000 if later else 1_000)
    world.now_ms += 1_000
    assert await ripen(world) == ["a"]
    assert await due(world) == Due(next_at_ms=world.now_ms + 1_000)
    world.now_ms += 1_000
    assert await ripen(world) == ["b"]


async def test_an_ended_instance_leaves_no_delayed_job(world):
    """A retry that waits for its time is gone with its instance."""
    instance = await world.start()
    [claimed] = await world.claim("a")
    await world.fail(claimed.job, retry_after_ms=500)
    await world.cancel(instance)
    assert await due(world) == Due()


async def test_the_oldest_due_come_first_and_the_rest_is_not_forgotten(world):
    """More than `limit` due things come oldest first, and the next look is at once."""
    instances = []
    for _ in range(3):
        instances.append(await world.start("timed"))
        world.now_ms += 1
    world.now_ms += TIMER_MS
    found = await due(world, 2)
    assert found.timers == tuple((instance.id, 1, 0) for instance in instances[:2])
    assert found.next_at_ms == world.now_ms


async def test_the_next_time_is_the_earliest_of_all_kinds(world):
    """Timers, leases and delays are planned together."""
    await world.start("timed")
    await world.claim("a", lease_ms=3_000)
    assert (await due(world)).next_at_ms == world.now_ms + 3_000
    await world.start()
    [claimed] = await world.claim("a", lease_ms=9_000)
    await world.fail(claimed.job, retry_after_ms=100)
    assert (await due(world)).next_at_ms == world.now_ms + 100


async def finished_parent(world, key=None):
    await world.start("chained", business_key=key)
    [claimed] = await world.claim("a")
    return await world.complete(claimed.job)


async def attempts(world, parent_id):
    async with world.store.transaction() as tx:
        return await tx.chain_attempts(parent_id)


async def test_a_completed_parent_asks_for_its_next_workflow_at_once(world):
    """A request for the next workflow is due in the moment it is made, with its target and key, untried."""
    parent = await finished_parent(world, "k")
    assert (await due(world)).chains == ((parent.id, "straight", "k"),)
    assert await attempts(world, parent.id) == 0


async def test_a_postponed_chain_is_due_later_and_counts(world):
    """Putting a chain off plans it anew and counts the attempt."""
    parent = await finished_parent(world)
    async with world.store.transaction() as tx:
        await tx.postpone_chain(parent.id, world.now_ms + 100)
    assert await due(world) == Due(next_at_ms=world.now_ms + 100)
    assert await attempts(world, parent.id) == 1


async def test_hastened_chains_are_due_now(world):
    """Hastening makes chains into these definitions due, and no others."""
    parent = await finished_parent(world)
    async with world.store.transaction() as tx:
        await tx.postpone_chain(parent.id, world.now_ms + 100)
        await tx.hasten_chains({"other"}, world.now_ms)
    assert (await due(world)).chains == ()
    async with world.store.transaction() as tx:
        await tx.hasten_chains({"other", "straight"}, world.now_ms)
    assert (await due(world)).chains == ((parent.id, "straight", None),)


async def test_hastening_never_delays(world):
    """A chain that is due stays due since when it was."""
    parent = await finished_parent(world)
    made_ms = world.now_ms
    async with world.store.transaction() as tx:
        await tx.hasten_chains(["straight"], made_ms + 50)
    assert (await world.store.due(made_ms, 10)).chains == ((parent.id, "straight", None),)


async def test_a_started_child_settles_the_request(world):
    """Once the child is noted, the request is gone."""
    parent = await finished_parent(world)
    await world.do(cmd.LinkChild(instance_id=parent.id, child_instance_id=world.new_id()))
    assert await due(world) == Due()
    assert await attempts(world, parent.id) is None


async def test_postponing_what_is_not_there_is_nothing(world):
    """A chain settled meanwhile cannot be put off, and that is no error."""
    async with world.store.transaction() as tx:
        await tx.postpone_chain(world.new_id(), world.now_ms)
    assert await due(world) == Due()
