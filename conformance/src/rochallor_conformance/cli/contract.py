"""`contract record|replay` and `diff`: what was said to one target, said again to another or judged by itself."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console

from rochallor_conformance import __version__
from rochallor_conformance.cases.book import Book, Requirement, read_book, revision_of
from rochallor_conformance.cli.judging import TARGET_HELP, selection, wanted_of
from rochallor_conformance.contract.places import contract_folder
from rochallor_conformance.engine.targets import Fleet, Target, read_target
from rochallor_conformance.planning import plan
from rochallor_conformance.replay.cassette import Cassette, Take, read_cassette, write_cassette
from rochallor_conformance.replay.sessions import Chance, judge_all, record_all, replay_all
from rochallor_conformance.report.records import FAILED, SKIPPED, Json, Writer, counts
from rochallor_conformance.report.terminal import Terminal
from rochallor_conformance.running import CONFORMANT, UNEXPECTED, exit_code
from rochallor_conformance.transports.exchange import TRANSPORTS

SEED = click.option("--seed", type=int, default=0, show_default=True, help="Where names and chance come from.")


@click.group()
def contract() -> None:
    """Replay the contract: record what a target says, say it again elsewhere, judge it offline."""


@contract.command("record")
@click.option("--target", required=True, help=TARGET_HELP)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Where the cassette goes.")
@selection
@SEED
def record_verb(target: str, out: Path, transports: tuple[str, ...], seed: int, **options: Any) -> int:
    """Play cases and keep every request with its answer on a cassette (NDJSON).

    Without --transport it records over REST; such a cassette can be replayed over both.
    """
    book, subject = read_book(contract_folder()), read_target(target)
    cassette = asyncio.run(_recorded(book, subject, transports or TRANSPORTS[:1], seed, options))
    write_cassette(out, cassette)
    count = sum(len(take.exchanges) for take in cassette.takes)
    click.echo(f"{out}: {count} exchanges of {len(cassette.takes)} cases; {len(cassette.left_out)} left out", err=True)
    _count(cassette.left_out.values())
    failed = [take.about.case for take in cassette.takes if take.about.verdict == FAILED]
    for name in failed:
        click.echo(f"  {name} failed while it was recorded: `rochallor-conformance repro {name}` says why", err=True)
    return UNEXPECTED if failed else CONFORMANT


async def _recorded(
    book: Book, subject: Target, transports: tuple[str, ...], seed: int, options: dict[str, Any]
) -> Cassette:
    plays = plan(book.cases, wanted_of(book, transports, options))
    if not plays:
        raise click.UsageError("no case fits; `rochallor-conformance list` shows what there is")
    with tempfile.TemporaryDirectory(prefix="rochallor-conformance-") as folder:
        async with Fleet(subject, Path(folder)) as fleet:
            return await record_all(book, plays, fleet, Chance(seed, secrets.token_hex(4)))


@contract.command("replay")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--target", help=TARGET_HELP)
@click.option("--transport", type=click.Choice(TRANSPORTS), help="Default: the one it was recorded over.")
@click.option("--offline", is_flag=True, help="Judge the recorded answers by the contract, without any engine.")
@click.option("--case", "cases", multiple=True, help="A case or an area; * fits anything.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Where an NDJSON report goes.")
@SEED
def replay_verb(
    file: Path,
    *,
    target: str | None,
    transport: str | None,
    offline: bool,
    cases: tuple[str, ...],
    report: Path | None,
    seed: int,
) -> int:
    """Send a cassette's requests again and compare the answers; or judge it offline."""
    if offline == (target is not None):
        raise click.UsageError("say either --target T, or --offline")
    cassette = read_cassette(file)
    takes = [take for take in cassette.takes if not cases or any(_fits(pattern, take) for pattern in cases)]
    if not takes:
        raise click.UsageError(f"no take of {file} fits")
    _mention_revision(cassette)
    chosen = Cassette(cassette.header, takes)
    subject = read_target(target) if target else None
    over = [transport] if transport else sorted({take.about.transport for take in takes})
    session = Session(subject.name if subject else "offline", over, seed, len(takes), report)
    again = f"rochallor-conformance contract replay {shlex.quote(str(file))} --case {{case}} " + (
        f"--target {target} --transport {{transport}}" if target else "--offline"
    )
    if subject is None:
        return _told(session, again, lambda tell: judge_all(chosen, tell))
    return _told(session, again, lambda tell: asyncio.run(_replayed(takes, subject, transport or "", seed, tell)))


