"""`run`, `repro` and `doctor`: what talks to a target."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import secrets
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
import yaml
from rich.console import Console

from rochallor_conformance import __version__
from rochallor_conformance.cases.book import Book, read_book
from rochallor_conformance.cases.documents import read_schema
from rochallor_conformance.contract.places import contract_folder
from rochallor_conformance.engine.targets import Fleet, Target
from rochallor_conformance.known_failures import KnownFailures, draft, read_known_failures
from rochallor_conformance.planning import LEVELS, Planned, Wanted, plan
from rochallor_conformance.report.records import Json, Writer
from rochallor_conformance.report.terminal import Terminal, show_failure
from rochallor_conformance.running import CONFORMANT, INCOMPLETE, UNEXPECTED, Order, Subject
from rochallor_conformance.running import run as run_order
from rochallor_conformance.shrink import shrink
from rochallor_conformance.subjects import Named, opened, read_subject
from rochallor_conformance.transports.exchange import TRANSPORTS, Unreachable

F = TypeVar("F", bound=Callable[..., Any])

MISSING = "not installed: pip install rochallor-conformance[engines]"
TARGET_HELP = (
    "engine:sqlite, engine:postgres, engine:stub[,mutant=NAME] (started for the run), engine:URL[,grpc=HOST:PORT], "
    "sdk:PATH/driver.toml, or pair:PATH/driver.toml (the engine's cases, spoken through an SDK)."
)


class Shard(click.ParamType[Any]):
    """i/n, counted from 1."""

    name = "i/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return both numbers."""
        found = re.fullmatch(r"(\d+)/(\d+)", str(value))
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            self.fail(f"{value!r} is no shard; 1/2 and 2/2 are the two halves", param, ctx)
        return int(found[1]), int(found[2])


def selection(command: F) -> F:
    """Add the options that say which cases are meant."""
    for option in (
        click.option("--revision", help="Only the cases that this revision froze, 2026-11 for example."),
        click.option("--shard", type=Shard(), default="1/1", show_default=True, help="The i-th of n parts."),
        click.option("--level", type=click.Choice(LEVELS), default="MAY", show_default=True, help="The weakest level."),
        click.option("--case", "cases", multiple=True, help="A case, an area or a requirement; * fits anything."),
        click.option("--transport", "transports", multiple=True, type=click.Choice(TRANSPORTS), help="Default: both."),
    ):
        command = option(command)
    return command


def wanted_of(book: Book, transports: tuple[str, ...], options: dict[str, Any]) -> Wanted:
    """Return what these options ask for."""
    frozen = None
    if name := options["revision"]:
        found = next((each for each in book.revisions if each.revision == name), None)
        if found is None:
            raise click.BadParameter(f"there is no revision {name}", param_hint="--revision")
        frozen = frozenset(found.cases)
    return Wanted(transports, options["cases"], options["level"], options["shard"], frozen)


@click.command()
@click.option("--target", required=True, help=TARGET_HELP)
@selection
@click.option("--seed", type=int, default=0, show_default=True, help="Where names and chance come from.")
@click.option("--known-failures", type=click.Path(path_type=Path), help="What the target is known to fail.")
@click.option("--draft", "draft_to", type=click.Path(path_type=Path), help="Write such a file from what fails now.")
@click.option("--report", type=click.Path(path_type=Path), help="Where the NDJSON report goes; `-` is standard output.")
def run(
    target: str, seed: int, known_failures: Path | None, draft_to: Path | None, report: Path | None, **options: Any
) -> int:
    """Judge a target: play the cases, write the report, say what is wrong."""
    folder = contract_folder()
    book, subject = read_book(folder), read_subject(target)
    known = read_known_failures(known_failures, read_schema(folder, "known-failures")) if known_failures else None
    with ExitStack() as stack:
        terminal = Terminal(Console(stderr=report is not None and str(report) == "-"))
        stream: Any = StringIO()
        if report is not None:
            stream = sys.stdout if str(report) == "-" else stack.enter_context(report.open("w", encoding="utf-8"))
        results: list[Json] = []

        def tell(result: Json) -> None:
            results.append(result)
            terminal.tell(result)

        name, code, todo = asyncio.run(_judge(book, subject, options, (seed, known, tell), Writer(stream)))
    terminal.sum_up(results, code, report, todo)
    if draft_to is not None:
        today = date.today()  # noqa: DTZ011 - an expiry is a day in a calendar
        draft_to.write_text(draft(name, results, today), encoding="utf-8")
        click.echo(
            f"A draft of known failures is in {draft_to}; write a reason and an owner into each entry.", err=True
        )
    return code


