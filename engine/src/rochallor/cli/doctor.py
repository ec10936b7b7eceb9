"""`rochallor doctor`: whether everything stored still agrees with itself. It reads the store, not the engine."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import Any

import click

from rochallor.cli.dev import DEFAULT_DB
from rochallor.cli.failures import Failure, Unreachable, WrongSetting
from rochallor.cli.options import output_option
from rochallor.cli.output import Output
from rochallor.config import Config, ConfigError, load_config
from rochallor.core.errors import Unavailable
from rochallor.serve.visit import visit
from rochallor.shell.checkup import SKEW_MS
from rochallor.shell.clocks import SystemClock
from rochallor.shell.doctor import Doctor, Finding

COLUMNS = ("instanceId", "check", "level", "finding", "next")
_NTP = "set the clock of this host (ntp)"


@click.command()
@click.option("--db", metavar="FILE", help=f"An embedded store; default what the environment names, or {DEFAULT_DB}.")
@output_option
def doctor(db: str | None, out: Output) -> None:
    """Check that everything stored agrees with itself; an engine may be running meanwhile.

    Ends with 0 when all is well and with 1 when something is not. Notes are worth knowing and need no repair.
    """
    try:
        findings, seen = asyncio.run(_findings(_config(db)))
    except ConfigError as error:
        raise WrongSetting(str(error), "rochallor doctor --db FILE") from None
    except Unavailable as error:
        raise Unreachable(f"the store cannot be read: {error}", "rochallor doctor --db FILE") from None
    if findings:
        out.rows([_row(finding) for finding in findings], COLUMNS)
    grave = [finding for finding in findings if finding.grave]
    if grave:
        raise Failure(f"{_count(len(grave), 'problem')} in {_count(seen, 'instance')}.", grave[0].next_action)
    out.done(f"{_count(seen, 'instance')} looked at, all is well.")


def _config(db: str | None) -> Config:
    config = load_config(os.environ).config
    if db:
        return replace(config, sqlite_path=db, postgres_dsn=None)
    return config if config.postgres_dsn or config.sqlite_path else replace(config, sqlite_path=DEFAULT_DB)


async def _findings(config: Config) -> tuple[list[Finding], int]:
    async with visit(config, SystemClock()) as there:
        walk = Doctor(there.reads, unique_keys=config.business_key_unique, now_ms=there.now_ms)
        findings = [finding async for finding in walk.findings()]
    if abs(there.skew_ms) > SKEW_MS:
        message = f"this host's clock is {there.skew_ms / 1000:+.0f} s off the database's, which is the one that counts"
        findings.append(Finding("", "clock", message, _NTP, grave=False))
    return findings, walk.seen


def _row(finding: Finding) -> dict[str, Any]:
    level = "problem" if finding.grave else "note"
    values = (finding.instance_id, finding.check, level, finding.message, finding.next_action)
    return dict(zip(COLUMNS, values, strict=True))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
