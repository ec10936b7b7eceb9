"""Filling a store in bulk: what is poured in cannot be told from what an engine writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from rochallor.core.ids import ulid
from rochallor.ports import StoredDefinition
from rochallor.shell.doctor import Doctor
from rochallor.stores.projections import project
from rochallor.stores.sqlite import SqliteStore

from bench import timers
from bench.fill import BORN_MS, Clone, clones, play
from bench.flow import DEFINITION, RESULT, STEPS, VARIABLES, definition
from bench.growth import Fill
from bench.stores import SqliteStores

LATER_MS = 123_456_789
FLOWS = {
    "finished": (definition(), STEPS),
    "at the first step": (definition(), 0),
    "at the second step": (definition(), 1),
    "with a timer": (timers.definition(), 0),
}


@pytest.mark.parametrize("flow", FLOWS)
def test_a_clone_is_the_instance_the_machine_would_have_made(flow):
    """Moved to another id and time, the rows are those of an instance that was played there."""
    source, results = FLOWS[flow]
    other = ulid(BORN_MS + LATER_MS, 7)
    there = play(source, VARIABLES, results=results, result=RESULT, instance_id=other, born_ms=BORN_MS + LATER_MS)
    expected = {
        name: [tuple(row) for row in rows] for name, rows in project(there, unique_keys=True).statements() if rows
    }
    copied = clones(play(source, VARIABLES, results=results, result=RESULT), [Clone(other, LATER_MS)])
    assert dict(copied) == expected


async def test_a_filled_store_is_sound(tmp_path: Path):
    """`doctor` finds nothing wrong, and every instance is there."""
    place = SqliteStores(tmp_path)
    named = place.empty("filled")
    store = SqliteStore(named["WE_SQLITE_PATH"])
    await store.open()
    async with store.transaction() as tx:
        await tx.insert_definition(StoredDefinition(DEFINITION, 1, "Linear", "", definition(), BORN_MS))
    await store.close()
    place.pour(named, Fill("both", finished=30, waiting=9).batches(BORN_MS))
    await store.open()
    try:
        doctor = Doctor(store.reads, unique_keys=True, now_ms=BORN_MS)
        assert ([finding async for finding in doctor.findings()], doctor.seen) == ([], 19)
    finally:
        await store.close()
