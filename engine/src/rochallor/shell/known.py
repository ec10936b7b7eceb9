"""What this engine knows without asking: instances as it last committed them, and the leases it has handed out.

A report about a job usually comes to the engine that gave the job away, a moment later; then nothing has to be read.
What is known may be old, because other engines share the store. So it is only ever an assumption: a change made from
it is refused by the store unless the revision still fits, and no other answer is given from it (see `Desk.do`).

What would break it: answering a question from here, or keeping an instance whose change may not have been committed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rochallor.core.ids import JobRef
from rochallor.core.model import Instance, Lease
from rochallor.ports import Change, ClaimedJob

MOST_BYTES = 32 * 1024 * 1024
_BESIDE_VARIABLES = 2_048
"""About what an instance takes in memory beside its variables' JSON."""


class Known(NamedTuple):
    """An instance in flight and the leases of its open jobs. Nobody else holds a delivery that was leased once."""

    instance: Instance
    leases: dict[JobRef, Lease]
    size: int


class Memory:
    """The instances seen last, up to about `limit_bytes` of them."""

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
        return known.instance, lease

    def committed(self, changes: Sequence[Change], claimed: Iterable[Iterable[ClaimedJob]]) -> None:
        """Remember what a batch has left behind and handed out; what is over is forgotten."""
        self._relied_on.clear()
        for after in {change.after.id: change.after for change in changes}.values():
            before = self._forget(after.id)
            if not after.status.terminal:
                leases = before.leases if before else {}
                self._add(after, {job: lease for job, lease in leases.items() if _is_open(after, job)})
        for jobs in claimed:
            for job in jobs:
                known = self._known.get(job.job.instance_id)
                if known is not None:
                    known.leases[job.job] = Lease(job.worker_id, job.lease_token, job.lease_expires_at_ms)

    def doubt(self) -> None:
        """Forget what a batch that failed relied on, so that the next attempt reads it."""
        for instance_id in self._relied_on:
            self._forget(instance_id)
        self._relied_on.clear()

    def _add(self, instance: Instance, leases: dict[JobRef, Lease]) -> None:
        size = _BESIDE_VARIABLES + sum(map(len, instance.variables.values()))
        self._known[instance.id] = Known(instance, leases, size)
        self._bytes += size
        while self._bytes > self._limit_bytes:
            _, oldest = self._known.popitem(last=False)
            self._bytes -= oldest.size

    def _forget(self, instance_id: str) -> Known | None:
        known = self._known.pop(instance_id, None)
        if known is not None:
            self._bytes -= known.size
        return known


def _is_open(instance: Instance, job: JobRef) -> bool:
    step = instance.open.get(job.seq)
    return step is not None and step.job is not None and step.job.delivery == job.delivery
