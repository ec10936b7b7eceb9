"""What this engine knows without asking: the leases it has handed out, and their instances as it last saw them.

A report about a job usually comes to the engine that gave the job away, a moment later; then nothing has to be read.
What is known may be old, because other engines share the store. That does no harm, for two reasons. A change made from
it is refused by the store unless the revision still fits, and is then decided again on what is stored. And an instance
is known at least as of the claim of each lease that is known with it, and nobody else ever holds that delivery: so a
report that comes to nothing here would come to nothing there as well. (Somebody else may get a delivery that was given
back; so that is forgotten here first.)

What would break it: answering any other question from here, or keeping a lease without a state as new as its claim.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import msgspec

from rochallor.core.ids import JobRef
from rochallor.core.model import Instance, Lease
from rochallor.core.variables import size_of
from rochallor.ports import Change, ClaimedJob

MOST_BYTES = 32 * 1024 * 1024
_BESIDE_VARIABLES = 2_048
"""About what an instance takes in memory beside its variables' JSON."""


class Known(msgspec.Struct, frozen=True):
    """An instance in flight and leases of its open jobs, one at least. Nobody else holds a delivery leased once."""

    revision: int
    instance: Callable[[], Instance]
    leases: dict[JobRef, Lease]
    size: int


class Memory:
    """The instances of the jobs handed out last, up to about `limit_bytes` of them."""

    def __init__(self, limit_bytes: int = MOST_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._relied_on: set[str] = set()

    def names(self) -> list[str]:
        """Return the ids of what is known, the longest unseen first."""
        return list(self._known)

    def recall(self, job: JobRef) -> tuple[Instance, Lease] | None:
        """Return a job's instance and lease if both are known."""
        known = self._known.get(job.instance_id)
        lease = known.leases.get(job) if known else None
        if known is None or lease is None:
            return None
        self._known.move_to_end(job.instance_id)
        self._relied_on.add(job.instance_id)
        return known.instance(), lease

    def committed(self, changes: Sequence[Change]) -> None:
        """Remember what a batch left behind of instances that still have jobs out; the next claim tells the rest."""
        self._relied_on.clear()
        for after in {change.after.id: change.after for change in changes}.values():
            before = self._forget(after.id)
            leases = before.leases if before else {}
            still = {job: lease for job, lease in leases.items() if _is_open(after, job)}
            if still:
                self._add(after.id, Known(after.revision, partial(_itself, after), still, size_of(after.variables)))

    def claimed(self, claimed: Iterable[Iterable[ClaimedJob]]) -> None:
        """Remember what was handed out."""
        for jobs in claimed:
            for job in jobs:
                self._leased(job)

    def _leased(self, job: ClaimedJob) -> None:
        known = self._known.get(job.job.instance_id)
        lease = Lease(job.worker_id, job.lease_token, job.lease_expires_at_ms)
        if known is not None and known.revision >= job.revision:
            known.leases[job.job] = lease
            return
        leases = known.leases if known else {}
        self._forget(job.job.instance_id)
        fresh = Known(job.revision, job.instance, {**leases, job.job: lease}, len(job.variables))
        self._add(job.job.instance_id, fresh)

    def given_back(self, jobs: Iterable[ClaimedJob]) -> None:
        """Forget leases of which nobody has heard: others may get these deliveries."""
        for job in jobs:
            known = self._known.get(job.job.instance_id)
            if known is not None:
                known.leases.pop(job.job, None)
                if not known.leases:
                    self._forget(job.job.instance_id)

    def doubt(self) -> None:
        """Forget what a batch that failed relied on, so that the next attempt reads it."""
        for instance_id in self._relied_on:
            self._forget(instance_id)
        self._relied_on.clear()

    def _add(self, instance_id: str, known: Known) -> None:
        self._known[instance_id] = known
        self._bytes += known.size + _BESIDE_VARIABLES
        while self._bytes > self._limit_bytes:
            self._forget(next(iter(self._known)))

    def _forget(self, instance_id: str) -> Known | None:
        known = self._known.pop(instance_id, None)
        if known is not None:
            self._bytes -= known.size + _BESIDE_VARIABLES
        return known


def _itself(instance: Instance) -> Instance:
    return instance


def _is_open(instance: Instance, job: JobRef) -> bool:
    step = instance.open.get(job.seq)
    return step is not None and step.job is not None and step.job.delivery == job.delivery
