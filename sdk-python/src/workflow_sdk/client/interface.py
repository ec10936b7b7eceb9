"""The least a runner needs of a client. Anything with these three methods will do, a test double too."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class EngineClient(Protocol):
    """What a `Runner` calls.

    New abilities (long polls, lease tokens) are never looked for here: on a mock every attribute exists. They belong to
    `workflow_sdk.client.base.BaseEngineClient`.
    """

    def poll_jobs(self, worker_id: str, job_types: list[str], max_jobs: int = 1) -> list[dict[str, Any]]:
        """Claim at most `max_jobs` jobs of these types."""
        ...

    def complete_job(self, job_id: str, worker_id: str, variables: dict[str, Any] | None = None) -> None:
        """Report success and the variables to set."""

    def fail_job(self, job_id: str, worker_id: str, error_message: str, retryable: bool = True) -> None:
        """Report failure."""
