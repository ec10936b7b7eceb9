"""When the job table is vacuumed: often while it is small, by shares when it is large."""

from __future__ import annotations

import asyncpg
import pytest
from rochallor.stores.postgres import PostgresStore

INSERT = """
INSERT INTO job (instance_id, step_seq, delivery, step_id, job_type, definition_id, definition_version,
                 retries_remaining, created_at_ms, ready_at_ms, delayed, ready)
SELECT 'i' || n, 1, 1, 's', 't', 'd', 1, 0, 0, 0, false, true FROM generate_series(1, $1::int) AS n
"""


@pytest.fixture
async def store(postgres_database):
    store = PostgresStore(postgres_database, max_conns=4)
    await store.open()
    yield store
    await store.close()


@pytest.mark.parametrize(
    ("jobs", "dirt", "due"), [(10, 199, False), (10, 200, True), (5_000, 300, False), (5_000, 500, True)]
)
async def test_large_table_is_vacuumed_when_a_tenth_of_it_has_changed(store, postgres_database, jobs, dirt, due):
    """Two hundred changed rows are worth a vacuum of a small table, of a large one only a tenth of its rows."""
    connection = await asyncpg.connect(postgres_database)
    await connection.execute(INSERT.replace("$1::int", str(jobs)))
    await connection.execute("ANALYZE job")
    await connection.close()
    store._keeper.dirt = dirt
    assert await store._keeper.is_due() is due
