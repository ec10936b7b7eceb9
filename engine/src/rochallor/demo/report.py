"""The table at the end."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from rochallor.demo.play import Result


def table(results: Sequence[Result]) -> Table:
    """Return the table of all journeys."""
    shown = Table(title="Loan application", title_justify="left")
    for name in ("journey", "over", "END reached", "child instance", "its END"):
        shown.add_column(name, overflow="fold", no_wrap=name.endswith(("END", "END reached")))
    for name in ("jobs", "ms"):
        shown.add_column(name, justify="right", no_wrap=True)
    for result in results:
        shown.add_row(
            result.journey.name,
            result.journey.door,
            _marked(result.end, result.journey.end),
            result.child_id or "none",
            _marked(result.child_end, result.journey.child_end),
            str(result.jobs),
            str(result.ms),
        )
    return shown


def _marked(got: str, wanted: str) -> str:
    return f"[green]{got}[/]" if got == wanted else f"[red]{got or 'none'}[/] instead of {wanted}"


def verdict(results: Sequence[Result]) -> list[str]:
    """Return the closing sentences: one for each journey that went wrong, or one that none did."""
    wrong = [f"{result.journey.name}: {result.trouble}" for result in results if result.trouble]
    return wrong or [f"all {len(results)} journeys ended where they should"]
