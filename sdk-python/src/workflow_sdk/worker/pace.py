"""When to poll next, as a pure function of how the last polls went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_sdk.retry.backoff import full_jitter

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PAUSE_SECONDS = 0.005
LONGEST_ERROR_PAUSE_SECONDS = 5.0
# An empty answer this close to the time asked for means that the engine did hold the call.
_HELD_SHARE = 0.5


@dataclass(frozen=True)
class Rest:
    """How long to rest before the next poll, and whether a slot that comes back ends the rest."""

    seconds: float
    ends_with_a_slot: bool = True


class Pace:
    """Remembers just enough of the past polls to choose the next pause.

    Whether the engine holds a long poll is learned from how long an empty answer took, so no version needs to be
    asked for, and an engine that is replaced by an older or newer one is noticed with its first empty answer.

    Args:
        poll_interval: the longest pause between polls of an engine that has nothing, seconds.
        chance: a number in [0, 1).

    """

    def __init__(self, poll_interval: float, chance: Callable[[], float]) -> None:
        self._poll_interval = poll_interval
        self._chance = chance
        self._pause = FIRST_PAUSE_SECONDS
        self._holds_polls = False
        self._errors = 0

    @property
    def errors(self) -> int:
        """How many polls in a row failed."""
        return self._errors

    def after_answer(self, *, asked: int, got: int, wait_seconds: float, took_seconds: float) -> Rest:
        """Return the rest after a poll that asked for `asked` jobs, and was allowed to be held `wait_seconds`."""
        self._errors = 0
        if not got:
            self._holds_polls = wait_seconds > 0 and took_seconds >= wait_seconds * _HELD_SHARE
        if got or self._holds_polls:
            self._pause = FIRST_PAUSE_SECONDS
        if got >= asked or self._holds_polls:
            return Rest(0.0)
        pause = min(self._pause, self._poll_interval)
        self._pause = min(self._pause * 2, self._poll_interval)
        return Rest(pause)

    def after_error(self, retry_after: float | None) -> Rest:
        """Return the rest after a poll that failed; a slot that comes back does not make the engine healthy."""
        jitter = full_jitter(self._errors, chance=self._chance, limit=LONGEST_ERROR_PAUSE_SECONDS)
        self._errors += 1
        return Rest((retry_after or 0.0) + max(jitter, FIRST_PAUSE_SECONDS), ends_with_a_slot=False)
