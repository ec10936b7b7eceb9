"""The store exam, dossiers: everything about an instance at once, for whoever checks it."""

from __future__ import annotations

from rochallor.core import commands as cmd
from rochallor.ports import Dossier, JobEntry


async def dossier(world, instance):
    [found] = await world.store.reads.dossiers([instance.id])
    return found


async def test_a_dossier_holds_all_rows_of_an_instance(world):
    """State, history, jobs, timers, tasks and key come together; what others own stays out."""
    await world.start("wide", business_key="other")
    instance = await world.start("wide", b'{"n": 1}', business_key="k")
    history = await world.store.reads.history(instance.id)
    assert await dossier(world, instance) == Dossier(
        instance=instance,
        listed=("WAITING", 1),
        history=tuple(history),
        jobs=(JobEntry(2, 1, "a", 1, world.now_ms, None), JobEntry(3, 1, "b", 1, world.now_ms, None)),
        tasks=((4, "OPEN"),),
        keys=(("wide", "k"),),
    )


async def test_a_dossier_says_until_when_a_job_is_leased(world):
    """A locked job shows the end of its lease."""
    instance = await world.start()
    await world.claim("a", lease_ms=5_000)
    assert (await dossier(world, instance)).jobs == (JobEntry(1, 1, "a", 2, world.now_ms, world.now_ms + 5_000),)


async def test_a_dossier_shows_timers(world):
    """A timer comes with its step execution, its place in the definition and its time."""
    assert (await dossier(world, await world.start("timed"))).timers == ((1, 0, world.now_ms + 10_000),)


async def test_a_dossier_of_what_has_ended_has_closed_tasks_and_nothing_else(world):
    """A cancelled instance keeps its history and its tasks; jobs, timers and key are gone."""
    instance = await world.cancel(await world.start("wide", business_key="k"))
    found = await dossier(world, instance)
    assert found[3:] == ((), (), ((4, "CANCELLED"),), (), ())
    assert found.listed == ("CANCELLED", 2)
    assert len(found.history) == 2


async def test_a_dossier_shows_a_chain_that_waits(world):
    """A completed parent shows which workflow it asks for, with its key, until that is started."""
    instance = await world.start("chained", business_key="k")
    [job] = await world.claim("a")
    await world.complete(job.job)
    assert (await dossier(world, instance)).chains == (("straight", "k"),)
    await world.do(cmd.LinkChild(instance_id=instance.id, child_instance_id="child"))
    assert (await dossier(world, instance)).chains == ()


async def test_dossiers_come_by_id_and_leave_out_who_is_unknown(world):
    """Asking for several gives those that exist, in the order of ids."""
    first, second = await world.start(), await world.start()
    found = await world.store.reads.dossiers([second.id, "nobody", first.id])
    assert [entry.instance.id for entry in found] == [first.id, second.id]


async def test_a_sound_store_has_no_strays(world):
    """Every row belongs to an instance, whatever has become of it."""
    await world.cancel(await world.start("wide", business_key="k"))
    await world.start("timed", business_key="k")
    assert await world.store.reads.strays(10) == []