def _fits(pattern: str, take: Take) -> bool:
    literal = pattern.replace("[", "[[]")
    names = (take.about.case, take.about.case.partition("[")[0], take.about.area)
    return any(fnmatchcase(name, literal) for name in names)


def _mention_revision(cassette: Cassette) -> None:
    now = revision_of(contract_folder())
    if cassette.header.revision != now:
        click.echo(f"recorded at revision {cassette.header.revision}, the contract is at {now}", err=True)


async def _replayed(
    takes: list[Take], subject: Target, transport: str, seed: int, tell: Callable[[Json], None]
) -> list[Json]:
    with tempfile.TemporaryDirectory(prefix="rochallor-conformance-") as folder:
        async with Fleet(subject, Path(folder)) as fleet:
            return await replay_all(takes, transport, fleet, Chance(seed, secrets.token_hex(4)), tell)


class Session(NamedTuple):
    """What the header of a report says of a replay. `report` is where it goes, None if nowhere."""

    target: str
    transports: list[str]
    seed: int
    planned: int
    report: Path | None = None


def _told(session: Session, again: str, work: Callable[[Callable[[Json], None]], list[Json]]) -> int:
    """Do the work, tell it on the terminal and into the report; `again` is the command that replays one case."""
    began, started = time.monotonic(), datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    terminal = Terminal(Console())
    with ExitStack() as stack:
        stream: Any = stack.enter_context(session.report.open("w", encoding="utf-8")) if session.report else StringIO()
        writer = Writer(stream)
        facts = {"format": 1, "harness": __version__, "revision": revision_of(contract_folder())}
        asked = {"target": session.target, "transports": session.transports, "seed": session.seed, "shard": "1/1"}
        writer.write("header", {**facts, **asked, "planned": session.planned, "started": started})

        def tell(result: Json) -> None:
            if "failure" in result:
                names = {"case": shlex.quote(result["case"]), "transport": result["transport"]}
                result["failure"]["repro"] = again.format(**names)
                result["failure"]["requirements"] = _sentences(result["requirements"])
            writer.write("result", result)
            terminal.tell(result)

        results = work(tell)
        code = exit_code(results, session.planned, [])
        footer = {"counts": counts(results), "finished": len(results), "exit": code}
        writer.write("footer", {**footer, "ms": round((time.monotonic() - began) * 1000, 1)})
    terminal.sum_up(results, code, session.report)
    _count(result["reason"] for result in results if result["status"] == SKIPPED)
    return code


def _sentences(requirements: list[str]) -> list[str]:
    """Return requirements with their text; a cassette may know some that the contract has no more."""
    known = _requirements()
    return [f"{name}: {known[name].text}" if name in known else name for name in requirements]


@cache
def _requirements() -> dict[str, Requirement]:
    return read_book(contract_folder()).requirements


def _count(reasons: Iterable[str]) -> None:
    for reason, number in sorted(Counter(reasons).items()):
        click.echo(f"  left out {number}: {reason}", err=True)


@click.command()
@click.argument("first")
@click.argument("second")
@selection
@SEED
def diff(first: str, second: str, transports: tuple[str, ...], seed: int, **options: Any) -> int:
    """Play the same cases on two targets and list where the second answers differently."""
    book, one, other = read_book(contract_folder()), read_target(first), read_target(second)
    cassette = asyncio.run(_recorded(book, one, transports or TRANSPORTS, seed, options))
    takes = cassette.takes
    if not takes:
        raise click.UsageError("none of these cases can be compared: " + "; ".join(set(cassette.left_out.values())))
    over = list(transports or TRANSPORTS)
    again = f"rochallor-conformance diff {first} {second} --case {{case}} --transport {{transport}}"
    session = Session(f"{one.name} and {other.name}", over, seed, len(takes))
    return _told(session, again, lambda tell: asyncio.run(_replayed(takes, other, "", seed, tell)))


COMMANDS = (contract, diff)
