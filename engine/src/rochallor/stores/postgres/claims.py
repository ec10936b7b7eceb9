"""Handing out jobs: one statement locks the oldest that are ready, and gives them to the requests in turn.

Their variables come with them where all are so light that they fit into every answer, as nearly always. Where one is
not, only sizes come: it is decided anew who gets which, and only what is handed out is read. That may be after the
first statement has committed by itself; an engine that dies in between has given away jobs that nobody hears of, as one
that dies before it answers, and their leases run out.

The watermark. Rows of claimed and finished jobs stay in the index until they are vacuumed, and while somebody's
forgotten transaction is open they cannot be; a claim would walk over all of them. So it starts behind the last job of
the type that this engine has claimed. That is a guess (an older job may become claimable), so it is forgotten every
second, and an empty claim is repeated without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

from msgspec.structs import replace

from rochallor.core.ids import JobRef
from rochallor.core.model import Instance
from rochallor.ports import ClaimedJob, ClaimRequest
from rochallor.stores.handout import Ready, Snapshot, by_types, hand_out, in_turn
from rochallor.stores.postgres.arrays import arrays
from rochallor.stores.postgres.turn import Turn
from rochallor.stores.projections import instance_of
from rochallor.stores.sql import load_queries

SQL = load_queries(__package__)

FORGET_S = 1.0
MOST_AT_ONCE = 4096


class Watermark:
    """Per job type, behind which place the next claim begins."""

    def __init__(self) -> None:
        self._after: dict[str, int] = {}
        self._forgotten: set[str] = set()
        self._since_s = 0.0

    def after(self, job_types: Collection[str], now_s: float) -> list[int]:
        """Return the places; 0 is the whole queue."""
        if now_s - self._since_s >= FORGET_S:
            self._after.clear()
            self._since_s = now_s
        self._forgotten.difference_update(job_types)
        return [self._after.get(job_type, 0) for job_type in job_types]

    def move(self, places: dict[str, int]) -> None:
        """Begin behind these from now on, unless older jobs have become ready since the claim asked where to begin."""
        self._after.update((job_type, at) for job_type, at in places.items() if job_type not in self._forgotten)

    def forget(self, job_types: Iterable[str]) -> None:
        """Begin at the front again: older jobs of these types have become ready."""
        for job_type in job_types:
            self._after.pop(job_type, None)
            self._forgotten.add(job_type)


class Claims:
    """The claims of one turn.

    `places`: where the watermark goes if it commits. `left`: types of which jobs were looked at, and so hidden from
    other engines, but not handed out. `taken`: how many jobs were handed out, per type.
    """

    def __init__(self, turn: Turn, watermark: Watermark, now_s: float) -> None:
        self.places: dict[str, int] = {}
        self.left: set[str] = set()
        self.taken: Counter[str] = Counter()
        self._turn = turn
        self._connection: Any = None
        self._watermark = watermark
        self._now_s = now_s

    def begin_at_the_front(self, job_types: Iterable[str]) -> None:
        """Expect older jobs of these types; if they never come, one claim has looked in vain."""
        self._watermark.forget(job_types)

    async def claim(self, requests: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
        """Lock ready jobs; requests that want the same types share one look-up."""
        claimed: list[list[ClaimedJob]] = [[] for _ in requests]
        groups = by_types(requests)
        self._connection = await (self._turn.alone() if len(groups) == 1 else self._turn.within())
        for job_types, places in groups.items():
            group = [requests[place] for place in places]
            for place, jobs in zip(places, await self._claim(job_types, group, now_ms), strict=True):
                claimed[place] = jobs
        return claimed

    async def _claim(
        self, job_types: tuple[str, ...], group: Sequence[ClaimRequest], now_ms: int
    ) -> list[list[ClaimedJob]]:
        turns = in_turn(group, MOST_AT_ONCE)
        rows = await self._oldest(job_types, group, turns, now_ms)
        if not rows:
            return [[] for _ in group]
        rows.sort(key=_PLACE)
        handed: list[list[ClaimedJob]] = [[] for _ in group]
        if all(row[14] is not None for row in rows):
            for row in rows:
                turn = turns[row[0] - 1]
                handed[turn].append(_claimed(row, group[turn], now_ms))
        else:
            handed = await self._weighed(rows, turns, group, now_ms)
        self._note(rows, {(job.job.instance_id, job.job.seq) for jobs in handed for job in jobs})
        return handed

    async def _oldest(
        self, job_types: tuple[str, ...], group: Sequence[ClaimRequest], turns: Sequence[int], now_ms: int
    ) -> list[Any]:
        """Lock the oldest ready jobs of all types together, each for the request whose turn it is."""
        statement = SQL["claim_jobs"].replace("{limit}", str(_power_of_two(len(turns))))
        after = self._watermark.after(job_types, self._now_s)
        leases = [
            [request.worker_id for request in group],
            [request.lease_token for request in group],
            [now_ms + request.lease_ms for request in group],
        ]
        [counted] = arrays([(turn + 1,) for turn in turns])  # PostgreSQL counts from 1
        light_bytes = min(request.max_bytes for request in group) // len(turns)
        rest = (*leases, now_ms, counted, light_bytes)
        rows: list[Any] = await self._connection.fetch(statement, job_types, after, *rest)
        if not rows and any(after):
            self._watermark.forget(job_types)
            rows = await self._connection.fetch(statement, job_types, [0] * len(job_types), *rest)
        return rows

    async def _weighed(
        self, rows: Sequence[Any], turns: Sequence[int], group: Sequence[ClaimRequest], now_ms: int
    ) -> list[list[ClaimedJob]]:
        """Return who gets which of the locked jobs by their bytes, with their leases set right."""
        found = {row[2]: Snapshot(_weight(row[17]), 0, _not_read) for row in rows}
        ready = [Ready(row[1], JobRef(row[2], row[3], row[4]), *row[5:14]) for row in rows]
        handed = hand_out(group, ready, found.__getitem__, now_ms)
        holders = {
            job.job: (job.worker_id, job.lease_token, job.lease_expires_at_ms) for jobs in handed for job in jobs
        }
        mine = {job.job: turn for turn, jobs in enumerate(handed) for job in jobs}
        moved = [
            (*holders.get(each.job, (None, None, None)), each.job.instance_id, each.job.seq)
            for row, each in zip(rows, ready, strict=True)
            if mine.get(each.job) != turns[row[0] - 1]
        ]
        if moved:
            ours = [request.lease_token for request in group]
            await self._connection.execute(SQL["claim_anew"], *zip(*moved, strict=True), ours)
        taken = list({job.job.instance_id for jobs in handed for job in jobs})
        read = {row[0]: (row[1], row[2], row[3]) for row in await self._connection.fetch(SQL["read_claimed"], taken)}
        return [[_with_instance(job, *read[job.job.instance_id]) for job in jobs] for jobs in handed]

    def _note(self, rows: Sequence[Any], handed: set[tuple[str, int]]) -> None:
        """Remember where each type's queue begins now: behind what was handed out, before what was not."""
        behind: dict[str, int] = {}
        left: set[str] = set()
        for row in rows:
            job_type = row[5]
            if (row[2], row[3]) not in handed:
                left.add(job_type)
                continue
            self.taken[job_type] += 1
            if job_type not in left:
                behind[job_type] = row[1]
        self.left |= left
        self.left.update(rows[0][18] or ())
        self.places.update(behind)


