"""Instances: start them, look at them, steer them."""

from __future__ import annotations

from typing import Any

import click

from rochallor.cli.failures import FAILED
from rochallor.cli.follow import run, tail
from rochallor.cli.options import JSON_OBJECT, talks_to_engine
from rochallor.cli.output import Output
from rochallor.cli.remote import RemoteEngine

SEE_ALL = "rochallor instance list"
HISTORY = ("stepId", "stepType", "attemptNumber", "status", "startedAt", "endedAt", "failureReason")
LIST = ("id", "definitionId", "status", "currentStepIds", "businessKey", "startedAt")


@click.group()
def instance() -> None:
    """Running and finished workflows."""


@instance.command()
@click.argument("definition_id", metavar="ID")
@click.option("--vars", "variables", type=JSON_OBJECT, help="Variables as a JSON object, or @file.")
@click.option("--key", "business_key", help="A business key.")
@click.option("--version", "number", type=click.IntRange(min=1), help="Default: the newest.")
@talks_to_engine
@click.pass_context
def start(
    ctx: click.Context,
    definition_id: str,
    *,
    variables: dict[str, Any] | None,
    business_key: str | None,
    number: int | None,
    engine: RemoteEngine,
    out: Output,
) -> None:
    """Start an instance of the definition ID; exit with 1 if it fails at once."""
    body = {
        "definitionId": definition_id,
        "variables": variables,
        "businessKey": business_key,
        "definitionVersion": number,
    }
    started = engine.post("instances", body=body, next_command="rochallor definition list")
    out.one(started)
    out.done(f"Try next: rochallor instance history {started['id']}")
    if started["status"] == "FAILED":
        ctx.exit(FAILED)


@instance.command(name="list")
@click.option("--definition", "definition_id", help="Only of this definition.")
@click.option("--status", help="Only in this status: ACTIVE, WAITING, COMPLETED, FAILED, CANCELLED.")
@click.option("--key", "business_key", help="Only with this business key.")
@click.option("--page", type=click.IntRange(min=0), default=0)
@talks_to_engine
def list_(
    *,
    definition_id: str | None,
    status: str | None,
    business_key: str | None,
    page: int,
    engine: RemoteEngine,
    out: Output,
) -> None:
    """List instances, the latest started first."""
    query = {"definitionId": definition_id, "status": status, "businessKey": business_key, "page": page}
    out.rows(engine.get("instances", query=query)["items"], LIST)


@instance.command()
@click.argument("instance_id", metavar="ID")
@talks_to_engine
def describe(instance_id: str, engine: RemoteEngine, out: Output) -> None:
    """Show an instance."""
    out.one(engine.get("instances", instance_id, next_command=SEE_ALL))


@instance.command()
@click.argument("instance_id", metavar="ID")
@talks_to_engine
def history(instance_id: str, engine: RemoteEngine, out: Output) -> None:
    """Show every step that an instance entered."""
    out.rows(engine.get("instances", instance_id, "history", next_command=SEE_ALL)["items"], HISTORY)


@instance.command()
@click.argument("instance_id", metavar="ID")
@click.argument("step_id", metavar="STEP")
@click.option("--vars", "variables", type=JSON_OBJECT, help="Variables to set, as a JSON object or @file.")
@talks_to_engine
def signal(instance_id: str, step_id: str, variables: dict[str, Any] | None, engine: RemoteEngine, out: Output) -> None:
    """Wake an instance that waits at STEP."""
    look = f"rochallor instance describe {instance_id}"
    engine.post("instances", instance_id, "signals", step_id, body=variables, next_command=look)
    out.done(f"Signalled. Try next: {look}")


@instance.command()
@click.argument("instance_id", metavar="ID")
@click.option("--reason", default="", help="Why; it becomes the instance's failure reason.")
@talks_to_engine
def cancel(instance_id: str, reason: str, engine: RemoteEngine, out: Output) -> None:
    """Stop an instance for good."""
    look = f"rochallor instance describe {instance_id}"
    out.one(engine.post("instances", instance_id, "cancel", body={"reason": reason}, next_command=look))


@instance.command()
@click.argument("instance_id", metavar="ID")
@click.argument("step_id", metavar="STEP")
@click.option("--vars", "variables", type=JSON_OBJECT, help="Variables to set, as a JSON object or @file.")
@talks_to_engine
def retry(instance_id: str, step_id: str, variables: dict[str, Any] | None, engine: RemoteEngine, out: Output) -> None:
    """Bring a failed instance back at the STEP that failed it."""
    look = f"rochallor instance history {instance_id}"
    path = ("instances", instance_id, "steps", step_id, "retry")
    out.one(engine.post(*path, body={"variables": variables}, next_command=look))


instance.add_command(run)
instance.add_command(tail)
