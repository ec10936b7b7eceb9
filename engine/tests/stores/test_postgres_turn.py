"""Turns at the writer: most of what a busy engine does is one statement, without BEGIN, and all or nothing."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from rochallor.core import commands as cmd
from rochallor.core.errors import Unavailable
from rochallor.core.ids import JobRef
from rochallor.core.model import Lease
from rochallor.core.variables import parse_variables
from rochallor.ports import ClaimRequest, StoreConflict, Wanted
from rochallor.stores.postgres import PostgresStore


class Overheard:
    """A connection whose statements are written down by their first word; it can die once it has done one."""

    def __init__(self, connection):
        self.connection, self.words, self.dying = connection, [], False

    def __getattr__(self, name):
        return getattr(self.connection, name)

    async def asked(self, how, statement, arguments):
        self.words.append(statement.split()[0])
        answer = await getattr(self.connection, how)(statement, *arguments)
        if self.dying:
            self.connection.terminate()
            raise asyncpg.ConnectionDoesNotExistError("the connection was lost")
        return answer

    async def execute(self, statement, *arguments, **_options):
        return await self.asked("execute", statement, arguments)

    async def fetch(self, statement, *arguments):
        return await self.asked("fetch", statement, arguments)

    async def fetchval(self, statement, *arguments):
        return await self.asked("fetchval", statement, arguments)


@pytest.fixture
async def world(postgres_worlds):
    """Its store has no connection to spare for claims."""
    return await postgres_worlds(4)


@pytest.fixture
async def overheard(world):
    """What is said on the world's writer connection."""
    line = world.store._writer.line
    line._connection = Overheard(await line.get())
    return line._connection


def done(world, instance, claimed):
    """Return the change that a completion makes."""
    command = cmd.CompleteJob(
        instance_id=claimed.job.instance_id, job=claimed.job, worker_id="w", variables=parse_variables(b"{}")
    )
    lease = Lease(claimed.worker_id, claimed.lease_token, claimed.lease_expires_at_ms)
    return world.change(instance, command, lease=lease)


async def test_a_start_a_claim_and_a_report_are_one_statement_each(world, overheard):
    """None of them begins a transaction, whatever rows it writes."""
    await world.start()
    overheard.words.clear()
    other = await world.start()
    first, last = await world.claim("a")
    await world.save(done(world, other, last))
    assert overheard.words == ["WITH", "WITH", "WITH"]
    assert [claimed.job.instance_id for claimed in await world.claim("b")] == [other.id]
    assert first.job.instance_id != other.id


async def test_keys_timers_and_user_tasks_are_in_the_same_statement(world, overheard):
    """A batch of all kinds of steps is no slower than one of jobs alone."""
    await world.start()
    overheard.words.clear()
    keyed, timed, task = world.started(business_key="order-1"), world.started("timed"), world.started("approval")
    await world.save(keyed, timed, task)
    ended = [world.change(change.after, cmd.CancelInstance(instance_id=change.after.id)) for change in (keyed, timed)]
    await world.save(*ended, world.started())
    assert overheard.words == ["WITH", "WITH"]
    due = await world.store.due(world.now_ms + 10**9, 10)
    assert [timer[0] for timer in due.timers] == [task.after.id]


async def test_what_comes_at_the_place_of_what_goes_waits_for_it(world, overheard):
    """All parts of one statement see the tables as they were: a key that changes hands takes two, in a transaction."""
    holder = await world.start(business_key="order-1")
    overheard.words.clear()
    heir = world.started(business_key="order-1")
    await world.save(world.change(holder, cmd.CancelInstance(instance_id=holder.id)), heir)
    assert overheard.words == ["BEGIN", "WITH", "WITH", "COMMIT"]
    [kept] = await stored(world, heir.after.id)
    assert kept.keys == (("straight", "order-1"),)


async def test_the_writer_keeps_its_plans(world, overheard):
    """A claim that was planned anew each time would cost the database four times as much."""
    for _ in range(8):
        instance = await world.start()
        [claimed] = await world.claim("a")
        await world.save(done(world, instance, claimed))
    plans = "SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements WHERE statement LIKE 'WITH%'"
    [(kept, anew)] = await overheard.connection.fetch(plans)
    assert kept >= 3 * 8
    assert anew == 0


