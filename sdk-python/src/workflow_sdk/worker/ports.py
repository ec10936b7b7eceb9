"""What the worker asks of an engine, through a client of whatever kind.

Users of the first SDK pass mocks and clients of their own, on which every attribute seems to be there. So what a client
can do is decided by its class alone, see `offers`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from workflow_sdk.client.async_base import AsyncBaseEngineClient
from workflow_sdk.client.base import offers
from workflow_sdk.handler.outcome import Failed

Job = Mapping[str, Any]
Run = Callable[..., Awaitable[Any]]
"""`await run(function, *arguments)` runs a function that blocks."""


class Port(Protocol):
    """One worker's way to the engine. Every call may raise what the client raises."""

    @property
    def can_wait(self) -> bool:
        """Whether a poll can ask to be held, and for how long a lease shall be."""
        ...

    @property
    def can_batch(self) -> bool:
        """Whether there is a `report`; whether the engine has it is another question."""
        ...

    async def poll(self, job_types: Sequence[str], max_jobs: int, wait_ms: int, lease_seconds: int) -> list[Job]:
        """Claim at most so many jobs."""
        ...

    async def complete(self, job: Job, variables: Mapping[str, Any]) -> None:
        """Report a result."""

    async def fail(self, job: Job, failed: Failed) -> None:
        """Report a failure."""

    async def report(
        self, outcomes: Sequence[Mapping[str, Any]], poll: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """Report many results and poll, in one round trip; raises `NotOffered` where there is no such thing."""
        ...

    async def close(self) -> None:
        """Give up what was opened for this worker alone."""


class AsyncPort:
    """Through an asynchronous client of ours.

    Args:
        client: the client.
        worker_id: who reports and polls.
        owned: whether the client is this worker's alone, and closed with it.

    """

    can_wait = can_batch = True

    def __init__(self, client: AsyncBaseEngineClient, worker_id: str, *, owned: bool) -> None:
        self._client = client
        self._worker_id = worker_id
        self._owned = owned

    async def poll(self, job_types: Sequence[str], max_jobs: int, wait_ms: int, lease_seconds: int) -> list[Job]:
        """Claim at most so many jobs."""
        found = await self._client.poll_jobs(
            self._worker_id, job_types, max_jobs, wait_ms=wait_ms or None, lease_seconds=lease_seconds or None
        )
        return list(found)

    async def complete(self, job: Job, variables: Mapping[str, Any]) -> None:
        """Report a result."""
        token = job.get("leaseToken") or ""
        await self._client.complete_job(job["id"], self._worker_id, variables, lease_token=token)

    async def fail(self, job: Job, failed: Failed) -> None:
        """Report a failure."""
        await self._client.fail_job(
            job["id"], self._worker_id, failed.message, failed.retryable, **_extras(job, failed)
        )

    async def report(
        self, outcomes: Sequence[Mapping[str, Any]], poll: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """Report many results and poll, in one round trip."""
        return await self._client.report_jobs(self._worker_id, outcomes, poll=poll)

    async def close(self) -> None:
        """Close the client when it is this worker's alone."""
        if self._owned:
            await self._client.close()


class BlockingPort:
    """Through any object with the three published methods, called positionally; tokens go to clients of ours only.

    Args:
        client: anybody's client.
        worker_id: who reports and polls.
        run: runs a method that blocks.

    """

    can_batch = False

    def __init__(self, client: Any, worker_id: str, run: Run) -> None:
        self._client = client
        self._worker_id = worker_id
        self._run = run
        self._fences = offers(client, "complete_job") and offers(client, "fail_job")
        self.can_wait = offers(client, "poll_jobs")

    async def poll(self, job_types: Sequence[str], max_jobs: int, wait_ms: int, lease_seconds: int) -> list[Job]:
        """Claim at most so many jobs."""
        asked = {"wait_ms": wait_ms, "lease_seconds": lease_seconds} if self.can_wait else {}
        extras = {name: value for name, value in asked.items() if value > 0}
        return await self._run(self._poll, list(job_types), max_jobs, extras)  # type: ignore[no-any-return]  # anybody's

    async def complete(self, job: Job, variables: Mapping[str, Any]) -> None:
        """Report a result."""
        token = job.get("leaseToken") if self._fences else None
        await self._run(self._complete, job["id"], variables, {"lease_token": token} if token else {})

    async def fail(self, job: Job, failed: Failed) -> None:
        """Report a failure."""
        extras = _extras(job, failed) if self._fences and job.get("leaseToken") else {}
        await self._run(self._fail, job["id"], failed, extras)

    async def report(
        self, outcomes: Sequence[Mapping[str, Any]], poll: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """Is not offered: what is no client of ours has no such method that could be relied upon."""
        raise NotImplementedError("can_batch is False")

    async def close(self) -> None:
        """Leave the client to whom it belongs."""

    def _poll(self, job_types: list[str], max_jobs: int, extras: Mapping[str, int]) -> list[Job]:
        return list(self._client.poll_jobs(self._worker_id, job_types, max_jobs=max_jobs, **extras) or ())

    def _complete(self, job_id: str, variables: Mapping[str, Any], extras: Mapping[str, Any]) -> None:
        self._client.complete_job(job_id, self._worker_id, variables, **extras)

    def _fail(self, job_id: str, failed: Failed, extras: Mapping[str, Any]) -> None:
        self._client.fail_job(job_id, self._worker_id, failed.message, failed.retryable, **extras)


def _extras(job: Job, failed: Failed) -> dict[str, Any]:
    """Return what an engine of ours takes beside the published arguments."""
    token = job.get("leaseToken") or ""
    extras: dict[str, Any] = {"lease_token": token}
    if token and failed.code:
        extras["error_code"] = failed.code
    if token and failed.retry_after_ms is not None:
        extras["retry_after_ms"] = failed.retry_after_ms
    return extras
