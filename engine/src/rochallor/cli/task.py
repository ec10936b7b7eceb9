"""User tasks: what people have to do, and that they did it."""

from __future__ import annotations

from typing import Any

import click

from rochallor.cli.options import JSON_OBJECT, talks_to_engine
from rochallor.cli.output import Output
from rochallor.cli.remote import RemoteEngine

LIST = ("instanceId", "stepId", "definitionId", "businessKey", "status", "createdAt")


@click.group()
def task() -> None:
    """Work for people."""


@task.command(name="list")
@click.option("--definition", "definition_id", help="Only of this definition.")
@click.option("--status", default="OPEN", show_default=True, help="OPEN, COMPLETED or CANCELLED; '' for all.")
@click.option("--page", type=click.IntRange(min=0), default=0)
@talks_to_engine
def list_(definition_id: str | None, status: str, page: int, engine: RemoteEngine, out: Output) -> None:
    """List user tasks, the oldest first."""
    query = {"definitionId": definition_id, "status": status, "page": page}
    out.rows(engine.get("user-tasks", query=query)["items"], LIST)


@task.command()
@click.argument("instance_id", metavar="INSTANCE")
@click.argument("step_id", metavar="STEP")
@click.option("--result", type=JSON_OBJECT, help="Variables to set, as a JSON object or @file.")
@click.option("--by", "completed_by", default="", help="Who did it.")
@talks_to_engine
def complete(
    instance_id: str,
    step_id: str,
    *,
    result: dict[str, Any] | None,
    completed_by: str,
    engine: RemoteEngine,
    out: Output,
) -> None:
    """Complete the open task of STEP."""
    body = {"completedBy": completed_by, "result": result}
    path = ("instances", instance_id, "user-tasks", step_id, "complete")
    engine.post(*path, body=body, next_command="rochallor task list")
    out.done(f"Completed. Try next: rochallor instance describe {instance_id}")
