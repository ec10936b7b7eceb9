"""What can be wrong with a request, and what can go wrong inside a workflow.

Two families that must not be mixed. A `WorkflowError` is the caller's answer: nothing was changed (or, where a
reply says so, the change is already committed). A `RoutingFailure` is about the definition and its data: no caller
did wrong, so it fails the instance and the caller's request succeeds.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Detail(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One thing that is wrong, and where: `pointer` is an RFC 6901 JSON pointer into the request body."""

    code: str
    pointer: str
    message: str


class WorkflowError(Exception):
    """The engine could not do as asked; the message says why and what to do about it.

    `code` is a key of the contract's error table, from which each transport takes its own status.
    """

    code: ClassVar[str] = "internal-error"

    def __init__(self, message: str, *, details: tuple[Detail, ...] = (), retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.retry_after_ms = retry_after_ms


class BadRequest(WorkflowError):
    """The request is malformed or breaks a rule; sending it again unchanged cannot succeed."""

    code = "bad-request"


class NotFound(WorkflowError):
    """Nothing with this name exists."""

    code = "not-found"


class Conflict(WorkflowError):
    """The thing exists, and is not in a state that allows this."""

    code = "conflict"


class BusinessKeyInUse(Conflict):
    """Another instance of this definition holds the business key and is still in flight."""

    code = "business-key-in-use"


class Gone(WorkflowError):
    """This engine no longer offers the operation in its present mode."""

    code = "gone"


class PayloadTooLarge(WorkflowError):
    """The request, or what it would make of the instance, is over a limit."""

    code = "too-large"


class UnsupportedFormat(WorkflowError):
    """The body is not JSON."""

    code = "unsupported-format"


class TooManyRequests(WorkflowError):
    """The engine has as much waiting as it accepts; come back after `retry_after_ms`."""

    code = "too-many-requests"


class Unauthorized(WorkflowError):
    """No token, or one that is not known."""

    code = "unauthorized"


class Forbidden(WorkflowError):
    """The token is known and its role does not allow this."""

    code = "forbidden"


class Unavailable(WorkflowError):
    """The store does not answer; nothing was changed."""

    code = "unavailable"


class InternalError(WorkflowError):
    """A bug of the engine; the log has the rest."""

    code = "internal-error"


class RoutingFailure(Exception):
    """The definition and the data do not fit; the instance fails with a reason that begins with `word`."""

    def __init__(self, word: str, message: str) -> None:
        super().__init__(f"{word}: {message}")
        self.word = word
