"""How results look: tables for people, JSON Lines for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

Row = Mapping[str, Any]


class Output:
    """Prints rows; `form` is table or json."""

    def __init__(self, form: str) -> None:
        self._json = form == "json"

    def rows(self, rows: Iterable[Row], columns: Sequence[str]) -> None:
        """Print a list: every field as JSON, these columns as a table."""
        if self._json:
            for row in rows:
                click.echo(json.dumps(row, ensure_ascii=False))
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(_cell(row.get(column)) for column in columns))
        Console().print(table)

    def one(self, row: Row) -> None:
        """Print one thing: a line of JSON, or a field per line."""
        if self._json:
            click.echo(json.dumps(row, ensure_ascii=False))
            return
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in row.items():
            table.add_row(name, _cell(value))
        Console().print(table)

    @property
    def for_people(self) -> bool:
        """Whether a person reads it."""
        return not self._json

    def line(self, row: Row, text: str) -> None:
        """Print one of many things as it comes: a line of JSON, or this text."""
        click.echo(json.dumps(row, ensure_ascii=False) if self._json else text)
        sys.stdout.flush()

    def done(self, sentence: str) -> None:
        """Say to a person that it is done; a program sees the exit code."""
        if not self._json:
            click.echo(sentence)


def chosen(form: str | None) -> str:
    """Return the form asked for, or the one that suits where the output goes."""
    return form or ("table" if sys.stdout.isatty() else "json")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
