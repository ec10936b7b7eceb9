"""`mutate`: whether every defect of the catalogue is noticed by a case that says so."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from io import StringIO
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, TaskID

from rochallor_conformance import __version__
from rochallor_conformance.cases.book import Book, read_book
from rochallor_conformance.contract.places import contract_folder
from rochallor_conformance.hunting import Bag, Hunt, hunt
from rochallor_conformance.mutants.catalogue import strains_of
from rochallor_conformance.report.hunt import show_hunt
from rochallor_conformance.report.records import Json, Writer
from rochallor_conformance.sdk.manifest import read_manifest
from rochallor_conformance.transports.exchange import TRANSPORTS


@click.command()
@click.option("--mutant", "patterns", multiple=True, help="Only these mutants; * fits anything.")
@click.option("--flag-idle", is_flag=True, help="Play every case that claims a kill, and name those that kill nothing.")
@click.option("--broken-sdk", help="A driver.toml whose driver breaks its SDK as the variable SDK_MUTANT says.")
@click.option("--seed", type=int, default=0, show_default=True, help="Where names and chance come from.")
@click.option("--report", type=click.Path(path_type=Path), help="Where the NDJSON report goes; `-` is standard output.")
def mutate(patterns: tuple[str, ...], flag_idle: bool, broken_sdk: str | None, seed: int, report: Path | None) -> int:
    """Start the stub, or an SDK, with each defect of the catalogue; see whether the cases that claim to kill it do.

    Ends with 5 when a defect survives or its patch does not fit the engine any more.
    """
    book = read_book(contract_folder())
    mutants = [name for name in book.mutants if not patterns or any(fnmatchcase(name, each) for each in patterns)]
    if not mutants:
        raise click.BadParameter("no mutant fits; `rochallor-conformance list --mutants` shows them")
    console = Console(stderr=report is not None and str(report) == "-")
    began = time.monotonic()
    with ExitStack() as stack:
        stream: Any = StringIO()
        if report is not None:
            stream = sys.stdout if str(report) == "-" else stack.enter_context(report.open("w", encoding="utf-8"))
        writer = Writer(stream)
        total = sum(len(strains_of(name) or [name]) for name in mutants)
        writer.write("header", _header(book, seed, total))
        with Progress(console=console, transient=True) as progress:
            tell = _teller(progress, progress.add_task("mutants", total=total))
            sdk = None if broken_sdk is None else read_manifest(Path(broken_sdk))
            bag = asyncio.run(hunt(Hunt(book, mutants, seed, secrets.token_hex(4), flag_idle, tell, sdk)))
        for row in bag.rows:
            writer.write("mutant", row)
        writer.write("footer", _footer(bag, began))
    show_hunt(console, bag.rows, bag.idle, bag.code)
    return bag.code


def _teller(progress: Progress, task: TaskID) -> Callable[[Json], None]:
    def tell(row: Json) -> None:
        progress.update(task, advance=1, description=f"{row['mutant']}: {row['status']}")

    return tell


def _header(book: Book, seed: int, planned: int) -> Json:
    return {
        "format": 1,
        "harness": __version__,
        "revision": book.revision,
        "target": "mutants",
        "transports": list(TRANSPORTS),
        "seed": seed,
        "shard": "1/1",
        "planned": planned,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _footer(bag: Bag, began: float) -> Json:
    statuses = [row["status"] for row in bag.rows]
    return {
        "counts": {status: statuses.count(status) for status in dict.fromkeys(statuses)},
        "finished": len(bag.rows),
        "exit": bag.code,
        "bookkeeping": [f"{claim}: kills nothing" for claim in bag.idle],
        "ms": round((time.monotonic() - began) * 1000, 1),
    }


COMMANDS = (mutate,)
