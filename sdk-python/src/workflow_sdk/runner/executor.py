"""Runs one handler on one job here and now; the work is done in `workflow_sdk.handler`, this is its old address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workflow_sdk.handler.context import context_of
from workflow_sdk.handler.invoke import invoke_sync
from workflow_sdk.handler.outcome import Completed, Failed, Outcome, no_handler
from workflow_sdk.worker.handlers import bare, registration_of

if TYPE_CHECKING:
    from workflow_sdk.handler.registry import Handler

__all__ = ["Completed", "Failed", "Outcome", "execute", "execute_registered"]


def execute(handler: Handler | None, job: Mapping[str, Any]) -> Outcome:
    """Run the handler on a job. Whatever it raises becomes a `Failed`, so this never raises on its account."""
    job_type = str(job.get("jobType", ""))
    return no_handler(job_type) if handler is None else invoke_sync(bare(job_type, handler), context_of(job))


def execute_registered(registry: Any, job: Mapping[str, Any]) -> Outcome:
    """Run the handler that a registry has for a job, with its middleware; a stand-in for a registry has only `get`."""
    registration = registration_of(registry, job)
    if registration is None:
        return no_handler(str(job.get("jobType", "")))
    return invoke_sync(registration, context_of(job))
