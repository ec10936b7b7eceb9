"""Runs one handler on one job; the work is done in `workflow_sdk.handler`, this is its old address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workflow_sdk.handler.annotations import is_async
from workflow_sdk.handler.context import context_of
from workflow_sdk.handler.invoke import invoke_sync
from workflow_sdk.handler.outcome import Completed, Failed, Outcome, no_handler
from workflow_sdk.handler.registry import HandlerRegistry, Registration
from workflow_sdk.handler.typed import arguments_of

if TYPE_CHECKING:
    from workflow_sdk.handler.registry import Handler

__all__ = ["Completed", "Failed", "Outcome", "execute", "execute_registered"]


def execute(handler: Handler | None, job: Mapping[str, Any]) -> Outcome:
    """Run the handler on a job. Whatever it raises becomes a `Failed`, so this never raises on its account."""
    job_type = str(job.get("jobType", ""))
    if handler is None:
        return no_handler(job_type)
    registration = Registration(
        job_type, handler, is_async=is_async(handler), arguments=arguments_of(job_type, handler)
    )
    return invoke_sync(registration, context_of(job))


def execute_registered(registry: Any, job: Mapping[str, Any]) -> Outcome:
    """Run the handler that a registry has for a job, with its middleware; a stand-in for a registry has only `get`."""
    job_type = str(job.get("jobType", ""))
    if not isinstance(registry, HandlerRegistry):
        return execute(registry.get(job_type), job)
    registration = registry.find(job_type)
    return no_handler(job_type) if registration is None else invoke_sync(registration, context_of(job))
