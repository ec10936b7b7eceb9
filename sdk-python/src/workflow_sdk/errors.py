"""Every error the SDK raises, and the table that turns an engine's answer into one of them.

Here belong error types and how an answer becomes one; nothing that talks. The table follows the contract's list of
errors, so a caller catches the same class whether the answer came over REST or gRPC. It would break if a transport
raised something that is not made here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class WorkflowSDKError(Exception):
    """Something that this SDK raised on purpose; the root of all of its errors."""


class NonRetryableError(WorkflowSDKError):
    """Raised by a handler: this job cannot succeed, however often it is tried.

    Args:
        message: becomes the instance's failure reason.
        code: a word for programs, sent along with the sentence to an engine that takes it.
        details: anything JSON that helps whoever reads the failure; not sent.

    """

    def __init__(self, message: str = "", *, code: str = "", details: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


class RetryAfter(WorkflowSDKError):
    """Raised by a handler: not now, but it will work later; try again after so many seconds.

    It costs a retry like any failure. An engine that takes no wish hands the job out again at its own time.

    Args:
        seconds: how long to wait, 0 or more; fractions count.
        message: why, for whoever reads the history.

    Raises:
        ValueError: seconds is negative or no number.

    """

    def __init__(self, seconds: float, message: str = "") -> None:
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"RetryAfter waits 0 seconds or more, not {seconds!r}")
        super().__init__(message or f"to be tried again after {seconds:g} s")
        self.seconds = seconds


class JobCancelled(WorkflowSDKError):
    """Raised by `ctx.check_cancelled()`: nobody waits for this job's result any more. Clean up and let it pass."""


class InvalidVariables(WorkflowSDKError, ValueError):
    """Variables that cannot travel: not JSON, or a number that the transport would change.

    The message names the place, never the value: values may be secret and errors end in logs.
    """


class EngineClientError(WorkflowSDKError):
    """The engine refused a call, or could not be asked.

    Args:
        status_code: HTTP status; over gRPC the status that REST would have had; 0 when no answer came.
        message: the engine's sentence.
        code: the contract's word for the error (`not-found`, `business-key-in-use`, ...).
        details: `[{"code", "pointer", "message"}]`, filled when there is more than one thing to say.
        retry_after: seconds to wait before asking again, when the engine said so.

    """

    default_code = ""

    def __init__(
        self,
        status_code: int,
        message: str = "",
        *,
        code: str | None = None,
        details: Sequence[Mapping[str, Any]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status_code}: {message}" if status_code else message)
        self.status_code = status_code
        self.message = message
        self.code = self.default_code if code is None else code
        self.details = [dict(detail) for detail in details]
        self.retry_after = retry_after


class BadRequest(EngineClientError):
    """The request is malformed or breaks a rule: read `details`, correct it, send it again."""

    default_code = "bad-request"


class Unauthorized(EngineClientError):
    """The request carries no token, or one the engine does not know."""

    default_code = "unauthorized"


class Forbidden(EngineClientError):
    """The token is known but may not do this."""

    default_code = "forbidden"


class NotFound(EngineClientError):
    """There is no such definition, instance, step, job, task or route."""

    default_code = "not-found"


class MethodNotAllowed(EngineClientError):
    """The engine has the route but not the method: most likely an engine that does not offer the operation."""

    default_code = "method-not-allowed"


class Conflict(EngineClientError):
    """The instance is not in a state that allows this: it is terminal, the step is not parked, the revision moved."""

    default_code = "conflict"


class BusinessKeyInUse(Conflict):
    """Another instance of the definition is in flight with the same business key."""

    default_code = "business-key-in-use"


class Gone(EngineClientError):
    """The engine hands jobs out through Kafka, so polling is switched off."""

    default_code = "gone"


class PayloadTooLarge(EngineClientError):
    """The body, the definition or the instance's variables are over the engine's limit."""

    default_code = "too-large"


class UnsupportedFormat(EngineClientError):
    """The body was not sent as JSON."""

    default_code = "unsupported-format"


class TooManyRequests(EngineClientError):
    """The engine is full or the caller over its rate; nothing was done. Wait `retry_after` seconds and ask again."""

    default_code = "too-many-requests"


class InternalError(EngineClientError):
    """The engine failed on its own account; what the request did is unknown until the state is read back."""

    default_code = "internal-error"


class NotOffered(EngineClientError):
    """The engine does not know this operation: an older build."""

    default_code = "not-offered"


class Unavailable(EngineClientError):
    """The engine cannot reach its store or is stopping; the same request may succeed later."""

    default_code = "unavailable"


class ConnectionFailed(EngineClientError):
    """No answer came.

    `sent` is False only when the request provably never left this process (refused connection, unknown host), so that
    repeating it cannot do anything twice. When in doubt it is True.
    """

    default_code = "connection-failed"

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(0, message)
        self.sent = sent


KINDS: tuple[tuple[str, int, type[EngineClientError]], ...] = (
    # code, HTTP status, error. Of two rows with one status the first is meant when an answer names no code.
    ("bad-request", 400, BadRequest),
    ("unauthorized", 401, Unauthorized),
    ("forbidden", 403, Forbidden),
    ("not-found", 404, NotFound),
    ("method-not-allowed", 405, MethodNotAllowed),
    ("conflict", 409, Conflict),
    ("business-key-in-use", 409, BusinessKeyInUse),
    ("gone", 410, Gone),
    ("too-large", 413, PayloadTooLarge),
    ("unsupported-format", 415, UnsupportedFormat),
    ("too-many-requests", 429, TooManyRequests),
    ("internal-error", 500, InternalError),
    ("not-offered", 501, NotOffered),
    ("unavailable", 502, Unavailable),
    ("unavailable", 503, Unavailable),
    ("unavailable", 504, Unavailable),
)

_BY_STATUS: dict[int, type[EngineClientError]] = {status: kind for _, status, kind in reversed(KINDS)}
_STATUS_OF_CODE: dict[str, int] = {code: status for code, status, _ in reversed(KINDS)}
_KEY_IN_USE = "business key already in use"


def engine_error(
    status_code: int,
    message: str,
    *,
    details: Sequence[Mapping[str, Any]] = (),
    retry_after: float | None = None,
) -> EngineClientError:
    """Return the error for an answer of this HTTP status; a status without a row gives the general one.

    A key in use is told from other conflicts by its sentence, because REST says `conflict` for both.
    """
    kind = _BY_STATUS.get(status_code, EngineClientError)
    if kind is Conflict and _KEY_IN_USE in message:
        kind = BusinessKeyInUse
    return kind(status_code, message, details=details, retry_after=retry_after)


def status_of(code: str) -> int | None:
    """Return the HTTP status of a contract code, None for a word that is not in the table."""
    return _STATUS_OF_CODE.get(code)
