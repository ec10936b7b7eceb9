"""Stores to measure on: SQLite files, and databases of a PostgreSQL server from its wheel. Both with durable commits.

A store is named by the environment of an engine on it. Rows are poured in by the store's own statements, so that a
filled store looks as if an engine had written all of it; what an idle hour would do to such a store (checkpoint,
statistics, vacuum) is done at the end of pouring, and copies are on the disk before anything is measured.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol
from urllib.parse import urlsplit

import click
from rochallor.stores.postgres.arrays import arrays
from rochallor.stores.postgres.claims import SQL as POSTGRES_SQL
from rochallor.stores.sqlite.writes import SQL as SQLITE_SQL

from tools.postgres_server import NoServer, execute, postgres_server

Environment = dict[str, str]
Batch = tuple[str, Sequence[tuple[Any, ...]]]

KINDS = ("sqlite", "postgres")
SERVER_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB"}


class Stores(Protocol):
    """One kind of store."""

    name: str

    def empty(self, label: str) -> Environment:
        """Name a new store; an engine makes its schema."""
        ...

    def copy(self, store: Environment, label: str) -> Environment:
        """Copy a store that no engine is on."""
        ...

    def drop(self, store: Environment) -> None:
        """Throw a store away."""
        ...

    def pour(self, store: Environment, batches: Iterable[Batch], *, rest: bool = True) -> None:
        """Write rows of named statements into a store that has its schema, then leave it as it would be at rest.

        Without `rest` a PostgreSQL store is left as it is: neither vacuumed nor analysed.
        """
        ...


class SqliteStores:
    """Files in a folder."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def empty(self, label: str) -> Environment:
        """Name a file that is not there yet."""
        return {"WE_SQLITE_PATH": str(self._folder / f"{label}.db")}

    def copy(self, store: Environment, label: str) -> Environment:
        """Copy the file; its log is empty while no engine is on it."""
        twin = self.empty(label)
        shutil.copyfile(store["WE_SQLITE_PATH"], twin["WE_SQLITE_PATH"])
        os.sync()
        return twin

    def drop(self, store: Environment) -> None:
        """Delete the file and what lies beside it."""
        path = Path(store["WE_SQLITE_PATH"])
        for beside in path.parent.glob(f"{path.name}*"):
            beside.unlink()

    def pour(self, store: Environment, batches: Iterable[Batch], *, rest: bool = True) -> None:  # noqa: ARG002  # same
        """Write everything in one transaction that waits for the disk at its end only."""
        with closing(sqlite3.connect(store["WE_SQLITE_PATH"], isolation_level=None)) as file:
            file.execute("PRAGMA synchronous = OFF")
            file.execute("PRAGMA cache_size = -262144")
            file.execute("BEGIN IMMEDIATE")
            for name, rows in batches:
                file.executemany(SQLITE_SQL[name], rows)
            file.execute("COMMIT")
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        os.sync()


class PostgresStores:
    """Databases of one server."""

    name = "postgres"

    def __init__(self, server: str) -> None:
        self._server = server

    def empty(self, label: str) -> Environment:
        """Create a database."""
        return self._create(label, "")

    def copy(self, store: Environment, label: str) -> Environment:
        """Copy the database's files."""
        twin = self._create(label, f"TEMPLATE {_database(store)} STRATEGY FILE_COPY")
        asyncio.run(execute(self._server, "CHECKPOINT"))
        os.sync()
        return twin

    def drop(self, store: Environment) -> None:
        """Drop the database."""
        asyncio.run(execute(self._server, f"DROP DATABASE {_database(store)} WITH (FORCE)"))

    def pour(self, store: Environment, batches: Iterable[Batch], *, rest: bool = True) -> None:
        """Write by the store's array statements, then vacuum as autovacuum would have done on the way."""
        asyncio.run(_pour(store["WE_POSTGRES_DSN"], batches, rest=rest))

    def _create(self, label: str, clause: str) -> Environment:
        asyncio.run(execute(self._server, f"CREATE DATABASE {label} {clause}"))
        return {"WE_POSTGRES_DSN": urlsplit(self._server)._replace(path=f"/{label}").geturl()}


async def _pour(dsn: str, batches: Iterable[Batch], *, rest: bool) -> None:
    import asyncpg  # noqa: PLC0415  # SQLite's figures need no driver

    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off"})
    try:
        for name, rows in batches:
            await connection.execute(POSTGRES_SQL[name], *arrays(rows))
        if rest:
            await connection.execute("VACUUM (FREEZE, ANALYZE)")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _database(store: Environment) -> str:
    return urlsplit(store["WE_POSTGRES_DSN"]).path.lstrip("/")


@contextmanager
def stores(kind: str) -> Iterator[Stores]:
    """Give a place for stores of this kind; all of them are gone at the end."""
    if kind == "sqlite":
        with TemporaryDirectory(prefix="bench-") as folder:
            yield SqliteStores(Path(folder))
        return
    try:
        with postgres_server(SERVER_SETTINGS) as dsn:
            yield PostgresStores(dsn)
    except NoServer as error:
        raise click.ClickException(f"{error}; or measure with --store sqlite") from None
