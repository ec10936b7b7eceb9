"""When the job table is vacuumed: often while it is small, by shares when it is large; and what counts as a change."""

from __future__ import annotations

import asyncpg
import pytest
from rochallor.ports import ClaimRequest
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


async def test_every_job_row_that_changes_is_counted(postgres_worlds):
    """Made, claimed, done: each leaves something to sweep up, also of a job that was leased when it was made."""
    world = await postgres_worlds(4)
    wish = ClaimRequest("w", ("a",), 1, 30_000, "token", 1_000)

    async def given_on_the_way():
        async with world.store.transaction() as tx:
            [[job]] = await tx.save([world.started()], last=True, waiting=[wish], now_ms=world.now_ms)
        return job

    async def dirt_of(act):
        before = world.store._keeper.dirt
        return await act, world.store._keeper.dirt - before

    given, made_and_leased = await dirt_of(given_on_the_way())
    _, done_and_the_next_made = await dirt_of(world.complete(given.job))
    claimed_job, claimed = await dirt_of(world.claim("b"))
    _, given_back = await dirt_of(world.give_back(*claimed_job))
    assert (made_and_leased, done_and_the_next_made, claimed, given_back) == (1, 2, 1, 1)
