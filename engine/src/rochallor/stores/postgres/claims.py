"""Handing out jobs: which are ready is asked in one statement, who gets them is decided here, one more statement locks.

The watermark. Rows of claimed and finished jobs stay in the index until they are vacuumed, and while somebody's
forgotten transaction is open they cannot be; a claim would walk over all of them. So it starts behind the last job of
the type that this engine has claimed. That is a guess (an older job may become claimable), so it is forgotten every
second, and an empty claim is repeated without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from rochallor.core.ids import JobRef
from rochallor.core.model import Instance
from rochallor.ports import ClaimedJob, ClaimRequest
from rochallor.stores.handout import Ready, Snapshot, by_types, hand_out
from rochallor.stores.projections import instance_of
from rochallor.stores.sql import load_queries

SQL = load_queries(__package__)

FORGET_S = 1.0
MOST_AT_ONCE = 4096


class Watermark:
    """Per job type, behind which place the next claim begins."""

    def __init__(self) -> None:
        self._after: dict[str, int] = {}
        self._since_s = 0.0

    def after(self, job_types: Iterable[str], now_s: float) -> list[int]:
        """Return the places; 0 is the whole queue."""
        if now_s - self._since_s >= FORGET_S:
            self._after.clear()
            self._since_s = now_s
        return [self._after.get(job_type, 0) for job_type in job_types]

    def move(self, places: dict[str, int]) -> None:
        """Begin behind these from now on."""
        self._after.update(places)

    def forget(self, job_types: Iterable[str]) -> None:
        """Begin at the front again: older jobs of these types have become ready."""
        for job_type in job_types:
            self._after.pop(job_type, None)


class Claims:
    """The claims of one transaction.

    `places`: where the watermark goes if it commits. `left`: types of which jobs were looked at, and so hidden from
    other engines, but not handed out. `taken`: how many jobs were handed out, per type.
    """

    def __init__(self, connection: Any, watermark: Watermark, now_s: float) -> None:
        self.places: dict[str, int] = {}
        self.left: set[str] = set()
        self.taken: dict[str, int] = {}
        self._connection = connection
        self._watermark = watermark
        self._now_s = now_s

    def reconsider(self, job_types: Iterable[str]) -> None:
        """Look at the whole queue of these types again: older jobs in it have become ready."""
        self._watermark.forget(job_types)

    async def claim(self, requests: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
        """Lock ready jobs; requests that want the same types share one look-up."""
        claimed: list[list[ClaimedJob]] = [[] for _ in requests]
        for job_types, places in by_types(requests).items():
            group = [requests[place] for place in places]
            limit = min(sum(request.max_jobs for request in group), MOST_AT_ONCE)
            rows = await self._ready(job_types, limit)
            sizes = {row[1]: Snapshot(_weight(row[13]), 0, _not_read) for row in rows}
            ready = [Ready(row[0], JobRef(row[1], row[2], row[3]), *row[4:13]) for row in rows]
            handed = await self._lock(hand_out(group, ready, sizes.__getitem__, now_ms))
            self._note(ready, {job.job for jobs in handed for job in jobs})
            for place, jobs in zip(places, handed, strict=True):
                claimed[place] = jobs
        return claimed

    async def _ready(self, job_types: tuple[str, ...], limit: int) -> list[Any]:
        """Return at least the `limit` oldest ready jobs of all types together, if there are as many."""
        statement = SQL["ready_jobs"].replace("{limit}", str(_power_of_two(limit)))
        after = self._watermark.after(job_types, self._now_s)
        rows: list[Any] = await self._connection.fetch(statement, job_types, after)
        if not rows and any(after):
            self._watermark.forget(job_types)
            rows = await self._connection.fetch(statement, job_types, [0] * len(job_types))
        return rows

    async def _lock(self, handed: list[list[ClaimedJob]]) -> list[list[ClaimedJob]]:
        leases = [_lease(job) for jobs in handed for job in jobs]
        if not leases:
            return handed
        rows = await self._connection.fetch(SQL["lock_job"], *zip(*leases, strict=True))
        read = {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}
        return [[_with_instance(job, *read[job.job[:2]]) for job in jobs] for jobs in handed]

    def _note(self, ready: list[Ready], handed: set[JobRef]) -> None:
        """Remember where each type's queue begins now: behind what was handed out, before what was not."""
        behind: dict[str, int] = {}
        left: set[str] = set()
        for candidate in ready:
            job_type = candidate.job_type
            if candidate.job not in handed:
                left.add(job_type)
                continue
            self.taken[job_type] = self.taken.get(job_type, 0) + 1
            if job_type not in left:
                behind[job_type] = candidate.order
        self.left |= left
        self.places.update(behind)


class _Weight(bytes):
    """Weighs as much as an instance's variables, which are fetched only for the jobs that are handed out."""

    size = 0

    def __len__(self) -> int:
        return self.size


def _not_read() -> Instance:
    raise AssertionError("only jobs that are handed out have an instance")


def _with_instance(job: ClaimedJob, variables: bytes, revision: int, state: str) -> ClaimedJob:
    instance = partial(instance_of, state, variables)
    return job._replace(variables=variables, revision=revision, instance=instance)


def _weight(size: int) -> bytes:
    weight = _Weight()
    weight.size = size
    return weight


def _power_of_two(number: int) -> int:
    """Return the next power of two: few statements to plan, each with its limit written out."""
    return 1 << max(0, number - 1).bit_length()


def _lease(job: ClaimedJob) -> tuple[Any, ...]:
    return (job.worker_id, job.lease_token, job.locked_at_ms, job.lease_expires_at_ms, job.job.instance_id, job.job.seq)
