"""Answers from committed rows: comprehensions over the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import count, takewhile

from rochallor.core.events import Committed
from rochallor.core.ids import JobRef
from rochallor.core.model import Instance, Lease
from rochallor.ports import Backlog, Dossier, InstanceFilter, JobEntry, StoredDefinition, UserTaskFilter, UserTaskRow
from rochallor.stores.memory.tables import Job, Tables
from rochallor.stores.projections import JobRow


class MemoryReads:
    """See `rochallor.ports.Reads`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def instance(self, instance_id: str) -> Instance | None:
        """Return the committed state of one instance."""
        return self._tables.instances.get(instance_id)

    async def history(self, instance_id: str, after_revision: int = 0) -> list[Committed]:
        """Return an instance's events after a revision, in order."""
        instance = self._tables.instances.get(instance_id)
        last = instance.revision if instance else 0
        return [self._tables.events[instance_id, revision] for revision in range(after_revision + 1, last + 1)]

    async def definition(self, definition_id: str, version: int | None) -> StoredDefinition | None:
        """Return a version of a definition, None for the newest."""
        if version is None:
            return self._newest().get(definition_id)
        return self._tables.definitions.get((definition_id, version))

    async def instances(self, where: InstanceFilter, limit: int, offset: int) -> tuple[list[Instance], int]:
        """Return a page of instances, the latest start first, and how many match."""
        wanted = _wanted(where._asdict())
        found = [instance for instance in self._tables.instances.values() if _matches(instance, wanted)]
        found.sort(key=lambda instance: (-instance.started_at_ms, instance.id))
        return found[offset : offset + limit], len(found)

    async def user_tasks(self, where: UserTaskFilter, limit: int, offset: int) -> tuple[list[UserTaskRow], int]:
        """Return a page of user tasks, the oldest first, and how many match."""
        wanted = _wanted(where._asdict())
        found = [UserTaskRow(**task._asdict()) for task in self._tables.tasks.values() if _matches(task, wanted)]
        found.sort(key=lambda task: (task.created_at_ms, task.instance_id, task.seq))
        return found[offset : offset + limit], len(found)

    async def definitions(self, keyword: str, limit: int, offset: int) -> tuple[list[StoredDefinition], int]:
        """Return a page of newest versions whose id or name holds `keyword`, and how many do."""
        folded = keyword.lower()
        newest = sorted(self._newest().values())
        found = [stored for stored in newest if folded in stored.id.lower() or folded in stored.name.lower()]
        return found[offset : offset + limit], len(found)

    async def backlog(self, now_ms: int) -> list[Backlog]:
        """Return what waits to be claimed, by type."""
        waiting: defaultdict[str, list[JobRow]] = defaultdict(list)
        for job in self._tables.jobs.values():
            if not job.lease and (not job.delayed or job.row.ready_at_ms <= now_ms):
                waiting[job.row.job_type].append(job.row)
        return [
            Backlog(job_type, len(rows), min(row.created_at_ms for row in rows))
            for job_type, rows in sorted(waiting.items())
        ]

    async def leases(self, jobs: Collection[JobRef]) -> dict[JobRef, Lease]:
        """Return who holds those of the jobs that are locked now."""
        found = ((ref, self._tables.jobs.get((ref.instance_id, ref.seq))) for ref in jobs)
        return {ref: job.lease for ref, job in found if job and job.ref == ref and job.lease}

    async def instance_ids(self, after: str, limit: int) -> list[str]:
        """Return the ids that follow `after`."""
        return sorted(instance_id for instance_id in self._tables.instances if instance_id > after)[:limit]

    async def dossiers(self, instance_ids: Sequence[str]) -> list[Dossier]:
        """Return all that is stored about instances; nothing can change meanwhile, because nothing is awaited."""
        return [self._dossier(self._tables.instances[i]) for i in sorted(instance_ids) if i in self._tables.instances]

    def _dossier(self, instance: Instance) -> Dossier:
        tables, own = self._tables, instance.id
        events = (tables.events.get((own, revision)) for revision in count(1))
        jobs = sorted((job for job in tables.jobs.values() if job.row.instance_id == own), key=lambda job: job.ref)
        return Dossier(
            instance=instance,
            listed=(instance.status.value, instance.revision),
            history=tuple(takewhile(lambda committed: committed is not None, events)),  # type: ignore[arg-type]  # it is
            jobs=tuple(_entry(job) for job in jobs),
            timers=tuple(sorted((seq, at, due_ms) for (i, seq, at), due_ms in tables.timers.items() if i == own)),
            tasks=tuple(sorted((seq, task.status) for (i, seq), task in tables.tasks.items() if i == own)),
            keys=tuple(key for key in _key_of(instance) if tables.keys.get(key) == own),
            chains=tuple(chain.row[1:3] for parent_id, chain in tables.chains.items() if parent_id == own),
        )

    async def strays(self, limit: int) -> list[tuple[str, str]]:
        """Return rows whose instance does not exist."""
        tables = self._tables
        owners = {
            "chain": set(tables.chains),
            "event": {instance_id for instance_id, _ in tables.events},
            "job": {instance_id for instance_id, _ in tables.jobs},
            "timer": {instance_id for instance_id, _, _ in tables.timers},
            "user_task": {instance_id for instance_id, _ in tables.tasks},
        }
        found = [(table, i) for table, ids in owners.items() for i in ids if i not in tables.instances]
        for key, holder in tables.keys.items():
            if holder not in tables.instances or key not in _key_of(tables.instances[holder]):
                found.append(("business_key", holder))
        return sorted(found)[:limit]

    def _newest(self) -> dict[str, StoredDefinition]:
        return {stored.id: stored for stored in sorted(self._tables.definitions.values())}


def _key_of(instance: Instance) -> list[tuple[str, str]]:
    """Return the business key it could hold: one or none."""
    return [] if instance.business_key is None else [(instance.definition_id, instance.business_key)]


def _entry(job: Job) -> JobEntry:
    row, lease = job.row, job.lease
    expires_at_ms = lease.expires_at_ms if lease else None
    return JobEntry(row.step_seq, row.delivery, row.job_type, row.retries_remaining, row.ready_at_ms, expires_at_ms)


def _wanted(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}


def _matches(row: object, wanted: Mapping[str, str]) -> bool:
    return all(getattr(row, name) == value for name, value in wanted.items())
