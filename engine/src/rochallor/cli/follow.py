"""Following one instance: `instance tail` prints what happens, `instance run` shows it as a tree until the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.tree import Tree

from rochallor.cli.failures import FAILED
from rochallor.cli.options import JSON_OBJECT, talks_to_engine
from rochallor.cli.output import Output
from rochallor.cli.remote import RemoteEngine

SEE_ALL = "rochallor instance list"
CHANGES = ("revision", "at", "status", "currentStepIds", "what")
MARKS = {"COMPLETED": "[green]✓", "FAILED": "[red]✗", "CANCELLED": "[yellow]-", "RUNNING": "[cyan]…"}


@click.command()
@click.argument("instance_id", metavar="ID")
@click.option("--after", "revision", type=click.IntRange(min=0), default=0, help="Begin after this revision.")
@talks_to_engine
def tail(*, instance_id: str, revision: int, engine: RemoteEngine, out: Output) -> None:
    """Print every change of an instance, from its start, until it has ended."""
    for event in engine.events(instance_id, after=revision, next_command=SEE_ALL):
        what = ", ".join(f"{change['kind']} {change.get('stepId', '')}".strip() for change in event["changes"])
        out.line(event, f"{event['revision']:>4}  {event['at']}  {event['status']:<9}  {what}")


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--vars", "variables", type=JSON_OBJECT, help="Variables as a JSON object, or @file.")
@click.option("--key", "business_key", help="A business key.")
@talks_to_engine
@click.pass_context
def run(
    ctx: click.Context,
    path: Path,
    *,
    variables: dict[str, Any] | None,
    business_key: str | None,
    engine: RemoteEngine,
    out: Output,
) -> None:
    """Upload the definition in FILE, start an instance, and watch it to its end; exit with 1 unless it completes."""
    pushed = engine.post("definitions", raw=path.read_bytes(), next_command=f"rochallor definition lint {path}")
    body = {
        "definitionId": pushed["id"],
        "definitionVersion": pushed["version"],
        "variables": variables,
        "businessKey": business_key,
    }
    started = engine.post("instances", body=body, next_command=SEE_ALL)
    events = engine.events(started["id"], after=0, next_command=SEE_ALL)
    if out.for_people and sys.stdout.isatty():
        _show(engine, started["id"], events)
    else:
        for event in events:
            out.line(event, f"{event['status']:<9}  {', '.join(event['currentStepIds'])}")
    ended = engine.get("instances", started["id"])
    out.one(ended)
    if ended["status"] != "COMPLETED":
        ctx.exit(FAILED)


def _show(engine: RemoteEngine, instance_id: str, events: Iterator[dict[str, Any]]) -> None:
    """Draw the instance's steps anew with every change."""
    with Live(console=Console(), auto_refresh=False) as live:
        for event in events:
            history = engine.get("instances", instance_id, "history")["items"]
            live.update(tree_of(instance_id, event["status"], history), refresh=True)


def tree_of(instance_id: str, status: str, history: list[dict[str, Any]]) -> Tree:
    """Return an instance as a tree of its step executions."""
    tree = Tree(f"[bold]{instance_id}[/]  {status}")
    for item in history:
        mark = MARKS["COMPLETED"] if item.get("closedBy") else MARKS[item["status"]]
        reason = f"  [red]{item['failureReason']}" if item.get("failureReason") else ""
        tree.add(f"{mark}[/] {item['stepId']}  [dim]{item['stepType']}[/]{reason}")
    return tree
