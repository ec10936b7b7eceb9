"""What makes life hard for a store, made on purpose: a transaction that somebody forgot, statistics that nobody made.

Each says whether it was there from the first second to the last, or else raises: a figure without it would be a lie.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from bench.stores import Environment

_LOOK = "SELECT count(*) FROM event"


@contextmanager
def forgotten_transaction(store: Environment) -> Iterator[None]:
    """Keep a snapshot open on a connection of its own, as a forgotten console does; raises if it is lost.

    Rows that die meanwhile cannot be vacuumed on PostgreSQL, and the write-ahead log of SQLite only grows.
    """
    with _postgres(store) if "WE_POSTGRES_DSN" in store else _sqlite(store):
        yield


@contextmanager
def _postgres(store: Environment) -> Iterator[None]:
    # The connection sleeps while its loop does not run, and the server waits for it: that is the point.
    with asyncio.Runner() as runner:
        connection = runner.run(_connect(store))
        try:
            runner.run(connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ"))
            before = runner.run(connection.fetchval(_LOOK))
            yield
            _unchanged(before, runner.run(connection.fetchval(_LOOK)))
        finally:
            runner.run(connection.close())


@contextmanager
def _sqlite(store: Environment) -> Iterator[None]:
    with closing(sqlite3.connect(store["WE_SQLITE_PATH"], isolation_level=None)) as file:
        file.execute("BEGIN")
        [before] = file.execute(_LOOK).fetchone()
        yield
        _unchanged(before, file.execute(_LOOK).fetchone()[0])


def _unchanged(before: int, after: int) -> None:
    if before != after:
        raise RuntimeError("the old transaction sees new rows: its snapshot was lost on the way")


def without_autovacuum(store: Environment) -> None:
    """Have nobody but the engine vacuum or analyse the tables of a PostgreSQL store that has its schema."""
    asyncio.run(_for_each_table(store))


def assert_never_analysed(store: Environment) -> None:
    """Raise if a table of a PostgreSQL store has statistics."""
    if tables := asyncio.run(_analysed(store)):
        raise RuntimeError(f"somebody analysed {', '.join(tables)}: the figures are not those of a database without it")


async def _for_each_table(store: Environment) -> None:
    connection = await _connect(store)
    try:
        for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"):
            await connection.execute(f'ALTER TABLE "{row[0]}" SET (autovacuum_enabled = false)')
    finally:
        await connection.close()


async def _analysed(store: Environment) -> list[str]:
    connection = await _connect(store)
    try:
        rows = await connection.fetch(
            "SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = current_schema() ORDER BY tablename"
        )
    finally:
        await connection.close()
    return [row[0] for row in rows]


async def _connect(store: Environment) -> Any:
    import asyncpg  # noqa: PLC0415  # SQLite's figures need no driver

    return await asyncpg.connect(store["WE_POSTGRES_DSN"])
