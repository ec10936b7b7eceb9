"""`report junit|html|md|badge|merge`: what is drawn from the NDJSON stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from rochallor_conformance.report.badge import badge
from rochallor_conformance.report.html import html
from rochallor_conformance.report.junit import junit
from rochallor_conformance.report.markdown import markdown
from rochallor_conformance.report.merge import merge, text_of
from rochallor_conformance.report.records import Report, read_report
from rochallor_conformance.running import CONFORMANT

FORMS: dict[str, tuple[str, Callable[[list[Report]], str]]] = {
    "junit": ("JUnit XML, a suite per target and transport", junit),
    "html": ("one static page: a matrix of areas and targets, and every failure", html),
    "md": ("Markdown for a pull request", markdown),
    "badge": ("an SVG badge", badge),
    "merge": ("one report from the shards of a run", lambda reports: text_of(merge(reports))),
}


@click.group()
def report() -> None:
    """Draw something from reports, or merge the shards of one."""


def _command(name: str, about: str, draw: Callable[[list[Report]], str]) -> click.Command:
    @click.command(name, help=f"Write {about}.")
    @click.argument("reports", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
    @click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: standard output.")
    def form(reports: tuple[Path, ...], output: Path | None) -> int:
        text = draw([read_report(path) for path in reports])
        if output is None:
            click.echo(text, nl=not text.endswith("\n"))
        else:
            output.write_text(text, encoding="utf-8")
        return CONFORMANT

    return form


for _name, (_about, _draw) in FORMS.items():
    report.add_command(_command(_name, _about, _draw))

COMMANDS = (report,)
