"""From a failed gRPC call to the error REST would have given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs]  # generated, no type hints
from grpc_status import rpc_status  # type: ignore[import-untyped]  # has no type hints

from workflow_sdk.errors import BusinessKeyInUse, ConnectionFailed, EngineClientError, engine_error, status_of

# The library has no type hints.
_from_call: Callable[[Any], Any] = rpc_status.from_call  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

_STATUS = {
    # gRPC status -> HTTP status, where the answer itself does not say more exactly.
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.DATA_LOSS: 500,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
}
_NO_ANSWER = frozenset({grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})
# How grpc words that there was no connection to write into. Any other loss may have happened after the request left.
_NEVER_SENT = ("failed to connect to all addresses", "DNS resolution failed")
# How grpc words that a message is over its own limit; the contract's word for it is another one than "busy".
_OVERSIZE = ("larger than max", "exceeds maximum")


def error_of(error: Any) -> EngineClientError:
    """Return the typed error for a `grpc.RpcError` of a call."""
    status, text = error.code(), error.details() or ""
    if status in _NO_ANSWER or text.startswith(_NEVER_SENT):
        return ConnectionFailed(f"no answer: {text or status.name}", sent=not text.startswith(_NEVER_SENT))
    facts = _facts_of(error)
    code = facts.pop("code", "")
    if status is grpc.StatusCode.ALREADY_EXISTS or code == BusinessKeyInUse.default_code:
        return BusinessKeyInUse(409, text, **facts)
    return engine_error(status_of(code) or _guess(status, text), text, **facts)


def _guess(status: grpc.StatusCode, text: str) -> int:
    if status is grpc.StatusCode.RESOURCE_EXHAUSTED and any(phrase in text for phrase in _OVERSIZE):
        return 413
    return _STATUS.get(status, 500)


def _facts_of(error: Any) -> dict[str, Any]:
    """Return what the status details say: `code`, `details`, `retry_after`."""
    facts: dict[str, Any] = {}
    try:
        rich = _from_call(error)
    except ValueError:  # details that contradict the status: a proxy's, not the engine's
        return facts
    for packed in rich.details if rich is not None else ():
        _read_detail(packed, facts)
    return facts


def _read_detail(packed: Any, facts: dict[str, Any]) -> None:
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    if packed.Unpack(info):
        facts["code"] = info.reason.lower().replace("_", "-")
    elif packed.Unpack(bad):
        facts["details"] = [
            {"code": each.reason, "pointer": each.field, "message": each.description} for each in bad.field_violations
        ]
    elif packed.Unpack(retry):
        facts["retry_after"] = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
