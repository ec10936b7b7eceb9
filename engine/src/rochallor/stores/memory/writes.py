"""One write transaction over layers; what it does to the tables is spelled out row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from rochallor.core.ids import JobRef
from rochallor.core.model import Lease
from rochallor.core.variables import encode_variables
from rochallor.ports import Change, ClaimedJob, ClaimRequest, Loaded, StoreConflict, StoredDefinition, Wanted
from rochallor.stores.births import lease, ready
from rochallor.stores.handout import Ready, Snapshot, by_types, hand_out
from rochallor.stores.memory.tables import Chain, Job, Tables
from rochallor.stores.projections import Batch, project


class MemoryTransaction:
    """See `rochallor.ports.Transaction`."""

    def __init__(self, tables: Tables, places: Iterator[int], *, unique_keys: bool) -> None:
        self._tables = tables
        self._places = places
        self._unique_keys = unique_keys

    async def load(self, wanted: Wanted) -> Loaded:
        """Return what exists."""
        tables = self._tables
        jobs = {job: tables.jobs.get((job.instance_id, job.seq)) for job in wanted.jobs | wanted.reported}
        named = wanted.instances.union(job.instance_id for job in wanted.reported)
        versions = {key: _latest(tables, key) for key in wanted.latest}
        return Loaded(
            instances={key: tables.instances[key] for key in named if key in tables.instances},
            leases={job: found.lease for job, found in jobs.items() if found and found.ref == job and found.lease},
            keys={key: tables.keys[key] for key in wanted.keys if key in tables.keys},
            latest={key: stored.version for key, stored in versions.items() if stored},
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
        self._save_instances(batch)
        self._save_work(batch)
        self._save_keys_and_chains(batch)
        return handed

    def _save_instances(self, batch: Batch) -> None:
        instances, events = self._tables.instances, self._tables.events
        for write in batch.writes.values():
            stored = instances.get(write.after.id)
            if (stored.revision if stored else 0) != write.before:
                raise StoreConflict("an instance is not at the revision this change was made from")
            instances[write.after.id] = write.after
        for committed in batch.events:
            events[committed.instance_id, committed.revision] = committed

    def _save_work(self, batch: Batch) -> None:
        tables = self._tables
        for place in batch.jobs_gone:
            tables.jobs.pop(place, None)
        for place, row in batch.jobs.items():
            tables.jobs[place] = Job(next(self._places), row, row.delayed)
        for place, leased in batch.jobs_leased.items():
            held = Lease(leased.worker_id, leased.lease_token, leased.lease_expires_at_ms)
            tables.jobs[place] = Job(next(self._places), leased.job, delayed=False, lease=held)
        for timer in [timer for timer in tables.timers if timer[:2] in batch.timer_steps_gone]:
            del tables.timers[timer]
        for timer in batch.timers_gone:
            tables.timers.pop(timer, None)
        for timers in batch.timers.values():
            for new in timers.values():
                tables.timers[new.instance_id, new.seq, new.position] = new.due_ms
        tables.tasks.update(batch.tasks)
        for closing in batch.tasks_closed:
            place = (closing.instance_id, closing.seq)
            tables.tasks[place] = tables.tasks[place]._replace(
                status=closing.status, closed_at_ms=closing.closed_at_ms, completed_by=closing.completed_by
            )

    def _save_keys_and_chains(self, batch: Batch) -> None:
        tables = self._tables
        for held in batch.keys_gone:
            if tables.keys.get(held[:2]) == held.instance_id:
                del tables.keys[held[:2]]
        for taken in batch.keys:
            if taken[:2] in tables.keys:
                raise StoreConflict("the business key is held by another instance")
            tables.keys[taken[:2]] = taken.instance_id
        for parent_id in batch.chains_gone:
            tables.chains.pop(parent_id, None)
        for parent_id, row in batch.chains.items():
            tables.chains[parent_id] = Chain(row, row.due_at_ms)

    async def claim(self, requests: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
        """Lock ready jobs."""
        claimed: list[list[ClaimedJob]] = [[] for _ in requests]
        for job_types, places in by_types(requests).items():
            group = [requests[place] for place in places]
            handed = hand_out(group, self._ready(job_types), self._snapshot, now_ms)
            for place, jobs in zip(places, handed, strict=True):
                claimed[place] = jobs
                for job in jobs:
                    self._lock(job.job, Lease(job.worker_id, job.lease_token, job.lease_expires_at_ms))
        return claimed

    async def extend(self, job: JobRef, lease: Lease) -> bool:
        """Give a locked job another lease; False when it is not locked."""
        found = self._tables.jobs.get((job.instance_id, job.seq))
        if found is None or found.ref != job or found.lease is None:
            return False
        self._lock(job, lease)
        return True

    async def give_back(self, jobs: Sequence[ClaimedJob]) -> Counter[str]:
        """Unlock jobs that are still locked with these tokens."""
        freed: Counter[str] = Counter()
        for job in jobs:
            place = (job.job.instance_id, job.job.seq)
            found = self._tables.jobs.get(place)
            if found is not None and found.lease is not None and found.lease.token == job.lease_token:
                self._tables.jobs[place] = found._replace(lease=None)
                freed[job.job_type] += 1
        return freed

    async def ripen(self, now_ms: int) -> list[str]:
        """Let the delayed jobs whose time has come be claimed; return their types."""
        jobs = self._tables.jobs
        ripe = {place: job for place, job in jobs.items() if job.delayed and job.row.ready_at_ms <= now_ms}
        for place, job in ripe.items():
            jobs[place] = job._replace(delayed=False)
        return sorted({job.row.job_type for job in ripe.values()})

    async def definition(self, definition_id: str, version: int) -> StoredDefinition | None:
        """Return one version of a definition."""
        return self._tables.definitions.get((definition_id, version))

    async def newest_version(self, definition_id: str) -> int | None:
        """Return the number of the newest version."""
        stored = _latest(self._tables, definition_id)
        return stored.version if stored else None

    async def latest_definition(self, definition_id: str) -> StoredDefinition | None:
        """Return the newest version of a definition."""
        return _latest(self._tables, definition_id)

    async def insert_definition(self, stored: StoredDefinition) -> None:
        """Add a version; raises `StoreConflict` when it exists."""
        if (stored.id, stored.version) in self._tables.definitions:
            raise StoreConflict("this version of the definition exists")
        self._tables.definitions[stored.id, stored.version] = stored

    async def replace_layout(self, stored: StoredDefinition) -> None:
        """Replace the source of a version."""
        before = self._tables.definitions[stored.id, stored.version]
        self._tables.definitions[stored.id, stored.version] = before._replace(source=stored.source)

    async def postpone_chain(self, parent_id: str, due_at_ms: int) -> None:
        """Count an attempt and set the time of the next."""
        chain = self._tables.chains.get(parent_id)
        if chain is not None:
            self._tables.chains[parent_id] = Chain(chain.row, due_at_ms, chain.attempts + 1)

    async def hasten_chains(self, targets: Collection[str], now_ms: int) -> None:
        """Make chains into these definitions due now."""
        for parent_id, chain in list(self._tables.chains.items()):
            if chain.row.next_workflow_id in targets:
                self._tables.chains[parent_id] = chain._replace(due_at_ms=min(chain.due_at_ms, now_ms))

    async def chain_attempts(self, parent_id: str) -> int | None:
        """Return how often a chain was tried, None when none waits."""
        chain = self._tables.chains.get(parent_id)
        return chain.attempts if chain else None

    def _lock(self, job: JobRef, lease: Lease) -> None:
        place = (job.instance_id, job.seq)
        self._tables.jobs[place] = self._tables.jobs[place]._replace(lease=lease)

    def _ready(self, job_types: tuple[str, ...]) -> Iterator[Ready]:
        jobs = self._tables.jobs.values()
        free = [job for job in jobs if not job.lease and not job.delayed and job.row.job_type in job_types]
        free.sort(key=lambda job: job.order)
        return (ready(job.order, job.ref, job.row) for job in free)

    def _snapshot(self, instance_id: str) -> Snapshot:
        instance = self._tables.instances[instance_id]
        return Snapshot(encode_variables(instance.variables), instance.revision, lambda: instance)


def _latest(tables: Tables, definition_id: str) -> StoredDefinition | None:
    versions = [stored for stored in tables.definitions.values() if stored.id == definition_id]
    return max(versions, key=lambda stored: stored.version, default=None)
