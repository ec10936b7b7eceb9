"""Jobs: what waits for a worker, and who holds what.

The contract has no list of jobs; each instance says what it waits for. So this asks instance by instance, the latest
started first, and prints as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import click

from rochallor.cli.options import talks_to_engine
from rochallor.cli.output import Output
from rochallor.cli.remote import RemoteEngine

IN_FLIGHT = ("ACTIVE", "WAITING")
LIST = ("jobType", "instanceId", "stepId", "since", "workerId", "lockExpiresAt", "detail")
PAGE = 100


@click.group()
def job() -> None:
    """Work for workers."""


@job.command(name="list")
@click.option("--type", "job_type", help="Only jobs of this type.")
@click.option("--definition", "definition_id", help="Only of instances of this definition.")
@click.option("--instance", "instance_id", help="Only of this instance.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Stop after so many jobs.")
@talks_to_engine
def list_(
    *,
    job_type: str | None,
    definition_id: str | None,
    instance_id: str | None,
    limit: int,
    engine: RemoteEngine,
    out: Output,
) -> None:
    """List the jobs that are open now: waiting for a worker, or held by one."""
    ids = [instance_id] if instance_id else _in_flight(engine, definition_id)
    jobs = (found for each in ids for found in _jobs(engine, each) if job_type in {None, found["jobType"]})
    out.rows(islice(jobs, limit), LIST)


def _in_flight(engine: RemoteEngine, definition_id: str | None) -> Iterator[str]:
    for status in IN_FLIGHT:
        page, total = 0, 1
        while page * PAGE < total:
            query = {"definitionId": definition_id, "status": status, "page": page, "pageSize": PAGE}
            answer = engine.get("instances", query=query)
            yield from (item["id"] for item in answer["items"])
            page, total = page + 1, answer["total"]


def _jobs(engine: RemoteEngine, instance_id: str) -> Iterator[dict[str, Any]]:
    described = engine.get("instances", instance_id, next_command="rochallor instance list")
    for waiting in described.get("waitingFor", ()):
        if waiting["kind"] == "JOB":
            yield {"instanceId": instance_id, "definitionId": described["definitionId"], **waiting}
