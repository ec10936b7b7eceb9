"""gRPC: an interceptor that stands before the engine's own servicer.

It looks the handler up anew for every call, because a reset puts another engine there. A refusal of the servicer is
caught before grpc sends it, so that it too can be written down, dropped or replaced.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn

import grpc
from rochallor.transports.grpc.rpcs import RPCS, STREAMS
from rochallor.transports.grpc.servicer import SERVICE, operation_of
from rochallor_proto import engine_pb2

from rochallor_stub.front import Delivery, End, Front, by_fault
from rochallor_stub.journal import CUT, DROPPED
from rochallor_stub.messages import GRPC, Reply, Request, header_lines
from rochallor_stub.scripted import GARBAGE, refusal

PREFIX = f"/{SERVICE}/"
GONE_TEXT = "the connection was reset (a scripted fault)"


class GrpcFront(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no type hints
    """The interceptor of a stub; health and reflection pass by it."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Return what answers a call."""
        method = handler_call_details.method
        handler = self._front.world.rpc(handler_call_details) if method.startswith(PREFIX) else None
        if handler is None:
            return await continuation(handler_call_details)
        name = method.removeprefix(PREFIX)
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(self._unary(name, handler.unary_unary))
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(self._stream(name, handler.unary_stream))
        return handler

    def _unary(self, name: str, behaviour: Any) -> Any:
        kind = _response_kind(name)

        async def answer(raw: bytes, call: Any) -> bytes:
            request = _request(name, raw, call)

            async def once(message: bytes) -> bytes:
                result: bytes = await behaviour(message, _Call(call))
                return result

            async def process() -> Reply:
                try:
                    return Reply("OK", body=await self._front.world.wrapped(name, once)(raw), kind=kind)
                except _Refused as refused:
                    return refused.reply

            return await _carry_out(await self._front.serve(request, process), call)

        return answer

    def _stream(self, name: str, behaviour: Any) -> Any:
        async def answer(raw: bytes, call: Any) -> AsyncIterator[bytes]:
            with self._front.stream(_request(name, raw, call)) as (entry, faults):
                await self._front.prepare(faults)
                by_name = by_fault(faults)
                if "drop_before" in by_name:
                    entry.outcome = DROPPED
                    await call.abort(grpc.StatusCode.UNAVAILABLE, GONE_TEXT)
                if "status" in by_name:
                    entry.note(refusal(by_name["status"], GRPC))
                    await _abort(refusal(by_name["status"], GRPC), call)
                entry.status = "OK"
                try:
                    async for message in behaviour(raw, _Call(call)):
                        entry.response_body += message
                        yield GARBAGE if "garbage" in by_name else message
                        if {"drop_after", "half_close"} & by_name.keys():
                            entry.outcome = DROPPED if "drop_after" in by_name else CUT
                            await call.abort(grpc.StatusCode.UNAVAILABLE, GONE_TEXT)
                except _Refused as refused:
                    entry.note(refused.reply)
                    await _abort(refused.reply, call)

        return answer


class _Refused(Exception):
    """Carries a refusal of the servicer past grpc."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


class _Call:
    """A call whose `abort` is not final."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    async def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        trailers = tuple(trailing_metadata)
        raise _Refused(Reply(code.name, header_lines(trailers), text=details, trailers=trailers))


async def _carry_out(delivery: Delivery, call: Any) -> bytes:
    if delivery.end is not End.SEND:
        await call.abort(grpc.StatusCode.UNAVAILABLE, GONE_TEXT)
    assert delivery.reply is not None
    if delivery.reply.status != "OK":
        await _abort(delivery.reply, call)
    return delivery.reply.body


async def _abort(reply: Reply, call: Any) -> None:
    await call.abort(grpc.StatusCode[str(reply.status)], reply.text, reply.trailers)


def _request(name: str, raw: bytes, call: Any) -> Request:
    kind = (RPCS.get(name) or STREAMS[name]).request
    headers = header_lines(call.invocation_metadata() or ())
    return Request(GRPC, operation_of(name), "POST", PREFIX + name, headers, raw, kind)


def _response_kind(name: str) -> Any:
    return getattr(engine_pb2, f"{name}Response")
