"""Answers from committed rows: comprehensions over the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from rochallor.core.events import Committed
from rochallor.core.model import Instance
from rochallor.ports import Backlog, InstanceFilter, StoredDefinition, UserTaskFilter, UserTaskRow
from rochallor.stores.memory.tables import Tables
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

    async def instance_ids(self, after: str, limit: int) -> list[str]:
        """Return the ids that follow `after`."""
        return sorted(instance_id for instance_id in self._tables.instances if instance_id > after)[:limit]

    def _newest(self) -> dict[str, StoredDefinition]:
        return {stored.id: stored for stored in sorted(self._tables.definitions.values())}


def _wanted(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}


def _matches(row: object, wanted: Mapping[str, str]) -> bool:
    return all(getattr(row, name) == value for name, value in wanted.items())
