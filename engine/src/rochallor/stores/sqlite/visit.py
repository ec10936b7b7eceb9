"""Looking into the file without being its engine: no lock, nothing written, an engine may be at work on it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from rochallor.core.errors import Unavailable
from rochallor.stores.sql import load_migrations
from rochallor.stores.sqlite.connect import connect_reader, translated
from rochallor.stores.sqlite.reads import SqliteReads


@asynccontextmanager
async def visit(file: str) -> AsyncIterator[SqliteReads]:
    """Give the answers that a database file holds; raises `Unavailable` when it is not one that we can read."""
    path = _found(file)
    with closing(connect_reader(path)) as reader:
        _check(reader, path)
    reads = SqliteReads()
    reads.open(path)
    try:
        yield reads
    finally:
        reads.close()


def _found(file: str) -> Path:
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise Unavailable(f"there is no database file {path.name} in {path.parent}; name another one")
    return path


def _check(reader: sqlite3.Connection, path: Path) -> None:
    with translated():
        tables = reader.execute("SELECT count(*) FROM sqlite_master WHERE name = 'schema_version'").fetchone()[0]
        if not tables:
            raise Unavailable(f"{path.name} is no database of this engine; name another file")
        version = reader.execute("SELECT max(version) FROM schema_version").fetchone()[0]
    known = load_migrations(__package__)[-1].version
    if version != known:
        message = f"{path.name} has schema version {version}, this program reads version {known}"
        raise Unavailable(f"{message}; use the program that belongs to the engine, or start this engine once")
