"""When a report is sent again, as a pure function of what went wrong.

Completing twice is harmless on an engine that fences and dangerous only when two calls overlap, so a completion is
repeated, one at a time, until it is acknowledged. Every `fail` that arrives burns a retry on an engine that does not
fence, so it is repeated only when the first one provably did nothing.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from workflow_sdk.errors import ConnectionFailed, EngineClientError, InvalidVariables
from workflow_sdk.retry.backoff import full_jitter

if TYPE_CHECKING:
    from collections.abc import Callable

# No answer, timeouts, full, or something on the way is down: the next attempt may pass.
PASSING = frozenset({0, 408, 429, 502, 503, 504})
# The engine said itself that it did not take it.
NOT_TAKEN = frozenset({429})
# An internal error may pass, or may be how an older engine says that the job is unknown.
INTERNAL = 500
INTERNAL_ATTEMPTS = 5
# The engine cannot take a result as it is: malformed, nested too deeply, against a schema; or too large.
ABOUT_THE_RESULT = frozenset({400, 413})

# What a client error can become an answer to: no answer in time, too many, a token that is not known yet.
MAY_CHANGE = frozenset({401, 403, 408, 429})
FIRST_REFUSAL = 400

GIVE_UP_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 5.0


class Told(Enum):
    """What the engine knows of an outcome."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """It said for good that it does not want it: the job is unknown, over, or somebody else's."""
    BROKEN = "broken"
    """It answered that something is wrong with it, which may pass, or may be how it says REFUSED."""
    NOTHING = "nothing"
    """It did not hear it, as far as is known, or would have if it had let this worker in."""


def may_repeat_complete(error: Exception, attempts: int) -> bool:
    """Return whether a completion that failed with `error` may be sent again after so many attempts."""
    if isinstance(error, EngineClientError):
        if error.status_code == INTERNAL:
            return attempts < INTERNAL_ATTEMPTS
        return error.status_code in PASSING
    return isinstance(error, OSError)  # what a client that is not ours raises when the network is down


def may_repeat_fail(error: Exception, attempts: int) -> bool:
    """Return whether a failure that could not be reported may be sent again: only if the first did nothing."""
    del attempts
    if isinstance(error, ConnectionFailed):
        return not error.sent
    return isinstance(error, EngineClientError) and error.status_code in NOT_TAKEN


def undeliverable(error: Exception) -> bool:
    """Return whether a result can never be delivered, whatever the network does: it is itself the problem."""
    return isinstance(error, InvalidVariables) or (
        isinstance(error, EngineClientError) and error.status_code in ABOUT_THE_RESULT
    )


def told_by(error: Exception) -> Told:
    """Return what the engine knows of an outcome whose report ended with `error`."""
    if not isinstance(error, EngineClientError) or error.status_code in MAY_CHANGE:
        return Told.NOTHING
    if error.status_code == INTERNAL:
        return Told.BROKEN
    return Told.REFUSED if FIRST_REFUSAL <= error.status_code < INTERNAL else Told.NOTHING


def pause_before_next(error: Exception, attempts: int, chance: Callable[[], float]) -> float:
    """Return seconds to wait after `attempts` failed attempts (from 1): full jitter, not less than the engine asked."""
    asked = getattr(error, "retry_after", None) or 0.0
    return float(asked) + full_jitter(attempts - 1, chance=chance, limit=LONGEST_PAUSE_SECONDS)