class _Weight(bytes):
    """Weighs as much as an instance's variables, which are fetched only for the jobs that are handed out."""

    size = 0

    def __len__(self) -> int:
        return self.size


def _weight(size: int) -> bytes:
    weight = _Weight()
    weight.size = size
    return weight


def _not_read() -> Instance:
    raise AssertionError("only jobs that are handed out have an instance")


def _with_instance(job: ClaimedJob, variables: bytes, revision: int, state: str) -> ClaimedJob:
    return replace(job, variables=variables, revision=revision, instance=partial(instance_of, state, variables))


_PLACE = itemgetter(0)


def _claimed(row: Any, request: ClaimRequest, now_ms: int) -> ClaimedJob:
    variables: bytes = row[14]
    told: tuple[str, str, str, int, str | None, int, int, int, str | None] = row[5:14]  # in the order of its fields
    return ClaimedJob(
        JobRef(row[2], row[3], row[4]),
        *told,
        locked_at_ms=now_ms,
        lease_expires_at_ms=now_ms + request.lease_ms,
        worker_id=request.worker_id,
        lease_token=request.lease_token,
        variables=variables,
        revision=row[15],
        instance=partial(instance_of, row[16], variables),
    )


def _power_of_two(number: int) -> int:
    """Return the next power of two: few statements to plan, each with its limit written out."""
    return 1 << max(0, number - 1).bit_length()
