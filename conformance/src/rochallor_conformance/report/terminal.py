"""A run as a person follows it: a sign per play, the failures in full, one line at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from rochallor_conformance.report.characters import for_a_terminal
from rochallor_conformance.report.records import BROKEN, FAILED, KNOWN, NOT_IMPLEMENTED, PASSED, SKIPPED, Json, counts

SIGNS = {
    PASSED: "[green]·[/]",
    FAILED: "[bold red]F[/]",
    KNOWN: "[yellow]k[/]",
    NOT_IMPLEMENTED: "[blue]n[/]",
    SKIPPED: "[dim]s[/]",
    BROKEN: "[bold magenta]B[/]",
}
ENDS = {
    0: "[bold green]conformant[/]",
    1: "[bold red]not conformant[/]",
    2: "[yellow]conformant, but the known failures need bookkeeping[/]",
    3: "[bold magenta]incomplete[/]",
}
MOST_SHOWN = 25


class Terminal:
    """Tells a run on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._column = 0

    def tell(self, result: Json) -> None:
        """Tell one result."""
        self._console.print(SIGNS[result["status"]], end="")
        self._column += 1
        if self._column % 100 == 0:
            self._console.print()

    def sum_up(self, results: list[Json], code: int, report: Path | None, todo: Sequence[str] = ()) -> None:
        """Tell how it ended; `todo` is what is to be done about the known failures."""
        self._console.print()
        failed = [result for result in results if result["status"] == FAILED]
        for result in failed[:MOST_SHOWN]:
            show_failure(self._console, result)
        if len(failed) > MOST_SHOWN:
            self._console.print(f"… and {len(failed) - MOST_SHOWN} more failures; the report has them all")
        for reason in sorted({result["reason"] for result in results if result["status"] == BROKEN})[:MOST_SHOWN]:
            self._console.print(f"[bold magenta]broken[/] {escape(for_a_terminal(reason))}")
        for sentence in todo:
            self._console.print(f"[yellow]known failure[/] {escape(sentence)}", highlight=False, soft_wrap=True)
        numbers = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in counts(results).items())
        where = f"; report: {report}" if report else ""
        self._console.print(f"\n{ENDS[code]}: {numbers}{escape(where)}", highlight=False)


def show_failure(console: Console, result: Json) -> None:
    """Print a failure with all that helps to understand it."""
    failure: dict[str, Any] = result["failure"]

    def line(text: str, style: str = "") -> None:
        console.print(for_a_terminal(text), style=style, markup=False, highlight=False, soft_wrap=True)

    line(f"\n✗ {result['case']} over {result['transport']}", "bold red")
    line(f"  {result['title']}")
    for sentence in failure["requirements"]:
        line(f"  {sentence}", "cyan")
    line(f"  at {failure['where']}: {failure['message']}", "red")
    line(f"    expected  {failure['expected']!r}")
    line(f"    actual    {failure['actual']!r}")
    line("  last messages", "dim")
    for exchange in failure["exchanges"]:
        line(f"    {exchange}", "dim")
    line(f"  by hand   {failure['command']}")
    line(f"  again     {failure['repro']}")
