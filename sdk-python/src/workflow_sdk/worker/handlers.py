"""Finds a job's handler, in a registry of ours or in anything that has the published `get`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflow_sdk.handler.annotations import is_async
from workflow_sdk.handler.registry import Handler, HandlerRegistry, Registration
from workflow_sdk.handler.typed import arguments_of


def registration_of(registry: Any, job: Mapping[str, Any]) -> Registration | None:
    """Return what is registered for a job, None when nothing is."""
    job_type = str(job.get("jobType", ""))
    if isinstance(registry, HandlerRegistry):
        return registry.find(job_type)
    handler = registry.get(job_type)
    return None if handler is None else bare(job_type, handler)


def bare(job_type: str, handler: Handler) -> Registration:
    """Return a handler about which nothing more was said."""
    return Registration(job_type, handler, is_async=is_async(handler), arguments=arguments_of(job_type, handler))
