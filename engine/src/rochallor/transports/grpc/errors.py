"""Refusals on the wire: the contract's error table as gRPC statuses, with google.rpc details.

`ErrorInfo.reason` is the code of the table in capitals (BAD_REQUEST), `BadRequest` lists what is wrong and where,
`RetryInfo` says when to come back. Status and details travel as HTTP/2 headers, and clients refuse more than 8 KiB of
those, so long texts and long lists are cut; what is cut is said.
"""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from rochallor_proto import contract

from rochallor.core.errors import Detail, WorkflowError

DOMAIN = "workflow.v1"
DETAILS_KEY = "grpc-status-details-bin"
MAX_TEXT_BYTES = 1_024
MAX_DETAILS_BYTES = 2_048

STATUSES: dict[str, Any] = {
    row["code"]: grpc.StatusCode[row["grpc"] or "INVALID_ARGUMENT"] for row in contract("errors")["errors"]
}
"""Error code -> status. What only HTTP knows (415, 405) can only be a malformed request here."""


def status_name(error: WorkflowError) -> str:
    """Return the name of the status that `error` becomes."""
    return str(_status_code(error).name)


def _status_code(error: WorkflowError) -> Any:
    return STATUSES.get(error.code, grpc.StatusCode.INTERNAL)


async def refuse(call: Any, error: WorkflowError) -> NoReturn:
    """End the call with the status of `error`."""
    status = status_of(error)
    await call.abort(_status_code(error), status.message, ((DETAILS_KEY, status.SerializeToString()),))
    raise AssertionError("abort raises")


def status_of(error: WorkflowError) -> status_pb2.Status:
    """Return the rich status of an error."""
    status = status_pb2.Status(code=_status_code(error).value[0], message=_cut(error.message, MAX_TEXT_BYTES))
    info = error_details_pb2.ErrorInfo(reason=error.code.upper().replace("-", "_"), domain=DOMAIN)
    _add(status, info)
    if error.details:
        _add(status, _violations(error.details))
    if error.retry_after_ms is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(error.retry_after_ms)
        _add(status, retry)
    return status


def _add(status: status_pb2.Status, detail: Message) -> None:
    status.details.add().Pack(detail)


def _violations(details: tuple[Detail, ...]) -> error_details_pb2.BadRequest:
    found = error_details_pb2.BadRequest()
    for index, detail in enumerate(details):
        found.field_violations.add(
            field=_cut(detail.pointer, MAX_TEXT_BYTES // 4),
            reason=detail.code,
            description=_cut(detail.message, MAX_TEXT_BYTES // 2),
        )
        if found.ByteSize() > MAX_DETAILS_BYTES:
            del found.field_violations[-1]
            rest = f"{len(details) - index} more problems do not fit here; correct these first, or ask over REST."
            found.field_violations.add(reason="MORE_PROBLEMS", description=rest)
            break
    return found


def _cut(text: str, limit: int) -> str:
    data = text.encode("utf-8", "replace")
    return data.decode() if len(data) <= limit else data[: limit - 3].decode("utf-8", "ignore") + "..."
