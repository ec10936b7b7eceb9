"""Everything about some instances from one moment, for `doctor`: rows of seven tables, put together per instance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from rochallor.core.events import Committed, decode_events
from rochallor.ports import Dossier, JobEntry
from rochallor.stores.postgres.claims import SQL
from rochallor.stores.postgres.snapshot import at_one_moment
from rochallor.stores.projections import instance_of

_PARTS = ("history", "jobs", "timers", "tasks", "keys", "chains")


def committed(row: Sequence[Any]) -> Committed:
    """Return what a row of `event` holds."""
    instance_id, revision, at_ms, actor, command, events = row
    return Committed(instance_id, revision, at_ms, actor, command, decode_events(events.encode()))


async def read_dossiers(connection: Any, instance_ids: Sequence[str]) -> list[Dossier]:
    """Return all that is stored about instances; all tables show the same moment."""
    asked = ((SQL[f"dossier_{part}"], instance_ids) for part in ("instances", *_PARTS))
    instances, *found = await at_one_moment(connection, *asked)
    parts = dict(zip(_PARTS, found, strict=True))
    by_owner = {part: _grouped(part, rows) for part, rows in parts.items()}
    return [
        Dossier(
            instance=instance_of(row[3], row[4]),
            listed=(row[1], row[2]),
            **{part: tuple(entries[row[0]]) for part, entries in by_owner.items()},
        )
        for row in instances
    ]


def _grouped(part: str, rows: Sequence[Any]) -> defaultdict[str, list[Any]]:
    groups: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(_entry(part, row))
    return groups


def _entry(part: str, row: Sequence[Any]) -> Any:
    if part == "history":
        return committed(row)
    return JobEntry(*row[1:]) if part == "jobs" else tuple(row[1:])
