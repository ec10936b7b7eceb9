"""`driver check` and `new-driver`: what the author of an SDK begins with."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from rochallor_conformance.running import CONFORMANT, UNEXPECTED
from rochallor_conformance.sdk.check import check_driver
from rochallor_conformance.sdk.manifest import read_manifest
from rochallor_conformance.sdk.scaffold import NotEmpty, languages, new_driver


@click.group()
def driver() -> None:
    """Look at the driver of an SDK."""


@driver.command("check")
@click.argument("path", type=click.Path(path_type=Path))
def check(path: Path) -> int:
    """Judge a driver itself, against the stub, and say in sentences what it does wrong."""
    manifest = read_manifest(path)
    found = asyncio.run(check_driver(manifest))
    for each in found:
        sign = "-" if each.problem is None else "✗" if each.problem else "✓"
        click.echo(f"{sign} {each.promise}{f': {each.why_not}' if each.why_not else ''}")
    wrong = [each for each in found if each.problem]
    for number, each in enumerate(wrong, 1):
        click.echo(f"{number}. {manifest.name} {each.problem} [{each.promise}]")
    click.echo(f"{len(wrong)} wrong" if wrong else "The driver keeps its promises; judge its SDK with: "
               f"rochallor-conformance run --target sdk:{path}")  # fmt: skip
    return UNEXPECTED if wrong else CONFORMANT


@click.command("new-driver")
@click.argument("language", type=click.Choice(languages()))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def scaffold(language: str, folder: Path) -> int:
    """Write a driver to begin with: it speaks the protocol, and one file is left to fill in for an SDK."""
    try:
        files = new_driver(language, folder)
    except NotEmpty as error:
        raise click.UsageError(str(error)) from None
    for path in files:
        click.echo(path)
    click.echo(f"Read {folder / 'README.md'}, then: rochallor-conformance driver check {folder}")
    return CONFORMANT


COMMANDS = (driver, scaffold)
