"""One write transaction: statements on the writer connection, between the store's BEGIN and COMMIT.

The statements run on the event loop's thread: they touch cached pages and take microseconds, less than a hop to a
thread and back. What waits for the disk is the COMMIT, and that the store gives to a thread.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from functools import partial
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any

from msgspec.structs import astuple

from rochallor.core.ids import JobRef
from rochallor.core.model import Lease
from rochallor.ports import Change, ClaimedJob, ClaimRequest, Loaded, StoreConflict, StoredDefinition, Wanted
from rochallor.stores.births import lease
from rochallor.stores.handout import Ready, Snapshot, by_types, hand_out
from rochallor.stores.projections import instance_of, project
from rochallor.stores.sql import load_queries
from rochallor.stores.sqlite.connect import translated

SQL = load_queries(__package__)
_PLACE = itemgetter(0)


class SqliteTransaction:
    """See `rochallor.ports.Transaction`."""

    def __init__(self, writer: sqlite3.Connection, *, unique_keys: bool) -> None:
        self._writer = writer
        self._unique_keys = unique_keys

    async def load(self, wanted: Wanted) -> Loaded:
        """Return what exists; the transaction itself is the lock, there is no other writer."""
        with translated():
            named = wanted.instances.union(job.instance_id for job in wanted.reported)
            instances = {key: self._one("load_instance", (key,)) for key in named}
            leases = {job: self._one("load_lease", astuple(job)) for job in wanted.jobs | wanted.reported}
            keys = {key: self._one("load_key", key) for key in wanted.keys}
            latest = {key: self._one("latest_version", (key,)) for key in wanted.latest}
        return Loaded(
            instances={key: instance_of(*row) for key, row in instances.items() if row},
            leases={job: Lease(*row) for job, row in leases.items() if row},
            keys={key: row[0] for key, row in keys.items() if row},
            latest={key: row[0] for key, row in latest.items() if row and row[0] is not None},
        )

    async def save(
        self,
        changes: Sequence[Change],
        *,
        last: bool = False,  # noqa: ARG002 - only the context's end commits here
        waiting: Sequence[ClaimRequest] = (),
        now_ms: int = 0,
    ) -> list[list[ClaimedJob]]:
        """Write the rows that follow from the changes; raises `StoreConflict`."""
        batch = project(changes, unique_keys=self._unique_keys)
        handed = lease(batch, waiting, now_ms)
        with translated():
            for name, rows in batch.statements():
                if not rows:
                    continue
                changed = self._writer.executemany(SQL[name], rows).rowcount
                if name == "update_instance" and changed != len(rows):
                    raise StoreConflict("an instance is not at the revision this change was made from")
        return handed

    async def claim(self, requests: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
        """Lock ready jobs; requests that want the same types share one look-up."""
        claimed: list[list[ClaimedJob]] = [[] for _ in requests]
        with translated():
            for job_types, places in by_types(requests).items():
                group = [requests[place] for place in places]
                with closing(_Ready(self._writer, job_types, sum(request.max_jobs for request in group))) as ready:
                    handed = hand_out(group, ready, ready.snapshots.__getitem__, now_ms)
                self._writer.executemany(SQL["lock_job"], [_locked(job) for jobs in handed for job in jobs])
                for place, jobs in zip(places, handed, strict=True):
                    claimed[place] = jobs
        return claimed

    async def extend(self, job: JobRef, lease: Lease) -> bool:
        """Give a locked job another lease; False when it is not locked."""
        row = (lease.worker_id, lease.token, lease.expires_at_ms, *astuple(job))
        with translated():
            return self._writer.execute(SQL["extend_lease"], row).rowcount > 0

    async def give_back(self, jobs: Sequence[ClaimedJob]) -> Counter[str]:
        """Unlock jobs that are still locked with these tokens."""
        with translated():
            return Counter(
                job.job_type
                for job in jobs
                if self._writer.execute(SQL["give_back"], (job.job.instance_id, job.job.seq, job.lease_token)).rowcount
            )

    async def ripen(self, now_ms: int) -> list[str]:
        """Let the delayed jobs whose time has come be claimed; return their types."""
        with translated():
            job_types = [row[0] for row in self._writer.execute(SQL["ripe_types"], (now_ms,))]
            self._writer.execute(SQL["ripen"], (now_ms,))
        return job_types

    async def definition(self, definition_id: str, version: int) -> StoredDefinition | None:
        """Return one version of a definition."""
        with translated():
            row = self._one("definition_version", (definition_id, version))
        return StoredDefinition(*row) if row else None

    async def newest_version(self, definition_id: str) -> int | None:
        """Return the number of the newest version."""
        with translated():
            row = self._one("latest_version", (definition_id,))
        return row[0] if row else None

    async def latest_definition(self, definition_id: str) -> StoredDefinition | None:
        """Return the newest version of a definition."""
        with translated():
            row = self._one("latest_definition", (definition_id,))
        return StoredDefinition(*row) if row else None

    async def insert_definition(self, stored: StoredDefinition) -> None:
        """Add a version; raises `StoreConflict` when it exists."""
        with translated():
            self._writer.execute(SQL["insert_definition"], stored)

    async def replace_layout(self, stored: StoredDefinition) -> None:
        """Replace the source of a version."""
        with translated():
            self._writer.execute(SQL["replace_source"], (stored.source, stored.id, stored.version))

    async def postpone_chain(self, parent_id: str, due_at_ms: int) -> None:
        """Count an attempt and set the time of the next."""
        with translated():
            self._writer.execute(SQL["postpone_chain"], (due_at_ms, parent_id))

    async def hasten_chains(self, targets: Collection[str], now_ms: int) -> None:
        """Make chains into these definitions due now."""
        with translated():
            self._writer.executemany(SQL["hasten_chains"], [(now_ms, target) for target in targets])

    async def chain_attempts(self, parent_id: str) -> int | None:
        """Return how often a chain was tried, None when none waits."""
        with translated():
            row = self._one("chain_attempts", (parent_id,))
        return row[0] if row else None

    def _one(self, name: str, parameters: tuple[Any, ...]) -> Any:
        return self._writer.execute(SQL[name], parameters).fetchone()


class _Ready:
    """The oldest ready jobs with their instances: of each type by its index, merged by their place in the queue.

    A row is read when it is asked for, so of heavy instances one more at most is read than is handed out. To be closed
    before the jobs are locked: a cursor that is not at its end would still be reading.
    """

    def __init__(self, writer: sqlite3.Connection, job_types: Sequence[str], limit: int) -> None:
        self.snapshots: dict[str, Snapshot] = {}
        self._cursors = [writer.execute(SQL["ready_jobs"], (job_type, limit)) for job_type in job_types]
        self._limit = limit

    def __iter__(self) -> Iterator[Ready]:
        for row in islice(merge(*self._cursors, key=_PLACE), self._limit):
            variables, revision, state = row[13:]
            self.snapshots[row[1]] = Snapshot(variables, revision, partial(instance_of, state, variables))
            yield Ready(row[0], JobRef(*row[1:4]), *row[4:13])

    def close(self) -> None:
        """Stop reading."""
        for cursor in self._cursors:
            cursor.close()


def _locked(job: ClaimedJob) -> tuple[Any, ...]:
    return (job.worker_id, job.lease_token, job.locked_at_ms, job.lease_expires_at_ms, job.job.instance_id, job.job.seq)
