"""When a client sends a call again by itself, as a pure function of the call and of what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workflow_sdk.errors import ConnectionFailed, EngineClientError
from workflow_sdk.operation import Repeat
from workflow_sdk.retry.backoff import full_jitter

# No answer, or something on the way is down or busy: the next attempt may pass. 500 is a bug and stays one.
PASSING = frozenset({0, 408, 429, 502, 503, 504})
# The engine said itself that it did not take it.
NOT_TAKEN = frozenset({429})


@dataclass(frozen=True)
class Retries:
    """How often a call that failed is sent again, and how long the pauses are at most.

    Args:
        attempts: the first one included; 1 switches repeating off.
        longest_seconds: the longest pause before the engine's own wish, which comes on top.

    Raises:
        ValueError: a figure that cannot be meant.

    """

    attempts: int = 3
    longest_seconds: float = 2.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.longest_seconds < 0:
            raise ValueError("Retries: attempts counts from 1, the first included, and pauses are not negative")

    def pause(self, error: Exception, repeat: Repeat, attempts: int, chance: Callable[[], float]) -> float | None:
        """Return seconds to wait after so many failed attempts (from 1), None when the error is final."""
        if attempts >= self.attempts or not may_repeat(error, repeat):
            return None
        asked = getattr(error, "retry_after", None) or 0.0
        return float(asked) + full_jitter(attempts - 1, chance=chance, limit=self.longest_seconds)


ONCE = Retries(attempts=1)


def may_repeat(error: Exception, repeat: Repeat) -> bool:
    """Return whether a call of this kind that failed with `error` may be sent again."""
    if repeat == "by-worker" or not isinstance(error, EngineClientError):
        return False
    if isinstance(error, ConnectionFailed) and not error.sent:
        return True
    return error.status_code in (PASSING if repeat == "freely" else NOT_TAKEN)
