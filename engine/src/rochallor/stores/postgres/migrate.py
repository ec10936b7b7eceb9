"""The schema's steps, up and down, by any number of engines at once.

A step is two files, `migrations/NNNN_what.up.sql` and `….down.sql`, never edited once released. All that is missing is
applied in one transaction under an advisory lock: who comes second waits, and finds nothing left to do.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, NamedTuple

from rochallor.core.errors import Unavailable
from rochallor.stores.postgres.connect import KEEPER, connect, translated
from rochallor.stores.postgres.dsn import parse_dsn

_LOCK = "SELECT pg_advisory_xact_lock(1382376301, 1)"
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_version (
    version bigint PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
"""


class Migration(NamedTuple):
    """One step of the schema, both ways."""

    version: int
    name: str
    up: str
    down: str


class MigrationState(NamedTuple):
    """A step, and whether the database has it."""

    version: int
    name: str
    applied: bool


def migrations() -> list[Migration]:
    """Return the steps this engine knows, in order."""
    folder = files(__package__).joinpath("migrations")
    steps = []
    for file in folder.iterdir():
        if file.name.endswith(".up.sql"):
            stem = file.name.removesuffix(".up.sql")
            version, _, name = stem.partition("_")
            down = folder.joinpath(f"{stem}.down.sql").read_text(encoding="utf-8")
            steps.append(Migration(int(version), name, file.read_text(encoding="utf-8"), down))
    return sorted(steps)


async def migrate_up(dsn: str) -> list[Migration]:
    """Apply what is missing and return it; raises `Unavailable`, also for a schema newer than this engine."""
    connection = await _connect(dsn)
    try:
        return await bring_up_to_date(connection)
    finally:
        await connection.close()


async def bring_up_to_date(connection: Any) -> list[Migration]:
    """Apply what is missing over a connection, all or nothing."""
    known = migrations()
    with translated():
        async with connection.transaction():
            await _begin(connection)
            applied = await _applied(connection)
            _check_not_newer(applied, known)
            missing = [step for step in known if step.version not in applied]
            for step in missing:
                await connection.execute(step.up)
                statement = "INSERT INTO schema_version (version, name) VALUES ($1, $2)"
                await connection.execute(statement, step.version, step.name)
    return missing


async def migrate_down(dsn: str, *, to: int = 0) -> list[Migration]:
    """Undo the steps after version `to`, the last first, and return them. What they held is lost."""
    connection = await _connect(dsn)
    try:
        known = migrations()
        with translated():
            async with connection.transaction():
                await _begin(connection)
                applied = await _applied(connection)
                _check_not_newer(applied, known)
                undone = [step for step in reversed(known) if step.version in applied and step.version > to]
                for step in undone:
                    await connection.execute(step.down)
                    await connection.execute("DELETE FROM schema_version WHERE version = $1", step.version)
        return undone
    finally:
        await connection.close()


async def migration_status(dsn: str) -> list[MigrationState]:
    """Return every step this engine knows or the database has; changes nothing."""
    connection = await _connect(dsn)
    try:
        with translated():
            there = await connection.fetchval("SELECT to_regclass('schema_version') IS NOT NULL")
            applied = await _applied(connection) if there else {}
    finally:
        await connection.close()
    names = {**{step.version: step.name for step in migrations()}, **applied}
    return [MigrationState(version, name, version in applied) for version, name in sorted(names.items())]


async def _connect(dsn: str) -> Any:
    return await connect(parse_dsn(dsn), {**KEEPER, "statement_timeout": "0", "synchronous_commit": "on"}, "migrations")


async def _begin(connection: Any) -> None:
    """Wait for our turn; what is read after this statement is what the one before us left."""
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise Unavailable(f"the database is encoded in {encoding}; create it with ENCODING 'UTF8'")
    await connection.execute(_LOCK)
    await connection.execute(_TABLE)


async def _applied(connection: Any) -> dict[int, str]:
    rows = await connection.fetch("SELECT version, name FROM schema_version ORDER BY version")
    return {row["version"]: row["name"] for row in rows}


def _check_not_newer(applied: dict[int, str], known: list[Migration]) -> None:
    unknown = applied.keys() - {step.version for step in known}
    if unknown:
        message = f"the database has schema version {max(unknown)}, this engine knows up to {known[-1].version}"
        raise Unavailable(f"{message}; start the newer engine, or let it take the schema down first")
