"""Jobs that are handed out before they are queued: to those who were waiting when a batch made them.

A waiting request has just found the queue empty of its types, so there is nobody it would overtake.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial

from rochallor.core.ids import JobRef
from rochallor.core.variables import encode_variables
from rochallor.ports import ClaimedJob, ClaimRequest
from rochallor.stores.handout import Ready, Snapshot, by_types, hand_out
from rochallor.stores.projections import Batch, JobRow, LeasedRow


def lease(batch: Batch, waiting: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
    """Let new jobs of a batch be the requests' from the outset; return what each of these gets."""
    claimed: list[list[ClaimedJob]] = [[] for _ in waiting]
    for job_types, places in by_types(waiting).items():
        group = [waiting[place] for place in places]
        handed = hand_out(group, _ready(batch, job_types), partial(_snapshot, batch), now_ms)
        for place, jobs in zip(places, handed, strict=True):
            claimed[place] = jobs
            for job in jobs:
                row = batch.jobs.pop((job.job.instance_id, job.job.seq))
                batch.jobs_leased[job.job.instance_id, job.job.seq] = LeasedRow(
                    row, job.worker_id, job.lease_token, job.locked_at_ms, job.lease_expires_at_ms
                )
    return claimed


def ready(order: int, job: JobRef, row: JobRow) -> Ready:
    """Return a job as it is handed out from a row of the queue."""
    return Ready(
        order=order,
        job=job,
        job_type=row.job_type,
        step_id=row.step_id,
        definition_id=row.definition_id,
        definition_version=row.definition_version,
        business_key=row.business_key,
        retries_remaining=row.retries_remaining,
        created_at_ms=row.created_at_ms,
        ready_at_ms=row.ready_at_ms,
        traceparent=row.traceparent,
    )


def _ready(batch: Batch, job_types: Collection[str]) -> Iterator[Ready]:
    for order, row in enumerate(batch.jobs.values()):
        if row.job_type in job_types and not row.delayed:
            yield ready(order, JobRef(row.instance_id, row.step_seq, row.delivery), row)


def _snapshot(batch: Batch, instance_id: str) -> Snapshot:
    after = batch.writes[instance_id].after
    return Snapshot(encode_variables(after.variables), after.revision, lambda: after)
