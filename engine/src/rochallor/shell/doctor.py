"""The doctor: walks everything stored and tells what does not hold, without changing anything.

Every command writes an instance's state, its history and the rows of its open work in one commit, so these can never
disagree, whatever was killed when. The doctor proves it afterwards. It reads each instance from one moment, so it may
look at a store that an engine is working on. What is looked for is in `checkup.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import msgspec

from rochallor.core.apply import fold
from rochallor.core.model import Instance
from rochallor.ports import Dossier, Reads
from rochallor.shell.checkup import CHECKS, RESTORE, Case

AT_ONCE = 200
MOST_STRAYS = 100


class Finding(NamedTuple):
    """Something that does not hold: of which instance (empty: of none), by which check, and what to do next.

    `grave` is False for what is worth knowing and needs no repair.
    """

    instance_id: str
    check: str
    message: str
    next_action: str
    grave: bool = True


class Doctor:
    """Walks a store. `unique_keys` as the engine is configured; `now_ms` is the time of the visit.

    `seen` counts the instances looked at so far.
    """

    def __init__(self, reads: Reads, *, unique_keys: bool, now_ms: int) -> None:
        self.seen = 0
        self._reads = reads
        self._unique_keys = unique_keys
        self._now_ms = now_ms
        self._definitions: dict[tuple[str, int], bool] = {}

    async def findings(self) -> AsyncIterator[Finding]:
        """Examine every instance, then the rows that belong to none."""
        after = ""
        while instance_ids := await self._reads.instance_ids(after, AT_ONCE):
            for finding in await self._examine(instance_ids):
                yield finding
            after = instance_ids[-1]
            self.seen += len(instance_ids)
        for table, instance_id in await self._reads.strays(MOST_STRAYS):
            yield Finding(instance_id, "strays", f"table {table} has a row that belongs to no such instance", RESTORE)

    async def _examine(self, instance_ids: Sequence[str]) -> list[Finding]:
        try:
            dossiers = await self._reads.dossiers(instance_ids)
        except msgspec.MsgspecError as error:
            if len(instance_ids) == 1:
                return [Finding(instance_ids[0], "readable", f"what is stored cannot be read: {error}", RESTORE)]
            return [finding for instance_id in instance_ids for finding in await self._examine([instance_id])]
        return [finding for dossier in dossiers for finding in examine(await self._case(dossier))]

    async def _case(self, dossier: Dossier) -> Case:
        own = dossier.instance
        return Case(
            dossier=dossier,
            folded=_folded(dossier),
            parent=await self._related(own.parent_instance_id),
            child=await self._related(own.child_instance_id),
            has_definition=await self._has_definition(own.definition_id, own.definition_version),
            unique_keys=self._unique_keys,
            now_ms=self._now_ms,
        )

    async def _related(self, instance_id: str | None) -> Instance | None:
        return await self._reads.instance(instance_id) if instance_id else None

    async def _has_definition(self, definition_id: str, version: int) -> bool:
        pinned = (definition_id, version)
        if pinned not in self._definitions:
            self._definitions[pinned] = await self._reads.definition(*pinned) is not None
        return self._definitions[pinned]


def examine(case: Case) -> list[Finding]:
    """Return what does not hold of one instance."""
    return [
        Finding(case.stored.id, check.name, sentence, check.next_action, check.grave)
        for check in CHECKS
        for sentence in check.examine(case)
    ]


def _folded(dossier: Dossier) -> Instance | None:
    try:
        return fold(dossier.history)
    except (AssertionError, AttributeError, LookupError):
        return None  # a fact about something that never was: the history has a hole
