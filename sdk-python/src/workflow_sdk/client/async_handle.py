"""An instance in the hand, with `async def`: `handle` for asynchronous clients; a test compares the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workflow_sdk.client.ends import FIRST_PAUSE_SECONDS, HOLD_SECONDS, TERMINAL, StillRunning, longer, result_of
from workflow_sdk.errors import NotOffered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from workflow_sdk.client.async_base import AsyncBaseEngineClient, Json
    from workflow_sdk.client.clock import Clock


class AsyncInstanceHandle:
    """One instance of a workflow, as `client.start(...)` or `client.instance(id)` returns it.

    Args:
        client: what to ask the engine with; it must stay open as long as the handle is used.
        id: the instance's id.
        clock: time, for tests.

    """

    def __init__(self, client: AsyncBaseEngineClient, id: str, clock: Clock) -> None:  # noqa: A002 - as everywhere
        self._client = client
        self._clock = clock
        self.id = id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    async def get(self) -> Json:
        """Return the instance as it is now."""
        return await self._client.get_instance(self.id)

    async def status(self) -> str:
        """Return its status now: `ACTIVE`, `WAITING`, `COMPLETED`, `FAILED` or `CANCELLED`."""
        return str((await self.get())["status"])

    async def result(self, timeout: float | None = None) -> dict[str, Any]:
        """Wait for the end and return the variables of the completed instance.

        Args:
            timeout: seconds to wait at most, None = for ever.

        Raises:
            InstanceFailed, InstanceCancelled: it ended otherwise.
            StillRunning: the time ran out; a `TimeoutError`.

        """
        ends_at = None if timeout is None else self._clock.monotonic() + timeout
        pause = FIRST_PAUSE_SECONDS
        while True:
            left = HOLD_SECONDS if ends_at is None else ends_at - self._clock.monotonic()
            instance, was_held = await self._ask(min(max(left, 0.0), HOLD_SECONDS))
            if instance["status"] in TERMINAL:
                return result_of(instance)
            left = HOLD_SECONDS if ends_at is None else ends_at - self._clock.monotonic()
            if left <= 0:
                assert timeout is not None
                raise StillRunning(instance, timeout)
            if not was_held:
                wait = min(pause, left)
                await self._clock.sleep_async(wait)
                pause = longer(pause)

    async def history(self) -> list[Json]:
        """Return its step executions in the order they were entered."""
        return await self._client.get_instance_history(self.id)

    async def audit(self) -> list[Json]:
        """Return who changed what and when."""
        return await self._client.get_instance_audit(self.id)

    def watch(self, *, after: int = 0) -> AsyncIterator[Json]:
        """Yield every change as it happens, see `watch_instance`."""
        return self._client.watch_instance(self.id, after=after)

    async def signal(self, wait_step_id: str, variables: Mapping[str, Any] | None = None) -> None:
        """Let it go on from a WAIT step, setting variables if given."""
        await self._client.signal_wait(self.id, wait_step_id, variables)

    async def complete_task(
        self, step_id: str, result: Mapping[str, Any] | None = None, *, completed_by: str = ""
    ) -> None:
        """Complete the user task that is open at a step."""
        await self._client.complete_user_task_step(self.id, step_id, completed_by, result)

    async def cancel(self, reason: str = "") -> Json:
        """Cancel it and return it."""
        return await self._client.cancel_instance(self.id, reason)

    async def retry(self, step_id: str, variables: Mapping[str, Any] | None = None) -> Json:
        """Run the step again that failed it, with corrected variables if given, and return it."""
        return await self._client.retry_step(self.id, step_id, variables)

    async def _ask(self, seconds: float) -> tuple[Json, bool]:
        """Return the instance, and whether the engine held the question until something happened."""
        try:
            answer = await self._client.await_instance(self.id, wait_ms=round(seconds * 1000))
        except NotOffered:
            return await self.get(), False
        return answer["instance"], True
