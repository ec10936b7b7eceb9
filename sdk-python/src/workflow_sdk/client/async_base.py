"""The face both asynchronous clients share: `client.base` with `async def`; a test compares the two."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from workflow_sdk.client.settings import Settings
from workflow_sdk.client.watching import Watch
from workflow_sdk.errors import EngineClientError
from workflow_sdk.operation import Operation
from workflow_sdk.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self  # only for type checkers; Python 3.10 has none of its own

Json = dict[str, Any]


class AsyncBaseEngineClient(ABC):
    """Every operation of the engine, whatever the transport. Results are the same dicts over REST and gRPC.

    Every method may raise an `EngineClientError` (by kind: `NotFound`, `Conflict`, ...; `ConnectionFailed` when no
    answer came) and those that take variables `InvalidVariables`. Times in results are RFC 3339 texts in UTC.
    """

    _settings = Settings()

    @abstractmethod
    async def _call(self, operation: Operation, args: Mapping[str, Any]) -> Any:
        """Send one operation and return its result as `operation.read` gives it."""

    @abstractmethod
    def _stream(self, operation: Operation, args: Mapping[str, Any]) -> AsyncIterator[Json]:
        """Yield the events of an operation that answers with many, until the last; raises like `_call`."""

    @abstractmethod
    async def close(self) -> None:
        """Close the connections. A client can be closed more than once."""

    def twin(self) -> AsyncBaseEngineClient | None:
        """Return a fresh client with the same settings, for another event loop, None when there can be none.

        It repeats nothing by itself: a worker, which it is for, has rules of its own for that.
        """
        return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def upload_definition(self, definition: Mapping[str, Any]) -> Json:
        """Upload a definition; return `{id, version, name, description?, uploadedAt, warnings?}`."""
        return await self._object("upload_definition", definition=definition)

    async def get_definition(self, definition_id: str, *, version: int | None = None) -> Json:
        """Return a definition, the latest version unless one is named."""
        if version:
            return await self._object("get_definition_version", definition_id=definition_id, version=version)
        return await self._object("get_definition", definition_id=definition_id)

    async def list_definitions(self, keyword: str = "", page: int = 0, page_size: int = 20) -> Json:
        """Return `{items, page, pageSize, total}`: id, version, name, description? of each latest version.

        Over REST an item also has `uploadedAt`; gRPC does not carry it.
        """
        return await self._object("list_definitions", keyword=keyword, page=page, page_size=page_size)

    async def start_instance(
        self,
        definition_id: str,
        variables: Mapping[str, Any] | None = None,
        definition_version: int | None = None,
        business_key: str | None = None,
    ) -> Json:
        """Start an instance and return it; it may already be COMPLETED or FAILED."""
        return await self._object(
            "start_instance",
            definition_id=definition_id,
            variables=variables,
            definition_version=definition_version,
            business_key=business_key,
        )

    async def get_instance(self, id: str) -> Json:  # noqa: A002 - the name is part of the published surface
        """Return an instance."""
        return await self._object("get_instance", instance_id=id)

    async def list_instances(
        self,
        definition_id: str = "",
        status: str = "",
        business_key: str = "",
        page: int = 0,
        page_size: int = 20,
    ) -> Json:
        """Return `{items, page, pageSize, total}`, the latest started first."""
        return await self._object(
            "list_instances",
            definition_id=definition_id,
            status=status,
            business_key=business_key,
            page=page,
            page_size=page_size,
        )

    async def get_instance_history(self, id: str) -> list[Json]:  # noqa: A002 - the name is part of the published surface
        """Return the step executions of an instance in the order they were entered."""
        return await self._list("get_instance_history", instance_id=id)

    async def get_instance_audit(self, instance_id: str) -> list[Json]:
        """Return who changed what and when; empty while the engine keeps no audit."""
        return await self._list("get_instance_audit", instance_id=instance_id)

    async def await_instance(self, instance_id: str, *, wait_ms: int = 20_000, until: Sequence[str] = ()) -> Json:
        """Wait up to `wait_ms` (at most 30000) for a status in `until`, by default any terminal one.

        Returns `{instance, reached}`; `reached` is False when the time ran out first.
        """
        return await self._object("await_instance", instance_id=instance_id, wait_ms=wait_ms, until=list(until))

    async def watch_instance(self, instance_id: str, *, after: int = 0) -> AsyncIterator[Json]:
        """Yield `{instanceId, revision, at, status, currentStepIds, changes}` for every change of an instance.

        It begins with what happened after revision `after`, goes on as things happen, over new connections when one
        breaks, and ends once the instance is final and all of it was told. A manual retry later is for a new watch.

        Raises:
            EngineClientError: the engine refuses, does not offer it, or stays away longer than the client's retries.

        """
        operation, watch = OPERATIONS["watch_instance"], Watch(instance_id, after, self._settings)
        while True:
            try:
                async for event in self._stream(operation, watch.args):
                    watch.saw(event)
                    yield event
            except EngineClientError as error:
                pause = watch.pause_after(error)
            else:
                return
            await self._settings.clock.sleep_async(pause)

    async def cancel_instance(self, id: str, reason: str = "", *, expected_revision: int | None = None) -> Json:  # noqa: A002 - the name is part of the published surface
        """Cancel an instance and return it. With `expected_revision`, only if nothing changed since."""
        return await self._object("cancel_instance", instance_id=id, reason=reason, expected_revision=expected_revision)

    async def retry_step(
        self,
        instance_id: str,
        step_id: str,
        variables: Mapping[str, Any] | None = None,
        *,
        expected_revision: int | None = None,
    ) -> Json:
        """Run the step again whose failure failed the instance, with corrected variables if given."""
        return await self._object(
            "retry_step",
            instance_id=instance_id,
            step_id=step_id,
            variables=variables,
            expected_revision=expected_revision,
        )

    async def complete_user_task_step(
        self,
        instance_id: str,
        step_id: str,
        completed_by: str = "",
        result: Mapping[str, Any] | None = None,
        *,
        expected_revision: int | None = None,
    ) -> None:
        """Complete the user task that the instance has open at a step."""
        await self._do(
            "complete_user_task_step",
            instance_id=instance_id,
            step_id=step_id,
            completed_by=completed_by,
            result=result,
            expected_revision=expected_revision,
        )

    async def complete_user_task(
        self, task_id: str, completed_by: str = "", result: Mapping[str, Any] | None = None
    ) -> None:
        """Complete a user task by an id of its own. Deprecated: use `complete_user_task_step`."""
        warnings.warn(
            "complete_user_task uses a route that engines have dropped; "
            "use complete_user_task_step(instance_id, step_id, completed_by, result)",
            DeprecationWarning,
            stacklevel=2,
        )
        await self._do("complete_user_task", task_id=task_id, completed_by=completed_by, result=result)

    async def list_user_tasks(
        self,
        instance_id: str = "",
        definition_id: str = "",
        status: str = "",
        page: int = 0,
        page_size: int = 20,
    ) -> Json:
        """Return `{items, page, pageSize, total}` of what waits, or waited, for a person; the oldest first."""
        return await self._object(
            "list_user_tasks",
            instance_id=instance_id,
            definition_id=definition_id,
            status=status,
            page=page,
            page_size=page_size,
        )

    async def signal_wait(
        self,
        instance_id: str,
        wait_step_id: str,
        variables: Mapping[str, Any] | None = None,
        *,
        expected_revision: int | None = None,
    ) -> None:
        """Let an instance go on that waits at a WAIT step, setting variables if given."""
        await self._do(
            "signal_wait",
            instance_id=instance_id,
            wait_step_id=wait_step_id,
            variables=variables,
            expected_revision=expected_revision,
        )

    async def poll_jobs(
        self,
        worker_id: str,
        job_types: Sequence[str],
        max_jobs: int = 1,
        *,
        lease_seconds: int | None = None,
        wait_ms: int | None = None,
    ) -> list[Json]:
        """Claim at most `max_jobs` jobs; with `wait_ms`, an engine that can holds the call until there is one."""
        return await self._list(
            "poll_jobs",
            worker_id=worker_id,
            job_types=list(job_types),
            max_jobs=max_jobs,
            lease_seconds=lease_seconds,
            wait_ms=wait_ms,
        )

    async def complete_job(
        self,
        job_id: str,
        worker_id: str,
        variables: Mapping[str, Any] | None = None,
        *,
        lease_token: str = "",
    ) -> None:
        """Report a job as done. Late and repeated reports succeed and change nothing."""
        await self._do(
            "complete_job",
            job_id=job_id,
            worker_id=worker_id,
            variables=variables or {},
            lease_token=lease_token,
        )

    async def fail_job(
        self,
        job_id: str,
        worker_id: str,
        error_message: str,
        retryable: bool = True,
        *,
        lease_token: str = "",
        retry_after_ms: int | None = None,
        error_code: str = "",
    ) -> None:
        """Report a job as failed. The engine tries again if `retryable` and tries are left."""
        await self._do(
            "fail_job",
            job_id=job_id,
            worker_id=worker_id,
            error_message=error_message,
            retryable=retryable,
            lease_token=lease_token,
            retry_after_ms=retry_after_ms,
            error_code=error_code,
        )

    async def report_jobs(
        self,
        worker_id: str,
        outcomes: Sequence[Mapping[str, Any]],
        *,
        poll: Mapping[str, Any] | None = None,
    ) -> Json:
        """Send many results, and the next poll, in one round trip; return `{results, jobs}`.

        Args:
            worker_id: who reports.
            outcomes: `{jobId, leaseToken?}` with one of `completed: {variables?}`, `failed: {errorMessage, retryable,
                retryAfterMs?, errorCode?}`, `extend: {leaseSeconds?}`.
            poll: `{jobTypes, maxJobs?, leaseSeconds?, waitMs?}`.

        """
        return await self._object(
            "report_jobs",
            worker_id=worker_id,
            outcomes=[dict(outcome) for outcome in outcomes],
            poll=None if poll is None else {"workerId": worker_id, **poll},
        )

    async def _do(self, name: str, **args: Any) -> Any:
        return await self._call(OPERATIONS[name], args)

    async def _object(self, name: str, **args: Any) -> Json:
        result: Json = await self._do(name, **args)
        return result

    async def _list(self, name: str, **args: Any) -> list[Json]:
        result: list[Json] = await self._do(name, **args)
        return result
