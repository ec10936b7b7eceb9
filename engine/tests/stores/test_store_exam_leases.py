"""The store exam, leases as people see them: who holds a job now."""

from __future__ import annotations

from rochallor.core.ids import JobRef
from rochallor.core.model import Lease


async def test_a_held_job_can_be_seen_with_its_holder(world):
    """Of the jobs asked for, those that are locked come with their lease."""
    held, free = await world.start(), await world.start()
    [claimed] = await world.claim("a", max_jobs=1, worker="anna", lease_ms=1_000)
    assert claimed.job.instance_id == held.id
    asked = [claimed.job, JobRef(free.id, 1, 1), JobRef(held.id, 1, 2), JobRef("nobody", 1, 1)]
    lease = Lease("anna", "token-of-anna", world.now_ms + 1_000)
    assert await world.store.reads.leases(asked) == {claimed.job: lease}


async def test_no_job_is_held_when_none_is_asked_for(world):
    """Asking for nothing is answered with nothing."""
    assert await world.store.reads.leases([]) == {}
