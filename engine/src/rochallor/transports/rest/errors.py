"""What a refused request is answered with: status, headers and body, as the contract's error table says.

Statuses and words are read from `errors.yaml` (through rochallor_proto), never written here. Two refusals know more
than their code: 405 names the methods there are, and a body that was not read to its end may cost the connection.
Nothing of the inside leaves: only the sentence of a `WorkflowError`, which is written for callers, is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from rochallor_proto import contract

from rochallor.core.errors import Detail, PayloadTooLarge, WorkflowError
from rochallor.transports.rest.answers import Answer, Header

DEFAULT_RETRY_AFTER_MS = 1_000


class ClientGone(Exception):
    """The client closed the connection; nobody reads an answer any more."""


class MethodNotAllowed(WorkflowError):
    """The path exists, and not with this method."""

    code = "method-not-allowed"

    def __init__(self, message: str, *, allow: Sequence[str]) -> None:
        super().__init__(message)
        self.allow = allow


class BodyTooLarge(PayloadTooLarge):
    """The body is over the limit and was not read to its end; `hang_up` when its rest is not worth waiting for."""

    def __init__(self, message: str, *, hang_up: bool) -> None:
        super().__init__(message)
        self.hang_up = hang_up


class Row(NamedTuple):
    """One row of the error table, as far as REST reads it."""

    status: int
    word: str
    retry_after: bool


ROWS = {row["code"]: Row(row["http"], row["error"], row["retryAfter"]) for row in contract("errors")["errors"]}

# What the body of one code says beside the sentence (the original engine's clients read these).
EXTRAS = {
    "gone": {
        "dispatch_mode": "kafka_outbox",
        "hint": "Consume the topic of the job type, or set WE_DISPATCH_MODE=polling.",
    },
}


def refusal(error: WorkflowError) -> Answer:
    """Return the answer that tells a caller about `error`."""
    row = ROWS[error.code]
    body = {"error": row.word, "message": error.message, "reason": error.message}
    more: dict[str, object] = {"details": [_problem(detail) for detail in error.details]} if error.details else {}
    return Answer(row.status, _encode(body | more | EXTRAS.get(error.code, {})), tuple(_headers(error, row)))


def _headers(error: WorkflowError, row: Row) -> list[Header]:
    headers: list[Header] = []
    if row.retry_after:
        wait_ms = DEFAULT_RETRY_AFTER_MS if error.retry_after_ms is None else error.retry_after_ms
        headers.append((b"retry-after", b"%d" % -(-wait_ms // 1_000)))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allow).encode()))
    if isinstance(error, BodyTooLarge) and error.hang_up:
        headers.append((b"connection", b"close"))
    if error.code == "unauthorized":
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def _problem(detail: Detail) -> dict[str, str]:
    return {"code": detail.code, "pointer": detail.pointer, "message": detail.message}


def _encode(body: dict[str, object]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # a sentence that quotes half of a surrogate pair; JSON in UTF-8 cannot
        return msgspec.json.encode(_printable(body))


def _printable(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value
