"""How a handler's work ended, as a value: what the reporter sends and tests compare. Only data belongs here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Completed:
    """The handler returned; `variables` are the dict to merge into the instance's, None for none."""

    variables: Any


@dataclass(frozen=True)
class Failed:
    """The handler raised, or there is none.

    Args:
        message: the sentence that becomes the failure reason.
        retryable: whether another try may succeed.
        code: a word for programs, empty when there is none.
        details: anything JSON that helps whoever reads the failure, as the handler gave it; the wire has no place for
            it, so it is for logs and tests.
        retry_after_ms: how long the engine should wait before it hands the job out again; None lets it decide.

    """

    message: str
    retryable: bool
    code: str = ""
    details: object = ()
    retry_after_ms: int | None = None


Outcome = Completed | Failed


def no_handler(job_type: str) -> Failed:
    """Return the outcome of a job whose type nobody serves."""
    return Failed(f"no handler registered for '{job_type}'", retryable=False)
