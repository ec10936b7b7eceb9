"""Answers that a fault made up, as each transport says them."""

from __future__ import annotations

import msgspec
from google.protobuf import duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from rochallor.transports.grpc.errors import DETAILS_KEY
from rochallor_proto import contract

from rochallor_stub.faults import Fault
from rochallor_stub.messages import REST, Reply, header_lines

GARBAGE = b'\xff{"not": json,'
SENTENCE = "this answer was scripted by a fault of the stub"
OTHERS = {502: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}  # what a proxy says
ROWS = {row["http"]: row for row in reversed(contract("errors")["errors"])}
"""HTTP status -> row of the contract's error table; where several share a status, the first of them."""


def refusal(fault: Fault, transport: str) -> Reply:
    """Return the answer of a `status` fault."""
    return _rest_refusal(fault) if transport == REST else _grpc_refusal(fault)


def garbage(fault: Fault, reply: Reply) -> Reply:
    """Return success with a body that means nothing, in place of `reply`."""
    body = GARBAGE if fault.body is None else str(fault.body).encode()
    if isinstance(reply.status, str):
        return Reply("OK", body=body, kind=reply.kind)
    return Reply(200, _headers("application/json", body), body)


def _rest_refusal(fault: Fault) -> Reply:
    body = fault.body
    if body is None:
        word = ROWS[fault.status]["error"] if fault.status in ROWS else "error"
        body = {"error": word, "message": SENTENCE, "reason": SENTENCE}
    raw = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    headers = _headers("text/plain" if isinstance(body, str) else "application/json", raw)
    if fault.retry_after_s is not None:
        headers += (("retry-after", str(fault.retry_after_s)),)
    return Reply(fault.status, headers, raw)


def _grpc_refusal(fault: Fault) -> Reply:
    name = (ROWS.get(fault.status) or {}).get("grpc") or OTHERS.get(fault.status, "UNKNOWN")
    text = fault.body if isinstance(fault.body, str) else SENTENCE
    status = status_pb2.Status(code=code_pb2.Code.Value(name), message=text)
    if fault.retry_after_s is not None:
        wait = duration_pb2.Duration(seconds=fault.retry_after_s)
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=wait))
    trailers = ((DETAILS_KEY, status.SerializeToString()),)
    return Reply(name, header_lines(trailers), text=text, trailers=trailers)


def _headers(media: str, body: bytes) -> tuple[tuple[str, str], ...]:
    return (("content-type", media), ("content-length", str(len(body))))
