"""A call with its repeats, blocking and not: attempts and pauses share one deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from workflow_sdk.errors import EngineClientError
from workflow_sdk.operation import Args, Operation, wait_seconds

if TYPE_CHECKING:
    from workflow_sdk.client.settings import Settings

T = TypeVar("T")


class _Course:
    """How one call goes: what time is left, how often it was tried."""

    def __init__(self, operation: Operation, args: Args, settings: Settings) -> None:
        self._operation = operation
        self._settings = settings
        waits = wait_seconds(args)
        self._longest = settings.timeout + waits
        budget = settings.timeout if settings.deadline is None else settings.deadline
        self._ends_at = settings.clock.monotonic() + budget + waits
        self._attempts = 0

    def seconds(self) -> float:
        """Return how long the next attempt may take."""
        return max(0.0, min(self._longest, self._ends_at - self._settings.clock.monotonic()))

    def pause_after(self, error: EngineClientError) -> float:
        """Return seconds to wait before the next attempt; raises the error when there is none."""
        self._attempts += 1
        clock = self._settings.clock
        pause = self._settings.retries.pause(error, self._operation.repeat, self._attempts, clock.chance)
        if pause is None or clock.monotonic() + pause >= self._ends_at:
            raise error
        return pause


def repeat(attempt: Callable[[float], T], operation: Operation, args: Args, settings: Settings) -> T:
    """Return what `attempt(seconds)` returns, tried again as the operation and the settings allow."""
    course = _Course(operation, args, settings)
    while True:
        try:
            return attempt(course.seconds())
        except EngineClientError as error:
            settings.clock.sleep(course.pause_after(error))


async def repeat_async(
    attempt: Callable[[float], Awaitable[T]], operation: Operation, args: Args, settings: Settings
) -> T:
    """Do the same on an event loop."""
    course = _Course(operation, args, settings)
    while True:
        try:
            return await attempt(course.seconds())
        except EngineClientError as error:
            pause = course.pause_after(error)
        await settings.clock.sleep_async(pause)
