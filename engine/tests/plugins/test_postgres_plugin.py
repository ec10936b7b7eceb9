"""The throw-away server itself."""

import asyncpg


async def test_every_test_gets_an_empty_database_of_its_own(postgres_database):
    """A test's database holds no table, and the server behind it is a PostgreSQL that takes JSON as text."""
    connection = await asyncpg.connect(postgres_database)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    finally:
        await connection.close()


async def test_a_database_takes_many_connections(postgres_database):
    """The pool of an engine with its defaults fits into the server."""
    async with asyncpg.create_pool(postgres_database, min_size=8, max_size=8) as pool:
        assert await pool.fetchval("SELECT 1") == 1
