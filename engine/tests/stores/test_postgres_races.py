"""Two stores on one database: what one holds the other cannot take, and neither waits for ever."""

from __future__ import annotations

import asyncio

import pytest
from rochallor.core import commands as cmd
from rochallor.ports import ClaimRequest, InstanceFilter, StoreConflict, StoredDefinition, Wanted
from rochallor.stores.postgres import PostgresStore


@pytest.fixture
async def pair(postgres_database, world_over):
    """Two worlds over two stores on one database, with ids that cannot meet."""
    stores = [PostgresStore(postgres_database, max_conns=4) for _ in range(2)]
    for store in stores:
        await store.open()
    one, two = (world_over(store) for store in stores)
    two._ids = iter(range(1_000_000, 2_000_000))
    yield one, two
    for store in stores:
        await store.close()


async def test_racing_claims_give_every_job_once(pair):
    """Two engines that empty one queue together, claim against claim, hand out each job exactly once."""
    one, two = pair
    await one.save(*(one.started() for _ in range(200)))
    first, second = [], []
    while True:
        claims = await asyncio.gather(one.claim("a", max_jobs=7, worker="w1"), two.claim("a", max_jobs=7, worker="w2"))
        if not any(claims):
            break
        for jobs, claimed in zip((first, second), claims, strict=True):
            jobs += [entry.job for entry in claimed]
    assert len(first) + len(second) == len(set(first) | set(second)) == 200
    assert first
    assert second


async def test_claim_passes_over_what_another_is_taking(pair):
    """A claim does not wait for another engine's transaction: it takes the next jobs."""
    one, two = pair
    started = [await one.start() for _ in range(3)]
    async with one.store._writer.turn() as turn:
        await (await turn.within()).execute("SELECT 1 FROM job WHERE instance_id = $1 FOR UPDATE", started[0].id)
        jobs = await two.claim("a")
    assert [claimed.job.instance_id for claimed in jobs] == [instance.id for instance in started[1:]]


async def test_instance_is_changed_by_one_engine_at_a_time(pair):
    """Who wants an instance that another engine has loaded waits, and then sees what that one made of it."""
    one, two = pair
    instance = await one.start()
    wanted = Wanted(instances=frozenset({instance.id}))

    async def load_at_two():
        async with two.store.transaction() as tx:
            return (await tx.load(wanted)).instances[instance.id]

    async with one.store.transaction() as tx:
        loaded = await tx.load(wanted)
        waiting = asyncio.create_task(load_at_two())
        change = one.change(loaded.instances[instance.id], cmd.CancelInstance(instance_id=instance.id))
        await tx.save([change])
        assert not waiting.done()
    assert await waiting == change.after


async def test_what_a_report_is_about_is_read_past_a_lock_and_refused_at_the_write(pair):
    """Nobody waits for whoever holds the instance; what was made of the state before that one's is not saved."""
    one, two = pair
    instance = await one.start()
    [claimed] = await one.claim("a")
    async with one.store.transaction() as tx:
        loaded = await tx.load(Wanted(instances=frozenset({instance.id})))
        await tx.save([one.change(loaded.instances[instance.id], cmd.CancelInstance(instance_id=instance.id))])
        async with asyncio.timeout(5), two.store.transaction() as other:
            seen = await other.load(Wanted(reported=frozenset({claimed.job})))
    assert seen.instances == {instance.id: instance}
    late = two.change(seen.instances[instance.id], cmd.CancelInstance(instance_id=instance.id))
    with pytest.raises(StoreConflict, match="revision"):
        await two.save(late)


async def test_what_a_transaction_has_relied_on_is_checked_whatever_else_it_reads(pair):
    """A second look, at a key, does not make it forget that."""
    one, _ = pair
    await one.upload("straight")
    wanted = Wanted(latest=frozenset({"straight"}))
    for _ in range(2):  # the first has to read it
        async with one.store.transaction() as tx:
            await tx.load(wanted)
            await tx.load(Wanted(keys=frozenset({("straight", "k")})))
    assert tx.relied_on == {"straight": 1}


async def test_start_of_a_version_that_is_the_newest_no_more_is_refused(pair):
    """It was taken for the newest from memory; then it is read, and the start made again is the newest's."""
    one, two = pair
    await one.upload("straight")
    wanted = Wanted(latest=frozenset({"straight"}))

    async def start():
        async with one.store.transaction() as tx:
            newest = (await tx.load(wanted)).latest
            await tx.save([change := one.started()], last=True)
        return newest["straight"], change.after.id

    assert (await start())[0] == 1
    await two.upload("straight", version=2)
    with pytest.raises(StoreConflict, match="newest version"):
        await start()
    assert [(await start())[0] for _ in range(2)] == [2, 2]
    await one.upload("straight", version=3)
    assert (await start())[0] == 3
    assert len((await one.store.reads.instances(InstanceFilter(), 10, 0))[0]) == 4


async def test_start_of_a_version_that_was_lost_is_refused(pair):
    """A database that takes over may not have the last upload; nothing must hang on a version that is not there."""
    one, _ = pair
    await one.upload("straight")
    await one.upload("straight", version=2)
    wanted = Wanted(latest=frozenset({"straight"}))

    async def start():
        async with one.store.transaction() as tx:
            newest = (await tx.load(wanted)).latest
            await tx.save([one.started()], last=True)
        return newest

    assert await start() == {"straight": 2}
    async with one.store._writer.turn() as turn:
        await (await turn.within()).execute("DELETE FROM definition WHERE version = 2")
    with pytest.raises(StoreConflict, match="newest version"):
        await start()
    assert await start() == {"straight": 1}


