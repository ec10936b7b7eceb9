"""The store exam, jobs: each delivery is handed out once, in order, to whom it belongs."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from rochallor.core import commands as cmd
from rochallor.core.ids import JobRef
from rochallor.core.model import Lease
from rochallor.ports import Backlog, ClaimRequest, Wanted

MIB = 1024 * 1024


async def leases(world, *jobs):
    async with world.store.transaction() as tx:
        return (await tx.load(Wanted(jobs=frozenset(jobs)))).leases


async def claims(world, *requests):
    return await world.store.claim(requests, world.now_ms)


def wish(worker="w", *job_types, max_jobs=10):
    return ClaimRequest(worker, job_types or ("a", "b"), max_jobs, 30_000, f"token-of-{worker}", MIB)


async def test_a_claimed_job_says_everything_a_worker_needs(world):
    """A claim answers with the job's identity, its definition, its lease and the variables."""
    instance = await world.start(variables=b'{"amount": 7}', business_key="order-1", traceparent="00-a-b-01")
    created_ms = world.now_ms
    world.now_ms += 5
    [claimed] = await world.claim("a", lease_ms=1_000, worker="anna")
    assert claimed.job == JobRef(instance.id, 1, 1)
    assert (claimed.job_type, claimed.step_id, claimed.retries_remaining) == ("a", "a", 2)
    assert (claimed.definition_id, claimed.definition_version) == ("straight", 1)
    assert (claimed.business_key, claimed.created_at_ms) == ("order-1", created_ms)
    assert (claimed.ready_at_ms, claimed.traceparent) == (created_ms, "00-a-b-01")
    assert (claimed.locked_at_ms, claimed.lease_expires_at_ms) == (world.now_ms, world.now_ms + 1_000)
    assert (claimed.worker_id, claimed.lease_token, claimed.variables) == ("anna", "token-of-anna", b'{"amount":7}')


async def test_a_transaction_claims_what_it_saves(world):
    """A job that is made there can be locked there, and is so only if the transaction succeeds."""

    async def saved_claimed_and_given_up():
        async with world.store.transaction() as tx:
            await tx.save([world.started()])
            [[_]] = await tx.claim([wish("w", "a")], world.now_ms)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await saved_claimed_and_given_up()
    assert not await world.claim("a")
    async with world.store.transaction() as tx:
        await tx.save([saved := world.started()])
        [[claimed]] = await tx.claim([wish("w", "a")], world.now_ms)
    assert claimed.job.instance_id == saved.after.id
    assert await leases(world, claimed.job) == {claimed.job: Lease("w", "token-of-w", world.now_ms + 30_000)}
    assert not await world.claim("a")


async def test_a_delayed_job_says_since_when_it_could_be_had(world):
    """A retry that had to wait is created at the failure and ready after its delay."""
    await world.start()
    [claimed] = await world.claim("a")
    await world.fail(claimed.job, retry_after_ms=1_000)
    failed_ms, world.now_ms = world.now_ms, world.now_ms + 1_000
    async with world.store.transaction() as tx:
        await tx.ripen(world.now_ms)
    [again] = await world.claim("a")
    assert (again.created_at_ms, again.ready_at_ms, again.traceparent) == (failed_ms, failed_ms + 1_000, None)


async def test_a_job_carries_the_variables_of_the_moment_it_is_claimed(world):
    """Variables are read when the job is handed out, not when it was made."""
    await world.start("wide")
    [first] = await world.claim("a")
    await world.complete(first.job, b'{"late": 1}')
    [second] = await world.claim("b")
    assert second.variables == b'{"late":1}'


async def test_a_claimed_job_is_leased_to_its_holder(world):
    """Loading a claimed job says who holds it, with which token, until when."""
    await world.start()
    [claimed] = await world.claim("a", lease_ms=1_000)
    lease = Lease("w", "token-of-w", world.now_ms + 1_000)
    assert await leases(world, claimed.job) == {claimed.job: lease}


async def test_an_unclaimed_job_has_no_lease(world):
    """A job nobody holds has no lease, nor has a delivery that is not the current one."""
    instance = await world.start()
    assert await leases(world, JobRef(instance.id, 1, 1)) == {}
    await world.claim("a")
    assert await leases(world, JobRef(instance.id, 1, 2)) == {}


async def test_a_job_is_handed_out_once(world):
    """A locked job is not given to the next worker."""
    await world.start()
    assert len(await world.claim("a")) == 1
    assert await world.claim("a", worker="other") == []


