"""`known-failures check|add|prune`: keeping the file of a target honest."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import click
import yaml

from rochallor_conformance.cases.book import read_book
from rochallor_conformance.cases.documents import read_document, read_schema
from rochallor_conformance.cases.model import ENGINE, PAIR, SDK
from rochallor_conformance.contract.places import contract_folder
from rochallor_conformance.known_failures import LONGEST, bookkeeping, read_known_failures
from rochallor_conformance.planning import Wanted, plan
from rochallor_conformance.report.records import Json, Report, read_report
from rochallor_conformance.running import BOOKKEEPING, CONFORMANT

FILE = click.argument("file", type=click.Path(path_type=Path))
REPORT = click.option("--report", required=True, type=click.Path(exists=True, path_type=Path), help="A run's report.")


@click.group("known-failures")
def known_failures() -> None:
    """Keep a target's known failures honest."""


@known_failures.command()
@FILE
@REPORT
def check(file: Path, report: Path) -> int:
    """Say which entries have expired, match nothing, are too broad, pass, or fail with another message."""
    known = read_known_failures(file, read_schema(contract_folder(), "known-failures"))
    judged = read_report(report)
    todo = list(bookkeeping(known, judged.results, _today(), _whole(judged)))
    for sentence in todo:
        click.echo(sentence)
    click.echo(f"{len(known.failures)} entries, {len(todo)} need work", err=True)
    return BOOKKEEPING if todo else CONFORMANT


@known_failures.command()
@FILE
@click.option("--case", required=True, help="The id of a case; * fits anything.")
@click.option("--transport", type=click.Choice(["rest", "grpc"]), help="Default: both.")
@click.option("--reason", required=True)
@click.option("--owner", required=True)
@click.option("--message", required=True, help="What the failure's message contains.")
@click.option("--days", type=click.IntRange(1, LONGEST.days), default=30, show_default=True, help="Until it expires.")
@click.option("--target", default="", help="For a new file: whose failures they are.")
def add(file: Path, target: str, days: int, **entry: Any) -> int:
    """Add an entry; the file is made if there is none."""
    today = _today()
    expires = date.fromordinal(today.toordinal() + days)
    said = {name: value for name, value in entry.items() if value}
    data: dict[str, Any] = _read(file) if file.exists() else {"target": target or file.stem, "failures": []}
    data["failures"].append({**said, "added": today.isoformat(), "expires": expires.isoformat()})
    _write(file, data)
    return CONFORMANT


@known_failures.command()
@FILE
@REPORT
def prune(file: Path, report: Path) -> int:
    """Remove the entries that match nothing any more, or whose cases pass.

    What the report did not play, as that of one shard, stays.
    """
    schema = read_schema(contract_folder(), "known-failures")
    known, judged = read_known_failures(file, schema), read_report(report)
    data = _read(file)
    failing = [_play(result) for result in judged.results if result["status"] in ("failed", "known")]
    played = {_play(result) for result in judged.results}
    unplayed = [play for play in _whole(judged) if play not in played]
    kept = [
        raw
        for raw, entry in zip(data["failures"], known.failures, strict=True)
        if any(entry.fits(*play) for play in (*failing, *unplayed))
    ]
    click.echo(f"removed {len(data['failures']) - len(kept)} of {len(data['failures'])} entries", err=True)
    _write(file, {**data, "failures": kept})
    return CONFORMANT


def _whole(report: Report) -> list[tuple[str, str]]:
    """Return the plays, (case, transport), of a run of this target that leaves nothing out."""
    kind = report.header["target"].partition(":")[0]
    wanted = Wanted(tuple(report.header["transports"]))
    plays = plan(read_book(contract_folder()).cases, wanted, kind if kind in (SDK, PAIR) else ENGINE)
    return [(each.case.name, each.transport) for each in plays]


def _play(result: Json) -> tuple[str, str]:
    return result["case"], result["transport"]


def _read(file: Path) -> dict[str, Any]:
    data: dict[str, Any] = read_document(file, read_schema(contract_folder(), "known-failures")).data
    return data


def _write(file: Path, data: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=118), encoding="utf-8")


def _today() -> date:
    return date.today()  # noqa: DTZ011 - an expiry is a day in the calendar of whoever keeps the file


COMMANDS = (known_failures,)