async def test_many_instances_wanted_by_both_end_in_no_deadlock(pair):
    """Two engines that load the same instances again and again always get their turn."""
    one, two = pair
    ids = [(await one.start()).id for _ in range(20)]

    async def load_often(world, order):
        for _ in range(10):
            async with world.store.transaction() as tx:
                await tx.load(Wanted(instances=frozenset(order)))

    await asyncio.gather(load_often(one, ids), load_often(two, ids[::-1]))


async def test_business_key_is_taken_once(pair):
    """Of two engines that give one key away at the same moment, one is refused."""
    outcomes = await asyncio.gather(*(world.start(business_key="k") for world in pair), return_exceptions=True)
    assert sorted(isinstance(outcome, StoreConflict) for outcome in outcomes) == [False, True]


async def test_uploads_of_one_id_take_turns(pair):
    """Ten uploads of one id through two engines get ten versions."""

    async def upload(world):
        async with world.store.transaction() as tx:
            latest = await tx.latest_definition("flow")
            version = latest.version + 1 if latest else 1
            await tx.insert_definition(StoredDefinition("flow", version, "", "", b"{}", 0))
        return version

    versions = await asyncio.gather(*(upload(pair[number % 2]) for number in range(10)))
    assert sorted(versions) == list(range(1, 11))


async def test_older_job_that_another_engine_frees_is_found(pair):
    """A claim that starts behind the last claimed job still finds an older one that has become ready since."""
    one, two = pair
    delayed, fresh = await one.start(), await one.start()
    [first, _] = await one.claim("a")
    await one.fail(first.job, retry_after_ms=1_000)
    third = await one.start()
    [claimed] = await one.claim("a")
    assert claimed.job.instance_id == third.id
    one.now_ms = two.now_ms = one.now_ms + 1_000
    async with two.store.transaction() as tx:
        await tx.ripen(two.now_ms)
    [older] = await one.claim("a")
    assert older.job.instance_id == delayed.id != fresh.id


async def test_both_ripen_together(pair):
    """Delayed jobs that two engines find ripe at once become ready once."""
    one, two = pair
    for _ in range(20):
        await one.start()
    for claimed in await one.claim("a", max_jobs=20):
        await one.fail(claimed.job, retry_after_ms=10)

    async def ripen(world):
        async with world.store.transaction() as tx:
            return await tx.ripen(one.now_ms + 10)

    ripe = await asyncio.gather(ripen(one), ripen(two))
    assert sorted(ripe) == [[], ["a"]]
    assert len(await two.claim("a", max_jobs=50)) == 20


async def test_one_vacuum_at_a_time(pair):
    """An engine leaves the vacuum to another that is at it."""
    one, two = (world.store._keeper for world in pair)
    holder = await one._line.get()
    await holder.fetchval("SELECT pg_advisory_lock(1382376301, 2)")
    assert not await two.vacuum()
    await holder.fetchval("SELECT pg_advisory_unlock(1382376301, 2)")
    assert await two.vacuum()


async def test_engines_agree_on_the_time(pair):
    """The clocks of two stores show the database's time, whatever their hosts' clocks show."""
    one, two = (world.store for world in pair)
    two.clock._offset_ms += 3_600_000
    await two.clock.measure(await two._keeper._line.get())
    assert abs(one.clock.now_ms() - two.clock.now_ms()) < 100


class Followed:
    """A connection after whose fetches something is done with their rows."""

    def __init__(self, connection, after):
        self._connection = connection
        self._after = after

    def __getattr__(self, name):
        return getattr(self._connection, name)

    async def fetch(self, *arguments):
        rows = await self._connection.fetch(*arguments)
        await self._after(rows)
        return rows


async def test_a_claim_reads_no_more_variables_than_it_hands_out(pair):
    """However many heavy jobs a poll could have, only those that fit into its answer leave the database."""
    world, _ = pair
    for _ in range(20):
        await world.start(variables=b'{"text": "' + b"x" * 10_000 + b'"}')
    read = []

    async def look(rows):
        read.extend(len(value) for row in rows for value in row if isinstance(value, bytes))

    writer = world.store._writer.line
    writer._connection = Followed(await writer.get(), look)
    [jobs] = await world.store.claim([ClaimRequest("w", ("a", "b"), 20, 1_000, "token", 25_000)], world.now_ms)
    assert len(jobs) == 2
    assert len(read) == 2


async def test_a_page_and_its_total_are_of_one_moment(pair, monkeypatch):
    """A commit between the two questions is in neither, or a page could have fewer instances than its total."""
    one, two = pair
    await one.start()
    once = one.store.reads._once

    async def interrupt(_rows):
        await two.start()

    monkeypatch.setattr(
        one.store.reads, "_once", lambda read: once(lambda connection: read(Followed(connection, interrupt)))
    )
    found, total = await one.store.reads.instances(InstanceFilter(), 10, 0)
    assert (len(found), total) == (1, 1)
    assert (await two.store.reads.instances(InstanceFilter(), 10, 0))[1] == 3
