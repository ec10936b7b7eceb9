"""Operations over gRPC, by descriptor, and messages written by hand for what only gRPC can say wrongly."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from rochallor_conformance.contract.errors import codes_of_grpc
from rochallor_conformance.contract.operations import SERVICE, Operation, operations
from rochallor_conformance.transports.exchange import (
    GRPC,
    Answer,
    Exchange,
    Inexpressible,
    Journal,
    Json,
    Unreachable,
)
from rochallor_conformance.transports.messages import strange_fields, to_message, to_rest

TIMEOUT_S = 40.0  # a long poll holds for 30
DETAILS_KEY = "grpc-status-details-bin"
OPTIONS = (("grpc.max_receive_message_length", 64 * 1024 * 1024), ("grpc.enable_http_proxy", 0))


class GrpcTransport:
    """One engine's gRPC door. `target` is HOST:PORT."""

    name = GRPC

    def __init__(self, target: str) -> None:
        self.target = target
        self._channel = grpc.aio.insecure_channel(target, options=OPTIONS)

    async def call(self, operation: Operation, args: Json, journal: Journal, *, token: str = "") -> Answer:
        """Carry out one operation."""
        if not operation.rpc:
            raise Inexpressible(f"{operation.id} has no rpc")
        message = to_message(args, operation.request_type())
        return await self._send(operation, message, args, journal, token)

    async def raw(self, rpc: str, fields: Json, journal: Journal, *, token: str = "") -> Answer:
        """Send a message written in protobuf's own JSON mapping.

        Raises:
            Inexpressible: the message has no such fields.

        """
        operation = next(each for each in operations().values() if each.rpc == rpc)
        try:
            message = ParseDict(fields, operation.request_type())
        except ParseError as error:
            raise Inexpressible(f"{rpc}: {error}") from error
        answer = await self._send(operation, message, fields, journal, token)
        answer.exchange.raw = True
        return answer

    async def close(self) -> None:
        """Let go of the connection."""
        await self._channel.close()

    async def _send(self, operation: Operation, message: Message, shown: Any, journal: Journal, token: str) -> Answer:
        metadata = {"authorization": f"Bearer {token}"} if token else {}
        entry = journal.begin(GRPC, operation.id, operation.rpc, shown, dict(metadata))
        entry.wire = MessageToJson(message, indent=None)
        try:
            replies = await self._replies(operation, message, tuple(metadata.items()))
        except grpc.aio.AioRpcError as error:
            return self._refused(error, journal, entry)
        except DecodeError as error:
            journal.end(entry, status="OK", is_ok=True, response=f"undecodable: {error}", headers={})
            return Answer(exchange=entry, is_ok=True, body=None)
        body = {"items": [to_rest(reply) for reply in replies]} if operation.is_stream else to_rest(replies[0])
        entry.strange_fields = [place for reply in replies for place in strange_fields(reply)]
        journal.end(entry, status="OK", is_ok=True, response=body or None, headers={})
        return Answer(exchange=entry, is_ok=True, body=body or None)

    async def _replies(self, operation: Operation, message: Message, metadata: tuple[Any, ...]) -> list[Message]:
        make = self._channel.unary_stream if operation.is_stream else self._channel.unary_unary
        call = make(
            f"/{SERVICE.full_name}/{operation.rpc}",
            request_serializer=operation.request_type.SerializeToString,
            response_deserializer=operation.response_type.FromString,
        )(message, timeout=TIMEOUT_S, metadata=metadata)
        return [reply async for reply in call] if operation.is_stream else [await call]

    def _refused(self, error: Any, journal: Journal, entry: Exchange) -> Answer:
        status, text = error.code().name, error.details() or ""
        info, problems = _details(error)
        response = {"message": text, "reason": info, "details": problems}
        journal.end(entry, status=status, is_ok=False, response=response, headers={})
        if status == "UNAVAILABLE" and info is None:
            raise Unreachable(f"{self.target}: {text}")
        return Answer(
            exchange=entry,
            is_ok=False,
            body=response,
            codes=codes_of_grpc(status, info),
            message=text,
            details=problems,
            implemented=status != "UNIMPLEMENTED",
        )


def _details(error: Any) -> tuple[str | None, list[Json]]:
    """Return the reason and the problems that a refusal carries; (None, []) from an engine that carries none."""
    packed = dict(error.trailing_metadata() or ()).get(DETAILS_KEY)
    if packed is None:
        return None, []
    reason, problems = None, []
    for each in status_pb2.Status.FromString(packed).details:
        info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if each.Unpack(info):
            reason = info.reason
        elif each.Unpack(request):
            problems = [
                {"code": found.reason, "pointer": found.field, "message": found.description}
                for found in request.field_violations
            ]
    return reason, problems
