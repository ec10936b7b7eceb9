"""One handler called by itself, with the context that a worker would give it. No engine, no thread, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from workflow_sdk.handler.context import context_of
from workflow_sdk.handler.registry import HandlerRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workflow_sdk.handler.context import JobContext

JOB_TYPE = "test"
R = TypeVar("R")


@overload  # first, because only from this one do type checkers know what a lambda is called with
def call(handler: Callable[[JobContext], R], variables: Mapping[str, Any] | None = None, **job_fields: Any) -> R: ...


@overload
def call(handler: Callable[..., R], variables: Mapping[str, Any] | None = None, **job_fields: Any) -> R: ...


def call(handler: Callable[..., Any], variables: Mapping[str, Any] | None = None, **job_fields: Any) -> Any:
    """Return what the handler returns for a job with these variables; of an `async def` handler, await it.

    Typed handlers get their models, as in a worker. What the handler raises is raised here.

    Args:
        handler: the function, registered or not.
        variables: the variables of the instance.
        job_fields: other fields of the job as a worker receives it: `id`, `retriesRemaining`, `attempt`, ...

    Raises:
        NonRetryableError: the variables do not fit the model that the handler asks for.
        TypeError: a parameter of the handler asks for something that a job does not have.

    """
    registry = HandlerRegistry()
    job_type = str(job_fields.get("jobType", JOB_TYPE))
    registry.register(job_type, handler)
    registration = registry.find(job_type)
    assert registration is not None
    return registration.call(context_of(_job(job_type, variables or {}, job_fields)))


def _job(job_type: str, variables: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    usual = {
        "id": "job-1-1",
        "instanceId": "instance",
        "stepId": "step",
        "stepExecutionId": "job-1",
        "retriesRemaining": 0,
        "attempt": 1,
        "lockExpiresAt": "2999-01-01T00:00:00.000Z",
    }
    return {**usual, **fields, "jobType": job_type, "variables": dict(variables)}
