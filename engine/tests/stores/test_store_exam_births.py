"""The store exam, jobs made for who waits: leased by the transaction that makes them, and else like any other."""

from __future__ import annotations

import pytest
from msgspec.structs import asdict, replace
from rochallor.core import commands as cmd
from rochallor.core.model import Lease
from rochallor.ports import ClaimRequest, Wanted

MIB = 1024 * 1024


def wish(worker="w", *job_types, max_jobs=10, max_bytes=MIB):
    return ClaimRequest(worker, job_types or ("a", "b"), max_jobs, 30_000, f"token-of-{worker}", max_bytes)


async def made(world, changes, *waiting):
    """Return what each request gets of the jobs that the changes make."""
    async with world.store.transaction() as tx:
        return await tx.save(changes, last=True, waiting=waiting, now_ms=world.now_ms)


async def test_a_job_is_told_as_a_claim_would_tell_it(world):
    """Whoever gets it sees no difference."""
    start = world.started("wide", b'{"amount": 7}', business_key="order-1", traceparent="00-a-b-01")
    [[given]] = await made(world, [start], wish("anna", "a"))
    twin = world.started("wide", b'{"amount": 7}', business_key="order-2", traceparent="00-a-b-01")
    await world.save(twin)
    [[claimed]] = await world.store.claim([wish("anna", "a")], world.now_ms)
    different = {"job": replace(claimed.job, instance_id=start.after.id), "business_key": "order-1"}
    assert asdict(given) | {"instance": None} == asdict(claimed) | different | {"instance": None}
    assert (given.instance(), claimed.instance()) == (start.after, twin.after)


async def test_it_is_leased_and_nobody_else_gets_it(world):
    """It is somebody's from the first moment, until the lease has run out."""
    [[given]] = await made(world, [world.started()], wish("anna", "a"))
    lease = Lease("anna", "token-of-anna", world.now_ms + 30_000)
    async with world.store.transaction() as tx:
        assert (await tx.load(Wanted(jobs=frozenset({given.job})))).leases == {given.job: lease}
    assert not await world.claim("a")
    assert await world.store.reads.backlog(world.now_ms) == []
    assert (await world.store.due(world.now_ms, 10)).next_at_ms == lease.expires_at_ms
    assert (await world.store.due(lease.expires_at_ms, 10)).leases == (given.job,)
    await world.complete(given.job, worker="anna")
    assert [claimed.job.seq for claimed in await world.claim("b")] == [2]


async def test_what_is_not_committed_was_given_to_nobody(world):
    """A transaction that fails leaves neither the job nor its lease."""

    async def given_up():
        async with world.store.transaction() as tx:
            [[_]] = await tx.save([world.started()], waiting=[wish()], now_ms=world.now_ms)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await given_up()
    assert not await world.claim("a")
    assert (await world.store.due(world.now_ms + 10**9, 10)).leases == ()


async def test_requests_are_served_in_turn_and_what_is_left_is_queued(world):
    """One each, as many as each wants; the rest goes to whoever comes."""
    changes = [world.started() for _ in range(5)]
    ids = [change.after.id for change in changes]
    given = await made(world, changes, wish("anna", "a", max_jobs=1), wish("bob", "a", max_jobs=2))
    assert [[job.job.instance_id for job in jobs] for jobs in given] == [[ids[0]], [ids[1], ids[2]]]
    assert [claimed.job.instance_id for claimed in await world.claim("a")] == ids[3:]


async def test_every_request_gets_its_own_types(world):
    """No job goes to two, and none to whom it is nothing."""
    given = await made(world, [world.started("wide")], wish("anna", "b"), wish("bob", "a", "b"), wish("carl", "c"))
    assert [[job.job_type for job in jobs] for jobs in given] == [["b"], ["a"], []]


async def test_a_request_gets_no_more_than_its_bytes_beyond_one_job(world):
    """As with a claim."""
    changes = [world.started(variables=b'{"text": "' + b"x" * 1_000 + b'"}') for _ in range(4)]
    given = await made(world, changes, wish("anna", "a", max_bytes=2_500), wish("bob", "a", max_bytes=10))
    assert [len(jobs) for jobs in given] == [2, 1]
    assert len(await world.claim("a")) == 1


async def test_a_job_that_has_to_wait_is_given_to_nobody(world):
    """A retry is delivered when its time has come."""
    instance = await world.start()
    [claimed] = await world.claim("a")
    failed = failure(world, instance, claimed, retry_after_ms=1_000)
    assert await made(world, [failed], wish()) == [[]]
    assert not await world.claim("a")
    world.now_ms += 1_000
    async with world.store.transaction() as tx:
        assert await tx.ripen(world.now_ms) == ["a"]
    assert [again.job.delivery for again in await world.claim("a")] == [2]


async def test_a_retry_is_given_at_once_at_the_place_of_the_job_that_failed(world):
    """The old delivery goes and the new one comes in one transaction."""
    instance = await world.start()
    [claimed] = await world.claim("a")
    [[again]] = await made(world, [failure(world, instance, claimed, retry_after_ms=0)], wish("anna"))
    assert (again.job, again.worker_id) == (replace(claimed.job, delivery=2), "anna")
    assert await world.store.reads.leases([claimed.job, again.job]) == {
        again.job: Lease("anna", "token-of-anna", world.now_ms + 30_000)
    }


async def test_a_job_made_and_ended_in_one_batch_is_given_to_nobody(world):
    """There is nothing left to be done."""
    first = world.started()
    end = world.change(first.after, cmd.CancelInstance(instance_id=first.after.id))
    assert await made(world, [first, end], wish()) == [[]]


async def test_a_job_comes_with_its_instance_after_the_whole_batch(world):
    """Two branches are tried again in one batch; the first one's job knows of the second."""
    instance = await world.start("wide", b'{"n": 1}')
    reports = []
    for claimed in await world.claim("a", "b"):
        fields = {"instance_id": instance.id, "job": claimed.job, "worker_id": "w"}
        command = cmd.FailJob(**fields, retryable=True, message="", retry_after_ms=0)
        reports.append(world.change(instance, command, lease=Lease("w", claimed.lease_token, 0)))
        instance = reports[-1].after
    [given] = await made(world, reports, wish())
    assert [job.revision for job in given] == [instance.revision] * 2
    assert [job.instance() for job in given] == [instance] * 2


def failure(world, instance, claimed, retry_after_ms):
    """Return the change that a failed report makes."""
    command = cmd.FailJob(
        instance_id=instance.id,
        job=claimed.job,
        worker_id="w",
        retryable=True,
        message="no luck",
        retry_after_ms=retry_after_ms,
    )
    return world.change(instance, command, lease=Lease("w", claimed.lease_token, claimed.lease_expires_at_ms))