async def test_the_newest_version_is_read_once_and_then_checked_by_the_start(world, overheard):
    """Nothing else has to be read for most starts, so they are one statement."""
    await world.upload("straight")
    for words in (["SELECT", "WITH"], ["WITH"]):
        overheard.words.clear()
        async with world.store.transaction() as tx:
            assert (await tx.load(Wanted(latest=frozenset({"straight"})))).latest == {"straight": 1}
            await tx.save([world.started()], last=True)
        assert overheard.words == words


async def test_a_key_is_looked_up_without_a_transaction(world, overheard):
    """Who takes it at the same moment is found out by the write."""
    await world.start()
    overheard.words.clear()
    async with world.store.transaction() as tx:
        assert (await tx.load(Wanted(keys=frozenset({("straight", "k")})))).keys == {}
        await tx.save([world.started(business_key="k")], last=True)
    assert overheard.words == ["SELECT", "WITH"]


async def test_a_definition_that_is_not_there_is_looked_for_every_time(world, overheard):
    """Another engine may have it by now."""
    await world.start()
    overheard.words.clear()
    for _ in range(2):
        async with world.store.transaction() as tx:
            assert (await tx.load(Wanted(latest=frozenset({"nowhere"})))).latest == {}
    assert overheard.words == ["SELECT", "SELECT"]


async def test_what_a_report_is_about_is_read_without_a_transaction(world, overheard):
    """So a report of a job that another engine gave away is two statements."""
    instance = await world.start()
    [claimed] = await world.claim("a")
    overheard.words.clear()
    async with world.store.transaction() as tx:
        loaded = await tx.load(Wanted(reported=frozenset({claimed.job})))
        assert loaded.instances == {instance.id: instance}
        await tx.save([done(world, instance, claimed)], last=True)
    assert overheard.words == ["SELECT", "WITH"]


async def test_claims_for_different_types_are_one_transaction(world, overheard):
    """Polls for other types are other statements; all of them hold, or none."""
    await world.start()
    requests = [ClaimRequest("w", (name,), 1, 1_000, f"token-{name}", 1_000) for name in ("a", "b")]
    overheard.words.clear()
    assert [len(jobs) for jobs in await world.store.claim(requests, world.now_ms)] == [1, 0]
    assert overheard.words == ["BEGIN", "WITH", "WITH", "COMMIT"]


async def test_after_a_silence_even_one_statement_begins_a_transaction(world, overheard, monkeypatch):
    """That is how a connection that died meanwhile is found before anything is at stake."""
    await world.start()
    monkeypatch.setattr("rochallor.stores.postgres.turn.FRESH_S", 0)
    overheard.words.clear()
    assert await world.claim("a")
    assert overheard.words == ["BEGIN", "WITH", "COMMIT"]


@pytest.mark.parametrize("lost", ["behind", "ahead"])
async def test_a_lost_race_leaves_nothing_of_the_batch(world, overheard, lost):
    """A change of an instance that is not where it was thought to be undoes its batch-mates; nobody could roll back."""
    instances = [await world.start() for _ in range(2)]
    first, mate = map(done, (world, world), instances, await world.claim("a"))
    if lost == "behind":
        await world.save(first)
        stray = first
    else:
        stray = world.change(first.after, cmd.CancelInstance(instance_id=first.after.id))
    before = [await stored(world, instance.id) for instance in instances]
    overheard.words.clear()
    with pytest.raises(StoreConflict, match="revision"):
        await world.save(mate, stray)
    assert overheard.words == ["WITH"]
    assert [await stored(world, instance.id) for instance in instances] == before
    await world.save(mate)


async def stored(world, instance_id):
    """Return an instance, its history and its jobs, as they are stored."""
    return await world.store.reads.dossiers([instance_id])


