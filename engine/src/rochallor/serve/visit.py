"""Looking into the configured store beside its engines: which store that is, and what time it is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from rochallor.config import Config, ConfigError
from rochallor.ports import Clock, Reads
from rochallor.stores import sqlite


class Visit(NamedTuple):
    """Answers from a store, and the time its engines go by; `skew_ms` is how far this host's clock is ahead of it."""

    reads: Reads
    now_ms: int
    skew_ms: int


@asynccontextmanager
async def visit(config: Config, clock: Clock) -> AsyncIterator[Visit]:
    """Look into the store of a configuration; raises `ConfigError` if it names none, `Unavailable` if it is away."""
    if config.postgres_dsn:
        from rochallor.stores import postgres  # noqa: PLC0415 - its driver is an extra, which SQLite's users may lack

        async with postgres.visit(config.postgres_dsn) as there:
            yield Visit(there.reads, there.now_ms, clock.now_ms() - there.now_ms)
    elif config.sqlite_path:
        async with sqlite.visit(config.sqlite_path) as reads:
            yield Visit(reads, clock.now_ms(), 0)
    else:
        raise ConfigError(
            "no store is named: set WE_SQLITE_PATH (or give --db FILE) or WE_POSTGRES_DSN, as for the engine"
        )