async def test_the_oldest_job_comes_first_across_types(world):
    """Jobs of several types come in the order they were made, not type by type."""
    order = []
    for _ in range(2):
        order += [(await world.start("timed")).id, (await world.start("wide")).id]
    jobs = await world.claim("b", "a")
    assert [claimed.job.instance_id for claimed in jobs] == [order[0], order[1], order[1], order[2], order[3], order[3]]


async def test_a_full_queue_of_one_type_does_not_hide_another(world):
    """A request for two types gets the oldest of either, however long one of the queues is."""
    first = await world.start("wide")
    [b_job] = await world.claim("b", max_jobs=1)
    for _ in range(5):
        await world.start()
    await world.fail(b_job.job)
    jobs = await world.claim("a", "b", max_jobs=10)
    assert [claimed.job_type for claimed in jobs] == ["a"] * 6 + ["b"]
    assert jobs[0].job.instance_id == first.id


async def test_no_more_jobs_than_asked_for(world):
    """A request gets at most `max_jobs`; the rest waits for the next one."""
    for _ in range(3):
        await world.start()
    assert len(await world.claim("a", max_jobs=2)) == 2
    assert len(await world.claim("a", max_jobs=2)) == 1


async def test_other_types_stay_untouched(world):
    """A request gets only jobs of its types, none without types, and each once however often it names the type."""
    await world.start()
    assert await claims(world, wish("w", "c", "ab", "A", "a%")) == [[]]
    assert await claims(world, ClaimRequest("w", (), 10, 1, "t", MIB)) == [[]]
    [jobs] = await claims(world, wish("w", "a", "a"))
    assert len(jobs) == 1


async def test_a_request_for_no_jobs_gets_none(world):
    """`max_jobs` 0 claims nothing."""
    await world.start()
    nothing, something = await claims(world, wish("w", max_jobs=0), wish("v", max_jobs=1))
    assert (len(nothing), len(something)) == (0, 1)


async def test_requests_of_one_call_share_without_overlap(world):
    """Many requests at once get different jobs, one each in turn, each locked for its own worker."""
    ids = [(await world.start()).id for _ in range(5)]
    answers = await claims(world, wish("u"), wish("v", max_jobs=1), wish("w"))
    got = [[claimed.job.instance_id for claimed in jobs] for jobs in answers]
    assert got == [[ids[0], ids[3]], [ids[1]], [ids[2], ids[4]]]
    held = await leases(world, *(claimed.job for jobs in answers for claimed in jobs))
    assert {job.instance_id: lease.worker_id for job, lease in held.items()} == dict(zip(ids, "uvwuw", strict=True))


async def test_requests_for_different_types_never_get_the_same_job(world):
    """Requests whose types overlap only in part share nothing either."""
    for _ in range(4):
        await world.start("wide")
    answers = await claims(world, wish("u", "a", max_jobs=3), wish("v", "a", "b", max_jobs=4), wish("w", "b"))
    jobs = [claimed.job for answer in answers for claimed in answer]
    assert len(jobs) == len(set(jobs)) == 8


async def test_a_claim_stops_at_its_bytes(world):
    """A request gets no more variables than allowed; what is left over stays claimable."""
    for _ in range(3):
        await world.start(variables=b'{"text": "' + b"x" * 1000 + b'"}')
    assert len(await world.claim("a", max_bytes=2_500)) == 2
    assert len(await world.claim("a", max_bytes=2_500)) == 1


async def test_a_claim_gives_at_least_one_job(world):
    """A job larger than the byte limit is handed out alone."""
    for _ in range(2):
        await world.start(variables=b'{"text": "' + b"x" * 1000 + b'"}')
    assert len(await world.claim("a", max_bytes=10)) == 1


async def test_a_claim_for_nobody_locks_nothing(world):
    """Without requests there is nothing to hand out, and everything stays."""
    await world.start()
    assert await claims(world) == []
    assert len(await world.claim("a")) == 1


async def test_a_lease_can_be_extended(world):
    """Extending gives the job the new lease."""
    await world.start()
    [claimed] = await world.claim("a")
    longer = Lease("w", "token-of-w", world.now_ms + 99_000)
    async with world.store.transaction() as tx:
        assert await tx.extend(claimed.job, longer)
    assert await leases(world, claimed.job) == {claimed.job: longer}


async def test_what_is_not_locked_is_not_extended(world):
    """A job nobody holds, an old delivery, and a finished job cannot be extended."""
    instance = await world.start()
    job = JobRef(instance.id, 1, 1)
    lease = Lease("w", "t", world.now_ms + 1)
    async with world.store.transaction() as tx:
        assert not await tx.extend(job, lease)
    await world.claim("a")
    async with world.store.transaction() as tx:
        assert not await tx.extend(JobRef(instance.id, 1, 2), lease)
    await world.complete(job)
    async with world.store.transaction() as tx:
        assert not await tx.extend(job, lease)


