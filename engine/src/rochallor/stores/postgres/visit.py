"""Looking into the database without being an engine: sessions that can only read, no schema change, no upkeep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from rochallor.stores.postgres.claims import SQL
from rochallor.stores.postgres.connect import READER, connect
from rochallor.stores.postgres.dsn import parse_dsn
from rochallor.stores.postgres.reads import PostgresReads

_SESSION = {**READER, "statement_timeout": "60s"}  # a walk over everything has longer statements than a request


class Visit(NamedTuple):
    """Answers from a database, and what its clock said at the beginning: milliseconds since the epoch."""

    reads: PostgresReads
    now_ms: int


@asynccontextmanager
async def visit(dsn: str) -> AsyncIterator[Visit]:
    """Give the answers that a database holds; raises `Unavailable`, and `ValueError` for a DSN that is none."""
    parsed = parse_dsn(dsn)

    async def line(*_: Any, **pool: Any) -> Any:
        return await connect(parsed, _SESSION, "visit", **pool)

    reads = PostgresReads()
    await reads.open(line, smallest=0, largest=2)
    try:
        [[now_ms]] = await reads.fetch(SQL["database_time"])
        yield Visit(reads, int(now_ms))
    finally:
        await reads.close()
