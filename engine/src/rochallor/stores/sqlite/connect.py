"""Connections to the file, and what SQLite's errors mean to a caller.

Everything SQLite-specific about opening belongs here: pragmas, the schema's steps, refusing files that are not ours.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rochallor.core.errors import Unavailable
from rochallor.ports import StoreConflict
from rochallor.stores.sql import Migration, load_migrations

_PATIENCE_S = 0.25
"""How long to wait for a foreign lock (somebody's sqlite3 shell): the wait blocks the event loop, so it is short."""

_CACHE_KIB = 64 * 1024
"""What the writer keeps in memory of a large file; SQLite's own 2 MiB is less than the indexes of a busy queue."""

_CHECKPOINT_PAGES = 16_000
"""Pages of write-ahead log (64 MiB) before a commit copies them into the file, where `Checkpoints` has not done so."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise SQLite's errors as the port's: `StoreConflict` for a broken constraint, else `Unavailable`."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise StoreConflict(_conflict(str(error))) from error
    except sqlite3.OperationalError as error:
        raise Unavailable(f"the database cannot do this now: {error}; try again") from error
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise Unavailable("this is not an SQLite database; name another file") from error
        raise Unavailable(f"the database is damaged: {error}; restore it from a backup") from error


_CONFLICTS = {
    "business_key.": "the business key is held by another instance",
    "definition.": "this version of the definition exists",
}


def _conflict(constraint: str) -> str:
    """Return a broken constraint in words that a caller can use."""
    words = (text for table, text in _CONFLICTS.items() if f" {table}" in constraint)
    return next(words, "the instance is not at the revision this change was made from")


def connect_writer(path: Path, *, durable: bool) -> sqlite3.Connection:
    """Open the file for writing, creating it, and bring its schema up to date; raises `Unavailable` saying why not."""
    try:
        writer = _connect(path, "rwc")
    except sqlite3.Error as error:
        raise Unavailable(f"the database file {path.name} cannot be opened: {error}") from error
    try:
        _check_ours(writer, path)
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        writer.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        writer.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        _migrate(writer, path)
    except sqlite3.Error as error:
        writer.close()
        raise Unavailable(f"the database file {path.name} cannot be used: {error}") from error
    except Unavailable:
        writer.close()
        raise
    return writer


def connect_checkpointer(path: Path) -> sqlite3.Connection:
    """Open the file for copying the write-ahead log into it."""
    return _connect(path, "rw")


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the file for reading committed rows."""
    with translated():
        reader = _connect(path, "ro")
        reader.create_function("fold", 1, str.lower, deterministic=True)
        return reader


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # Used from the loop's thread and, one at a time, from a helper thread; SQLite itself is built for that.
    uri = f"{path.as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)


def _check_ours(writer: sqlite3.Connection, path: Path) -> None:
    try:
        tables = {name for (name,) in writer.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"{path.name} is not an SQLite database; name another file") from error
    if tables and "schema_version" not in tables:
        raise Unavailable(f"{path.name} is a database of another program; name another file")


def _migrate(writer: sqlite3.Connection, path: Path) -> None:
    """Apply the steps the schema lacks, all or none."""
    known = load_migrations(__package__)
    writer.execute("BEGIN IMMEDIATE")
    try:
        writer.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        (current,) = writer.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
        _check_not_newer(current, known[-1].version, path)
        for migration in known:
            if migration.version > current:
                _apply(writer, migration)
        writer.execute("COMMIT")
    except BaseException:
        if writer.in_transaction:
            writer.execute("ROLLBACK")
        raise


def _check_not_newer(current: int, known: int, path: Path) -> None:
    if current > known:
        message = f"{path.name} has schema version {current}, this engine knows up to {known}"
        raise Unavailable(f"{message}; start the newer engine that wrote it")


def _apply(writer: sqlite3.Connection, migration: Migration) -> None:
    # Not `executescript`: it commits first, and a step cut off half-way must leave nothing.
    statement = ""
    for line in migration.script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            writer.execute(statement)
            statement = ""
    writer.execute("INSERT INTO schema_version (version, name) VALUES (?, ?)", (migration.version, migration.name))
