"""Who gets which of the ready jobs: pure, the same for every store.

A store says which jobs are ready, oldest first; here they go round the requests, one each in turn, so that few jobs
among many workers are spread and not heaped on the first. A request is served until it has as many as it asked for,
or the next job's variables would take it over its bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, repeat, zip_longest

import msgspec

from rochallor.core.ids import JobRef
from rochallor.core.model import Instance
from rochallor.ports import ClaimedJob, ClaimRequest


class Ready(msgspec.Struct, frozen=True, gc=False):
    """A job that may be handed out now. `order` is its place in the queue over all types."""

    order: int
    job: JobRef
    job_type: str
    step_id: str
    definition_id: str
    definition_version: int
    business_key: str | None
    retries_remaining: int
    created_at_ms: int
    ready_at_ms: int
    traceparent: str | None


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """An instance at this moment: its variables as JSON, its revision, and how to decode all of it."""

    variables: bytes
    revision: int
    instance: Callable[[], Instance]


class _Taker:
    """A request being served."""

    __slots__ = ("jobs", "request", "room")

    def __init__(self, request: ClaimRequest) -> None:
        self.request = request
        self.room = request.max_bytes
        self.jobs: list[ClaimedJob] = []

    def has_room(self, size: int) -> bool:
        """Tell whether `size` more bytes fit; the first job always does, or a large one could never be worked."""
        return not self.jobs or size <= self.room

    def take(self, ready: Ready, snapshot: Snapshot, now_ms: int) -> bool:
        """Add a job; return whether the request wants another one."""
        self.room -= len(snapshot.variables)
        self.jobs.append(
            ClaimedJob(
                job=ready.job,
                job_type=ready.job_type,
                step_id=ready.step_id,
                definition_id=ready.definition_id,
                definition_version=ready.definition_version,
                business_key=ready.business_key,
                retries_remaining=ready.retries_remaining,
                created_at_ms=ready.created_at_ms,
                ready_at_ms=ready.ready_at_ms,
                traceparent=ready.traceparent,
                locked_at_ms=now_ms,
                lease_expires_at_ms=now_ms + self.request.lease_ms,
                worker_id=self.request.worker_id,
                lease_token=self.request.lease_token,
                variables=snapshot.variables,
                revision=snapshot.revision,
                instance=snapshot.instance,
            )
        )
        return len(self.jobs) < self.request.max_jobs


def by_types(requests: Sequence[ClaimRequest]) -> dict[tuple[str, ...], list[int]]:
    """Return the places of the requests that want the very same types: one look-up serves them all."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, request in enumerate(requests):
        if request.max_jobs > 0:
            groups.setdefault(tuple(sorted(set(request.job_types))), []).append(place)
    return groups


def in_turn(requests: Sequence[ClaimRequest], most: int) -> list[int]:
    """Return whose turn it is at the first, second … job, at most `most` of them, while bytes are no matter.

    >>> in_turn([ClaimRequest("a", ("t",), 1, 0, "", 0), ClaimRequest("b", ("t",), 3, 0, "", 0)], 10)
    [0, 1, 1, 1]
    """
    rounds = zip_longest(*(repeat(turn, request.max_jobs) for turn, request in enumerate(requests)))
    return list(islice((turn for turns in rounds for turn in turns if turn is not None), most))


def hand_out(
    requests: Sequence[ClaimRequest],
    ready: Iterable[Ready],
    snapshot_of: Callable[[str], Snapshot],
    now_ms: int,
) -> list[list[ClaimedJob]]:
    """Give `ready` jobs to `requests` in turn; `snapshot_of` is asked once per instance, and only when needed."""
    takers = [_Taker(request) for request in requests]
    waiting = deque(takers)
    seen: dict[str, Snapshot] = {}
    for candidate in ready:
        instance_id = candidate.job.instance_id
        if instance_id not in seen:
            seen[instance_id] = snapshot_of(instance_id)
        snapshot = seen[instance_id]
        while waiting and not waiting[0].has_room(len(snapshot.variables)):
            waiting.popleft()
        if not waiting:
            break
        taker = waiting.popleft()
        if taker.take(candidate, snapshot, now_ms):
            waiting.append(taker)
        elif not waiting:
            break
    return [taker.jobs for taker in takers]