async def test_an_answer_that_is_lost_leaves_open_what_became_of_it(world, overheard):
    """The caller is told to repeat; what is committed stays, and the same change cannot be made twice."""
    instance = await world.start()
    [claimed] = await world.claim("a")
    change = done(world, instance, claimed)
    overheard.dying = True
    with pytest.raises(Unavailable):
        await world.save(change)
    assert await world.store.reads.instance(change.after.id) == change.after
    with pytest.raises(StoreConflict):
        await world.save(change)


async def test_heavy_jobs_are_leased_to_those_who_get_them(world):
    """What a claim took and cannot hand out is ready again; the rest is leased to whom it was given."""
    for _ in range(6):
        await world.start(variables=b'{"text": "' + b"x" * 1_000 + b'"}')
    requests = [ClaimRequest(name, ("a",), 3, 1_000, f"token-{name}", 2_500) for name in ("anna", "bob")]
    handed = await world.store.claim(requests, world.now_ms)
    assert [len(jobs) for jobs in handed] == [2, 2]
    leases = await world.store.reads.leases([claimed.job for jobs in handed for claimed in jobs])
    assert {claimed.job: claimed.lease_token for jobs in handed for claimed in jobs} == {
        job: lease.token for job, lease in leases.items()
    }
    assert len(await world.claim("a")) == 2


async def test_a_lease_that_somebody_else_has_by_now_stays_theirs(world, overheard):
    """Between a claim's two statements another engine may have let its leases run out and given the jobs away."""
    for _ in range(3):
        await world.start(variables=b'{"text": "' + b"x" * 1_000 + b'"}')

    async def interfere(how, statement, arguments, asked=overheard.asked):
        if statement.startswith("UPDATE job"):
            await overheard.connection.execute("UPDATE job SET worker_id = 'other', lease_token = 'theirs'")
        return await asked(how, statement, arguments)

    overheard.asked = interfere
    await world.claim("a", max_bytes=1_500)
    overheard.connection.terminate()
    jobs = await world.store.reads.rows("due_leases", world.now_ms + 60_000, 10)
    leases = await world.store.reads.leases([JobRef(*row) for row in jobs])
    assert {lease.token for lease in leases.values()} == {"theirs"}
    assert len(leases) == 3


@pytest.fixture
async def roomy(postgres_worlds):
    """Its store has one."""
    return await postgres_worlds(5)


async def test_claims_go_on_while_a_transaction_is_open(roomy):
    """They have a connection of their own, and take what is committed."""
    instance = await roomy.start()
    async with roomy.store.transaction() as tx:
        await tx.save([roomy.started()])
        assert [claimed.job.instance_id for claimed in await roomy.claim("a")] == [instance.id]
    assert len(await roomy.claim("a")) == 1


async def test_without_a_connection_to_spare_claims_wait_for_the_transaction(world):
    """Four connections are one that writes and claims, the signals', the keeper's, and a reader."""
    assert not world.store.claims_apart
    async with world.store.transaction() as tx:
        await tx.save([world.started()])
        claim = asyncio.create_task(world.claim("a"))
        await world.store.ping()
        assert not claim.done()
    assert len(await claim) == 1


@pytest.mark.parametrize(("most", "apart"), [(1, False), (4, False), (5, True), (8, True)])
async def test_an_engine_takes_no_more_connections_than_it_may(postgres_database, most, apart):
    """Four are the least that it needs."""
    store = PostgresStore(postgres_database, max_conns=most, min_conns=most)
    await store.open()
    try:
        async with store.transaction() as tx:
            mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'rochallor %' AND datname = $1"
            connection = await tx._turn.within()
            taken = await connection.fetchval(mine, await connection.fetchval("SELECT current_database()"))
    finally:
        await store.close()
    assert store.claims_apart is apart
    assert taken == max(most, 4)


async def test_a_dead_claimer_costs_a_claim_and_is_replaced(roomy):
    """Commands beside it hear nothing. What it has claimed stays so until the lease runs out: nobody knows of it."""
    assert not await roomy.claim("a")
    await roomy.start()
    line = roomy.store._claimer.line
    line._connection = Overheard(await line.get())
    line._connection.dying = True
    with pytest.raises(Unavailable):
        await roomy.claim("a")
    later = await roomy.start()
    assert [claimed.job.instance_id for claimed in await roomy.claim("a")] == [later.id]
