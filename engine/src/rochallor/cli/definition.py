"""Definitions: check them here, store them there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import BinaryIO

import click
from msgspec.structs import replace

from rochallor.cli.failures import FAILED, Failure
from rochallor.cli.graph import PICTURES
from rochallor.cli.options import output_option, talks_to_engine
from rochallor.cli.output import Output
from rochallor.cli.remote import RemoteEngine
from rochallor.core.definition import parse_definition


@click.group()
def definition() -> None:
    """Workflow definitions."""


@definition.command()
@click.argument("files", metavar="FILE...", type=click.File("rb"), nargs=-1, required=True)
@output_option
@click.pass_context
def lint(ctx: click.Context, files: tuple[BinaryIO, ...], out: Output) -> None:
    """Check definitions without an engine; exit with 1 if one would be refused."""
    found, refused = [], False
    for file in files:
        parsed = parse_definition(file.read())
        refused = refused or bool(parsed.problems)
        for severity, problems in (("error", parsed.problems), ("warning", parsed.warnings)):
            for problem in problems:
                place = {"file": file.name, "pointer": problem.pointer}
                found.append({**place, "severity": severity, "code": problem.code, "message": problem.message})
    if found:
        out.rows(found, ["file", "pointer", "severity", "code", "message"])
    if refused:
        ctx.exit(FAILED)
    names = " ".join(file.name for file in files)
    out.done(f"No errors. Try next: rochallor definition push {names}")


@definition.command()
@click.argument("file", type=click.File("rb"))
@talks_to_engine
def push(file: BinaryIO, engine: RemoteEngine, out: Output) -> None:
    """Upload a definition; the same content again is the same version."""
    stored = engine.post("definitions", raw=file.read(), next_command=f"rochallor definition lint {file.name}")
    out.one(stored)
    out.done(f"Try next: rochallor instance start {stored['id']} --vars '{{}}'")


@definition.command(name="list")
@click.option("--keyword", help="Part of an id or a name.")
@click.option("--page", type=click.IntRange(min=0), default=0)
@talks_to_engine
def list_(keyword: str | None, page: int, engine: RemoteEngine, out: Output) -> None:
    """List the newest version of each definition."""
    answer = engine.get("definitions", query={"keyword": keyword, "page": page})
    out.rows(answer["items"], ["id", "version", "name", "uploadedAt"])


@definition.command()
@click.argument("definition_id", metavar="ID")
@click.option("--version", "number", type=click.IntRange(min=1), help="Default: the newest.")
@talks_to_engine
def show(definition_id: str, number: int | None, engine: RemoteEngine, out: Output) -> None:
    """Print a definition."""
    path = ("definitions", definition_id, *(("versions", str(number)) if number else ()))
    out.one(engine.get(*path, next_command="rochallor definition list"))


@definition.command()
@click.argument("source", metavar="FILE|ID")
@click.option("--version", "number", type=click.IntRange(min=1), help="Of the definition ID; default: the newest.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(PICTURES)),
    help="Default: a tree on a terminal, else Mermaid. DOT is for Graphviz.",
)
@talks_to_engine
def graph(source: str, number: int | None, form: str | None, engine: RemoteEngine, out: Output) -> None:
    """Draw a definition: one in a file (`-`: standard input), or one that the engine has."""
    raw, version = _read(source), 0
    if raw is None:
        path = ("definitions", source, *(("versions", str(number)) if number else ()))
        found = engine.get(*path, next_command="rochallor definition list")
        raw, version = json.dumps(found).encode(), found["version"]
    parsed = parse_definition(raw)
    if parsed.definition is None:
        reason = f"this is no definition that can be drawn: {parsed.problems[0].message}"
        raise Failure(reason, f"rochallor definition lint {source}")
    picture = PICTURES[form or ("tree" if out.for_people else "mermaid")]
    click.echo(picture(replace(parsed.definition, version=version)))


def _read(source: str) -> bytes | None:
    """Return the file's bytes, None when the source is the id of a definition."""
    if source == "-":
        return sys.stdin.buffer.read()
    file = Path(source)
    if not file.is_file() and not source.endswith(".json") and "/" not in source:
        return None
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{source} cannot be read: {error.strerror}") from None
