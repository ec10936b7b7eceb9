"""A hunt for mutants on a console: a line per strain, and how it ended."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.markup import escape

from rochallor_conformance.report.records import Json

STYLES = {"killed": "green", "survived": "bold red", "misfit": "bold magenta", "elsewhere": "dim"}
ENDS = {0: "[bold green]all that were tried are killed[/]", 5: "[bold red]some survived or do not fit[/]"}


def show_hunt(console: Console, rows: list[Json], idle: list[str], code: int) -> None:
    """Print the table: the mutant, what became of it, the case that killed it, seconds until then."""
    width = max((len(row["mutant"]) for row in rows), default=0)
    for row in rows:
        style = STYLES[row["status"]]
        by = f"{row['case']} over {row['transport']}" if row["status"] == "killed" else row.get("message", "")
        seconds = f"{row['ms'] / 1000:6.2f} s" if row["status"] == "killed" else " " * 8
        line = f"{row['mutant']:{width}}  [{style}]{row['status']:<9}[/]  {seconds}  {escape(by)}"
        console.print(line, highlight=False, soft_wrap=True)
    for claim in idle:
        console.print(f"[yellow]kills nothing[/]  {escape(claim)}", highlight=False, soft_wrap=True)
    counted = Counter(row["status"] for row in rows)
    numbers = ", ".join(f"{counted[status]} {status}" for status in STYLES if counted[status])
    console.print(f"\n{ENDS[code]}: {numbers}", highlight=False)
    if counted["elsewhere"]:
        left = f"not tried, because they are defects of SDKs: {counted['elsewhere']}"
        console.print(
            f"{left}; --broken-sdk names a driver that has them", style="yellow", highlight=False, soft_wrap=True
        )
