"""Judges a cassette without any engine: every recorded answer must still be what the contract says.

Two views of one answer: the shape of the OpenAPI document (with the oracles that judge a live case), and whether
mapping.yaml and the proto message can carry it to the other transport and back. A change of one line in a schema, in
the mapping or in a recorded answer is seen here within seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rochallor_conformance.contract.operations import operations
from rochallor_conformance.oracles import Scene, findings
from rochallor_conformance.oracles.comparing import Said, differences
from rochallor_conformance.oracles.mapped import as_fields, sayable
from rochallor_conformance.replay.cassette import Recorded, Take
from rochallor_conformance.transports.exchange import GRPC, REST, Exchange, Inexpressible
from rochallor_conformance.transports.messages import to_message, to_rest
from rochallor_conformance.transports.rest import split

OK_BELOW = 400
JSON_TYPE = "application/json"


def problems(take: Take, *, base_only: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the name of an oracle and a sentence for each answer of a take that the contract does not allow."""
    exchanges = [as_exchange(each) for each in take.exchanges]
    yield from findings(Scene(exchanges=exchanges, base_only=base_only))
    for each in take.exchanges:
        for sentence in _carried(each):
            yield "mapping", f"{each.operation} answer {sentence}"


def as_exchange(recorded: Recorded) -> Exchange:
    """Return a recorded exchange as the oracles look at it."""
    is_ok = recorded.status == "OK" if isinstance(recorded.status, str) else recorded.status < OK_BELOW
    target, request = _told(recorded)
    return Exchange(
        number=recorded.number,
        transport=recorded.transport,
        operation=recorded.operation,
        target=target,
        request=request,
        status=recorded.status,
        response=recorded.response,
        response_headers={"content-type": JSON_TYPE, **recorded.headers},
        is_ok=is_ok,
        expected_error=not is_ok,
        raw=recorded.by_hand,
        sent=recorded.number * 2,
        answered=recorded.number * 2 + 1,
    )


def _told(recorded: Recorded) -> tuple[str, Any]:
    if recorded.http is not None:
        return f"{recorded.http.method} {recorded.http.path}", recorded.request
    operation = operations().get(recorded.operation)
    if operation is None or recorded.rpc or recorded.transport == GRPC:
        return recorded.rpc or recorded.operation, recorded.request
    path, _, _, body = split(operation, recorded.request)
    return f"{operation.method} {path}", body


def _carried(recorded: Recorded) -> Iterator[str]:
    """Yield what is lost when an answer goes through its proto message and back."""
    operation = operations().get(recorded.operation)
    if operation is None or not operation.rpc or operation.is_stream or not isinstance(recorded.response, dict):
        return
    if not as_exchange(recorded).is_ok:
        return
    wanted = Said(REST, 200, sayable(recorded.response, operation), {})
    try:
        message = to_message(as_fields(recorded.response, operation), operation.response_type())
    except Inexpressible as error:
        yield str(error)
        return
    back = to_rest(message)
    for difference in differences(wanted, Said(GRPC, "OK", back, {}), lambda _: True):
        yield f"comes back from {operation.response_type.DESCRIPTOR.name} with {difference}"
