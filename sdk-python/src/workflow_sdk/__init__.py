"""Workers and clients for the workflow engine.

Names are imported when they are first used: a worker over REST loads neither grpc nor prometheus_client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workflow_sdk.client.async_grpc import AsyncGrpcEngineClient
    from workflow_sdk.client.async_rest import AsyncRestEngineClient
    from workflow_sdk.client.ends import InstanceCancelled, InstanceFailed, StillRunning
    from workflow_sdk.client.grpc import GrpcEngineClient
    from workflow_sdk.client.handle import InstanceHandle
    from workflow_sdk.client.interface import EngineClient
    from workflow_sdk.client.rest import RestEngineClient
    from workflow_sdk.client.tls import Tls
    from workflow_sdk.definition import Workflow
    from workflow_sdk.errors import EngineClientError, JobCancelled, NonRetryableError, RetryAfter, WorkflowSDKError
    from workflow_sdk.handler.context import JobContext
    from workflow_sdk.handler.registry import HandlerRegistry
    from workflow_sdk.metrics.metrics import Metrics
    from workflow_sdk.retry.policy import Retries
    from workflow_sdk.runner.async_runner import AsyncRunner
    from workflow_sdk.runner.deduplication_cache import DeduplicationCache
    from workflow_sdk.runner.runner import Runner

__all__ = [
    "AsyncGrpcEngineClient",
    "AsyncRestEngineClient",
    "AsyncRunner",
    "DeduplicationCache",
    "EngineClient",
    "EngineClientError",
    "GrpcEngineClient",
    "HandlerRegistry",
    "InstanceCancelled",
    "InstanceFailed",
    "InstanceHandle",
    "JobCancelled",
    "JobContext",
    "Metrics",
    "NonRetryableError",
    "RestEngineClient",
    "Retries",
    "RetryAfter",
    "Runner",
    "StillRunning",
    "Tls",
    "Workflow",
    "WorkflowSDKError",
]

_MODULES = {
    "AsyncGrpcEngineClient": "workflow_sdk.client.async_grpc",
    "AsyncRestEngineClient": "workflow_sdk.client.async_rest",
    "AsyncRunner": "workflow_sdk.runner.async_runner",
    "InstanceCancelled": "workflow_sdk.client.ends",
    "InstanceFailed": "workflow_sdk.client.ends",
    "InstanceHandle": "workflow_sdk.client.handle",
    "Retries": "workflow_sdk.retry.policy",
    "StillRunning": "workflow_sdk.client.ends",
    "Tls": "workflow_sdk.client.tls",
    "Workflow": "workflow_sdk.definition",
    "JobCancelled": "workflow_sdk.errors",
    "RetryAfter": "workflow_sdk.errors",
    "JobContext": "workflow_sdk.handler.context",
    "DeduplicationCache": "workflow_sdk.runner.deduplication_cache",
    "EngineClient": "workflow_sdk.client.interface",
    "EngineClientError": "workflow_sdk.errors",
    "GrpcEngineClient": "workflow_sdk.client.grpc",
    "HandlerRegistry": "workflow_sdk.handler.registry",
    "Metrics": "workflow_sdk.metrics.metrics",
    "NonRetryableError": "workflow_sdk.errors",
    "RestEngineClient": "workflow_sdk.client.rest",
    "Runner": "workflow_sdk.runner.runner",
    "WorkflowSDKError": "workflow_sdk.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
