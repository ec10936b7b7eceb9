"""Every message has the shape that the contract gives it; the sentence says who is to blame."""

from __future__ import annotations

from collections.abc import Iterator

from rochallor_conformance.contract.operations import operations
from rochallor_conformance.contract.shapes import shape_problems
from rochallor_conformance.oracles.scene import Scene
from rochallor_conformance.transports.exchange import GRPC, REST, Exchange

ERROR = "/components/schemas/Error"
REFUSED_FROM = 400


def wire(scene: Scene) -> Iterator[str]:
    """Yield a sentence for each message that is not as the contract says."""
    for exchange in scene.exchanges:
        if exchange.status is None:
            continue
        yield from (f"harness to blame, {exchange.operation} request {each}" for each in _request(exchange))
        yield from (f"engine to blame, {exchange.target} answer {each}" for each in _response(exchange, scene))


def _request(exchange: Exchange) -> Iterator[str]:
    if exchange.raw or exchange.expected_error or exchange.transport != REST or exchange.request is None:
        return
    if schema := operations()[exchange.operation].body_schema:
        yield from shape_problems(schema, exchange.request)


def _response(exchange: Exchange, scene: Scene) -> Iterator[str]:
    yield from (f"has a field the contract does not know: {place}" for place in exchange.strange_fields)
    if exchange.transport == GRPC:
        yield from _over_grpc(exchange, scene)
    else:
        yield from _over_rest(exchange, scene)


def _over_grpc(exchange: Exchange, scene: Scene) -> Iterator[str]:
    operation = operations()[exchange.operation]
    if isinstance(exchange.response, str):
        yield exchange.response
    elif exchange.is_ok and not operation.is_stream:
        pointer = next((pointer for status, pointer in operation.answers.items() if status < REFUSED_FROM), "")
        if pointer and exchange.operation != "listDefinitions":  # gRPC lists whole definitions, without their steps
            yield from shape_problems(pointer, exchange.response, over_grpc=True, base_only=scene.base_only)


def _over_rest(exchange: Exchange, scene: Scene) -> Iterator[str]:
    assert isinstance(exchange.status, int)
    kind = str(exchange.response_headers.get("content-type", ""))
    if exchange.response is not None and not kind.startswith(
        ("application/json", "application/schema+json", "text/event-stream")
    ):
        yield f"is {kind or 'without a content type'}, not JSON"
        return
    if not exchange.operation:
        if exchange.status >= REFUSED_FROM:
            yield from _refusal(exchange)
        return
    operation = operations()[exchange.operation]
    yield from _etag(exchange)
    if exchange.status not in operation.answers:
        yield f"has status {exchange.status}, which {exchange.operation} does not document"
    elif exchange.status >= REFUSED_FROM:
        yield from _refusal(exchange)
    elif pointer := operation.answers[exchange.status]:
        yield from shape_problems(pointer, exchange.response, base_only=scene.base_only)
    elif exchange.response is not None and not operation.is_stream:
        yield f"has a body, and {exchange.operation} {exchange.status} has none"


def _etag(exchange: Exchange) -> Iterator[str]:
    etag = exchange.response_headers.get("etag")
    revision = exchange.response.get("revision") if isinstance(exchange.response, dict) else None
    if etag is not None and revision is not None and etag != f'"{revision}"':
        yield f"has the ETag {etag} and the revision {revision}; the ETag is the revision in quotes"


def _refusal(exchange: Exchange) -> Iterator[str]:
    yield from shape_problems(ERROR, exchange.response)
    if isinstance(exchange.response, dict) and exchange.response.get("message") != exchange.response.get("reason"):
        yield "/message and /reason differ; they hold the same sentence for two generations of clients"
