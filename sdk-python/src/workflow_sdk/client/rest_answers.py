"""From an HTTP answer to a result or a typed error, whoever wrote it: either generation of engines or a proxy.

Status, headers and bytes in, whichever library they came with. Pure.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from workflow_sdk.errors import EngineClientError, NotOffered, engine_error
from workflow_sdk.json_types import is_dict, is_list
from workflow_sdk.operation import Args, Operation

OK = range(200, 300)
_NOT_THERE = frozenset({404, 405})
_TEXT_LIMIT = 500


def read(operation: Operation, args: Args, status: int, content: bytes, retry_after: str | None) -> Any:
    """Return an operation's result.

    Raises:
        EngineClientError: the answer is a refusal, or no answer of an engine.

    """
    if status not in OK:
        raise error_of(operation, status, content, retry_after)
    return operation.read(_body(status, content), args)


def error_of(operation: Operation, status: int, content: bytes, retry_after: str | None) -> EngineClientError:
    """Return the typed error of an answer."""
    body = _object(content)
    message = _sentence(body, content) or _phrase(status)
    if operation.ours and status in _NOT_THERE and _route_is_missing(operation, status, body):
        return NotOffered(status, f"this engine does not offer {operation.name}: {message}")
    details = (body or {}).get("details")
    return engine_error(
        status,
        message,
        details=[detail for detail in details if is_dict(detail)] if is_list(details) else (),
        retry_after=seconds_of(retry_after),
    )


def seconds_of(retry_after: str | None) -> float | None:
    """Return how long a Retry-After header asks to wait, None when it is absent or makes no sense here.

    A date (RFC 9110, 10.2.3) is left out: it would be read on a clock that may not be the engine's.
    """
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return None
    return max(0.0, seconds) if seconds < float("inf") else None


def _route_is_missing(operation: Operation, status: int, body: dict[str, Any] | None) -> bool:
    """Tell a missing route from a missing instance: routers answer in plain text, or there is nothing to be missing."""
    return status == HTTPStatus.METHOD_NOT_ALLOWED or body is None or "{" not in operation.path


def _body(status: int, content: bytes) -> Any:
    if not content:
        return None
    try:
        return json.loads(content)
    except ValueError:
        raise EngineClientError(
            status, "the answer is not JSON; is there a workflow engine at this URL?", code="not-json"
        ) from None


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(content)
    except ValueError:
        return None
    return body if is_dict(body) else None


def _sentence(body: dict[str, Any] | None, content: bytes) -> str:
    if body is None:
        return content.decode(errors="replace").strip()[:_TEXT_LIMIT]
    return str(body.get("message") or body.get("reason") or body.get("error") or "")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"
