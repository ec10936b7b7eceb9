"""Definitions: check them here, store them there."""

from __future__ import annotations

from typing import BinaryIO

import click

from rochallor.cli.failures import FAILED
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
