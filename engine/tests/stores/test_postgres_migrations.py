"""The schema's steps: up, down, up again, by many at once, and never by an engine that is too old."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from rochallor.core.errors import Unavailable
from rochallor.stores.postgres import PostgresStore, migrate_down, migrate_up, migration_status


async def tables(dsn):
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    return {row[0] for row in rows}


async def test_up_down_up_ends_where_up_does(postgres_database):
    """Taking the schema down leaves only the list of steps; taking it up again gives the same tables."""
    await migrate_up(postgres_database)
    there = await tables(postgres_database)
    undone = await migrate_down(postgres_database)
    assert await tables(postgres_database) == {"schema_version"}
    assert undone
    await migrate_up(postgres_database)
    assert await tables(postgres_database) == there


async def test_status_tells_what_is_missing_and_changes_nothing(postgres_database):
    """Before the first step every one is missing, afterwards none."""
    before = await migration_status(postgres_database)
    assert not any(step.applied for step in before)
    assert await tables(postgres_database) == set()
    await migrate_up(postgres_database)
    assert all(step.applied for step in await migration_status(postgres_database))


async def test_many_engines_may_start_at_once(postgres_database):
    """Of eight runners on an empty database each step is applied by one, and all of them succeed."""
    done = await asyncio.gather(*(migrate_up(postgres_database) for _ in range(8)))
    assert sorted(len(steps) for steps in done) == [0] * 7 + [len(await migration_status(postgres_database))]


async def test_engine_refuses_a_newer_schema(postgres_database):
    """A database that a newer engine has migrated is left alone, and the refusal says what to do."""
    await migrate_up(postgres_database)
    connection = await asyncpg.connect(postgres_database)
    await connection.execute("INSERT INTO schema_version (version, name) VALUES (9999, 'later')")
    await connection.close()
    for attempt in (migrate_up(postgres_database), PostgresStore(postgres_database).open()):
        with pytest.raises(Unavailable, match="start the newer engine"):
            await attempt


async def test_unreachable_server_is_unavailable_without_its_password():
    """A server that is not there gives a sentence that names no secret."""
    store = PostgresStore("postgresql://ann:hunter2@127.0.0.1:1/flows")
    with pytest.raises(Unavailable) as refusal:
        await store.open()
    assert "hunter2" not in str(refusal.value)
    await store.close()