async def _judge(
    book: Book,
    named: Named,
    options: dict[str, Any],
    rest: tuple[int, KnownFailures | None, Callable[[Json], None]],
    writer: Writer,
) -> tuple[str, int, list[str]]:
    seed, known, tell = rest
    async with opened(named) as subject:
        offered = subject.transports()
        transports = tuple(each for each in TRANSPORTS if each in (options["transports"] or offered))
        wanted = wanted_of(book, transports, options)
        plays = plan(book.cases, wanted, named.kind)
        if not plays:
            raise click.UsageError("no case fits; `rochallor-conformance list` shows what there is")
        whole = plan(book.cases, Wanted(offered), named.kind)
        order = Order(book, plays, wanted, seed, secrets.token_hex(4), known, tell, whole)
        return subject.name, *await run_order(order, subject, writer)


@click.command()
@click.argument("case")
@click.option("--target", required=True, help=TARGET_HELP)
@click.option("--transport", type=click.Choice(TRANSPORTS), default="rest", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def repro(case: str, target: str, transport: str, seed: int) -> int:
    """Play one case again; when it fails, look for the fewest acts that make it fail."""
    book, subject = read_book(contract_folder()), read_subject(target)
    found = [each for each in book.cases if case in (each.name, each.id)]
    if not found:
        raise click.BadParameter(
            f"there is no case {case!r}; `rochallor-conformance list` shows them", param_hint="CASE"
        )
    return max(asyncio.run(_repro(book, subject, Planned(each, transport), seed)) for each in found)


async def _repro(book: Book, named: Named, planned: Planned, seed: int) -> int:
    results: list[Json] = []
    wanted = Wanted((planned.transport,))

    async def attempt(trial: Planned, subject: Subject) -> Json:
        order = Order(book, [trial], wanted, seed, secrets.token_hex(4), None, results.append)
        await run_order(order, subject, Writer(StringIO()))
        return results[-1]

    async with opened(named) as subject:
        first = await attempt(planned, subject)
        if first["status"] != "failed":
            click.echo(f"{planned.name}: {first['status']} {first.get('reason', '')}".rstrip())
            return CONFORMANT if first["status"] != "broken" else INCOMPLETE
        show_failure(Console(), first)
        smaller = await shrink(planned, first, lambda trial: attempt(trial, subject))
    if smaller.case != planned.case:
        click.echo("\nIt fails in the same way with these acts alone:\n")
        click.echo(_acts(smaller))
    return UNEXPECTED


def _acts(planned: Planned) -> str:
    acts = {part: [_written(step) for step in getattr(planned.case, part)] for part in ("when", "then")}
    text: str = yaml.safe_dump(msgspec.to_builtins(acts), sort_keys=False, allow_unicode=True, width=118)
    return text


def _written(step: Any) -> Json:
    """Return a step as its author would write it: without what it leaves at its default."""
    fields, defaults = (msgspec.to_builtins(each) for each in (step, type(step)()))
    return {name: value for name, value in fields.items() if name not in defaults or defaults[name] != value}


@click.command()
@click.option("--target", help=TARGET_HELP)
def doctor(target: str | None) -> int:
    """Say whether everything is there that a run needs, and what a target can do."""
    book = read_book(contract_folder())
    click.echo(f"rochallor-conformance {__version__}, revision {book.revision}")
    click.echo(f"contract    {len({case.id for case in book.cases})} cases, {len(book.requirements)} requirements, "
               f"{len(book.mutants)} mutants in {book.folder}")  # fmt: skip
    for name, module in (("engine", "rochallor"), ("stub", "rochallor_stub"), ("postgres", "asyncpg")):
        there = importlib.util.find_spec(module) is not None
        click.echo(
            f"{name:<11} {'installed' if there else 'not installed: pip install rochallor-conformance[engines]'}"
        )
    named = read_subject(target) if target else Named("")
    if named.driver is not None:
        click.echo(f"driver      {named.driver.name} over {', '.join(named.driver.transports)}")
        click.echo(f"claims      {', '.join(sorted(named.driver.capabilities)) or 'nothing'}")
    return asyncio.run(_examine(named.engine)) if named.engine else CONFORMANT


async def _examine(subject: Target) -> int:
    code = CONFORMANT
    with tempfile.TemporaryDirectory(prefix="rochallor-conformance-") as folder:
        async with Fleet(subject, Path(folder)) as fleet:
            for transport in fleet.transports():
                try:
                    bench = await fleet.bench(transport)
                except Unreachable as error:
                    click.echo(f"{transport:<11} {error}")
                    code = INCOMPLETE
                else:
                    able = ", ".join(sorted(bench.capabilities)) or "the base contract"
                    click.echo(f"{transport:<11} answers; it can: {able}")
    return code


COMMANDS = (run, repro, doctor)