async def test_a_job_given_back_is_claimed_from_its_old_place(world):
    """It is the same delivery, nobody's, before what came later; and the next to hold it is its only holder."""
    await world.start()
    [first] = await world.claim("a", max_jobs=1)
    for _ in range(2):
        await world.start()
    [second] = await world.claim("a", max_jobs=1)
    assert await world.give_back(second, first) == {"a": 2}
    assert await leases(world, first.job, second.job) == {}
    assert (await world.store.due(world.now_ms + 10**9, 10)).leases == ()
    assert [job.job for job in await world.claim("a", max_jobs=2, worker="other")] == [first.job, second.job]
    assert {lease.worker_id for lease in (await leases(world, first.job, second.job)).values()} == {"other"}


async def test_only_who_holds_a_job_gives_it_back(world):
    """Not who held it before, nor twice, nor when it is done; what is still held is given back all the same."""
    await world.start()
    await world.start("wide")
    [done, mine, kept] = await world.claim("a", "b")
    assert kept.job_type == "b"
    await world.complete(done.job)
    assert await world.give_back(mine) == {"a": 1}
    [again] = await world.claim("a", worker="other")
    assert await world.give_back(done, mine, kept) == {"b": 1}
    assert await leases(world, mine.job) == {again.job: Lease("other", "token-of-other", world.now_ms + 30_000)}


async def test_a_completed_job_is_gone_and_its_successor_there(world):
    """Completing a job takes it out of the queue and queues the next step's."""
    instance = await world.start()
    [claimed] = await world.claim("a")
    await world.complete(claimed.job)
    assert await leases(world, claimed.job) == {}
    assert [job.job for job in await world.claim("a", "b")] == [JobRef(instance.id, 2, 1)]


async def test_a_retried_job_is_a_new_delivery_at_the_tail(world):
    """A failed job queues again behind what waited already, with one retry less, free, and newly created."""
    await world.start()
    [claimed] = await world.claim("a")
    other = await world.start()
    world.now_ms += 5
    await world.fail(claimed.job)
    first, second = await world.claim("a")
    assert first.job.instance_id == other.id
    assert second.job == replace(claimed.job, delivery=2)
    assert (second.retries_remaining, second.created_at_ms) == (1, world.now_ms)


@pytest.mark.parametrize("name", ["straight", "wide"])
async def test_an_ended_instance_leaves_no_job(world, name):
    """When an instance ends, none of its jobs can be claimed, locked or not."""
    instance = await world.start(name)
    await world.claim("b")
    await world.cancel(instance)
    world.now_ms += 10**9
    assert await world.claim("a", "b") == []
    assert (await world.store.due(world.now_ms, 10)).leases == ()


async def test_a_job_made_and_ended_in_one_batch_never_shows(world):
    """A batch that makes a job and closes its step leaves no job behind."""
    first = world.started()
    await world.save(first, world.change(first.after, cmd.CancelInstance(instance_id=first.after.id)))
    assert await world.claim("a") == []


async def test_a_job_replaced_twice_in_one_batch_is_there_once(world):
    """A batch with completion and start leaves exactly the jobs that are open after it."""
    await world.start()
    [claimed] = await world.claim("a")
    async with world.store.transaction() as tx:
        loaded = await tx.load(Wanted(frozenset({claimed.job.instance_id}), frozenset({claimed.job})))
        before = loaded.instances[claimed.job.instance_id]
        fail = cmd.FailJob(instance_id=before.id, job=claimed.job, worker_id="w", retryable=True, message="")
        failed = world.change(before, fail, lease=loaded.leases[claimed.job])
        await tx.save([failed, world.change(failed.after, cmd.CancelInstance(instance_id=before.id))])
    assert await world.claim("a", "b") == []


async def test_the_backlog_counts_what_can_be_claimed(world):
    """The backlog says per type how many jobs are ready and since when; locked and delayed ones are left out."""
    await world.start()
    [claimed] = await world.claim("a")
    await world.fail(claimed.job, retry_after_ms=1_000)
    first_ms = world.now_ms + 10
    for world.now_ms in (first_ms, first_ms + 10):
        await world.start("wide")
    await world.claim("b", max_jobs=1)
    assert await world.store.reads.backlog(world.now_ms) == [Backlog("a", 2, first_ms), Backlog("b", 1, first_ms + 10)]
    world.now_ms += 1_000
    assert [entry.waiting for entry in await world.store.reads.backlog(world.now_ms)] == [3, 1]
