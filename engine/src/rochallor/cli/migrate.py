"""The schema of a PostgreSQL store: bring it up to date, take it back, say where it stands."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

import click

from rochallor.cli.failures import Failure, WrongSetting
from rochallor.cli.options import output_option
from rochallor.cli.output import Output
from rochallor.config import ConfigError, load_config
from rochallor.core.errors import WorkflowError

COLUMNS = ("version", "name", "applied")


@click.group()
def migrate() -> None:
    """The schema of the PostgreSQL database in WE_POSTGRES_DSN; an embedded file needs none of this."""


@migrate.command()
@output_option
def up(*, out: Output) -> None:
    """Bring the schema up to date; engines do the same when they start."""
    from rochallor.stores.postgres import migrate_up  # noqa: PLC0415 - its driver is an extra

    _tell(out, _run(migrate_up(_dsn())), "applied")


@migrate.command()
@click.option("--to", type=click.IntRange(min=0), default=0, help="The last migration to keep; default none.")
@click.confirmation_option(prompt="This drops tables with everything in them. Go on?")
@output_option
def down(*, to: int, out: Output) -> None:
    """Take migrations back, newest first."""
    from rochallor.stores.postgres import migrate_down  # noqa: PLC0415 - as above

    _tell(out, _run(migrate_down(_dsn(), to=to)), "taken back")


@migrate.command()
@output_option
def status(*, out: Output) -> None:
    """List the migrations, and which of them the database has."""
    from rochallor.stores.postgres import migration_status  # noqa: PLC0415 - as above

    out.rows([dict(zip(COLUMNS, state, strict=False)) for state in _run(migration_status(_dsn()))], COLUMNS)


def _dsn() -> str:
    try:
        dsn = load_config(os.environ).config.postgres_dsn
    except ConfigError as error:
        raise WrongSetting(str(error), "rochallor migrate status") from None
    if not dsn:
        message = "WE_POSTGRES_DSN is not set; an embedded SQLite file is brought up to date when it is opened"
        raise WrongSetting(message, "WE_POSTGRES_DSN=postgresql://user@host/name rochallor migrate status")
    return dsn


def _run(work: Coroutine[Any, Any, list[Any]]) -> list[Any]:
    try:
        return asyncio.run(work)
    except (WorkflowError, ValueError) as error:
        raise Failure(str(error), "rochallor migrate status") from None


def _tell(out: Output, done: list[Any], word: str) -> None:
    out.rows([{"version": migration.version, "name": migration.name} for migration in done], COLUMNS[:2])
    out.done(f"{len(done)} {word}.")
