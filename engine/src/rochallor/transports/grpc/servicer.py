"""From bytes to bytes: parse the request, let the table answer it, turn errors into statuses.

The handlers take and give bytes, so that a request that is no valid message is answered by us, with a status that says
whose fault it is, like every other refusal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

from rochallor.access import Guard
from rochallor.core.errors import BadRequest, InternalError, WorkflowError
from rochallor.shell import traces
from rochallor.shell.acting import acting_for
from rochallor.transports.grpc.errors import refuse, status_name
from rochallor.transports.grpc.rpcs import RPCS, STREAMS

if TYPE_CHECKING:
    from rochallor.shell.engine import Engine

SERVICE = "workflow.v1.WorkflowEngine"

Observe = Callable[[str], Callable[[str], None]]
"""Called with the rpc's name as a request arrives; what it returns is called with the gRPC status at the end."""

_log = logging.getLogger(__name__)


def handlers(engine: Engine, observe: Observe | None, guard: Guard | None = None) -> Any:
    """Return the table as a grpc generic handler."""
    if guard is not None:
        return _Guarded(engine, observe, guard)
    rows = {name: _handler(name, engine, observe) for name in (*RPCS, *STREAMS)}
    return grpc.method_handlers_generic_handler(SERVICE, rows)


class _Guarded(grpc.ServiceRpcHandler):  # type: ignore[misc]  # grpc has no type hints
    """The table behind a guard: who may not call is refused before their message is read."""

    def __init__(self, engine: Engine, observe: Observe | None, guard: Guard) -> None:
        self._engine = engine
        self._observe = observe
        self._guard = guard

    def service_name(self) -> str:
        return SERVICE

    def service(self, handler_call_details: Any) -> Any:
        """Return what answers this call, None for a method that is not served."""
        name = handler_call_details.method.rpartition("/")[2]
        if name not in RPCS and name not in STREAMS:
            return None
        try:
            caller = self._guard.admit(operation_of(name), _authorization(handler_call_details.invocation_metadata))
        except WorkflowError as error:
            # A handler of streams, whatever the rpc is: grpc would read the message before it calls any other.
            return grpc.stream_stream_rpc_method_handler(_refuser(name, error, self._observe))
        return _handler(name, acting_for(self._engine, caller), self._observe)


def operation_of(name: str) -> str:
    """Return the operation, as the contract names it, that an rpc is."""
    return name[0].lower() + name[1:]


def _authorization(metadata: Any) -> bytes:
    return _entry(metadata, "authorization").encode("utf-8", "replace")


def _entry(metadata: Any, name: str) -> str:
    """Return the value of a metadata entry (its name in lower case), "" when it is absent."""
    value = next((value for key, value in metadata or () if key == name), "")
    return value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")


def _enter_trace(call: Any) -> None:
    traces.enter(_entry(call.invocation_metadata(), "traceparent"))


def _refuser(name: str, error: WorkflowError, observe: Observe | None) -> Callable[[Any, Any], Awaitable[None]]:
    async def refused(_requests: Any, call: Any) -> None:
        if observe is not None:
            observe(name)(status_name(error))
        await refuse(call, error)

    return refused


def _handler(name: str, engine: Engine, observe: Observe | None) -> Any:
    if name in RPCS:
        return grpc.unary_unary_rpc_method_handler(_behaviour(name, engine, observe))
    return grpc.unary_stream_rpc_method_handler(_stream(name, engine, observe))


def _behaviour(name: str, engine: Engine, observe: Observe | None) -> Callable[[bytes, Any], Awaitable[bytes]]:
    parse, answer = RPCS[name].request.FromString, RPCS[name].answer

    async def plain(raw: bytes, call: Any) -> bytes:
        _enter_trace(call)
        try:
            response = await answer(engine, parse(raw), call)
            return response.SerializeToString()
        except Exception as error:  # noqa: BLE001 the one place where errors become statuses
            await refuse(call, _refusal(name, error))

    if observe is None:
        return plain

    async def observed(raw: bytes, call: Any) -> bytes:
        _enter_trace(call)
        done = observe(name)
        try:
            response = await answer(engine, parse(raw), call)
            data = response.SerializeToString()
        except asyncio.CancelledError:
            done("CANCELLED")
            raise
        except Exception as error:  # noqa: BLE001 as above
            refusal = _refusal(name, error)
            done(status_name(refusal))
            await refuse(call, refusal)
        done("OK")
        return data

    return observed


def _stream(name: str, engine: Engine, observe: Observe | None) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
    parse, answer = STREAMS[name].request.FromString, STREAMS[name].answer

    async def behaviour(raw: bytes, call: Any) -> AsyncIterator[bytes]:
        _enter_trace(call)
        done = observe(name) if observe else _unobserved
        try:
            async for message in answer(engine, parse(raw), call):
                yield message.SerializeToString()
        except (asyncio.CancelledError, GeneratorExit):
            done("CANCELLED")
            raise
        except Exception as error:  # noqa: BLE001 as above
            refusal = _refusal(name, error)
            done(status_name(refusal))
            await refuse(call, refusal)
        else:
            done("OK")

    return behaviour


def _unobserved(_status: str) -> None:
    """Nobody listens."""


def _refusal(name: str, error: Exception) -> WorkflowError:
    """Return what the caller is told; a bug of ours stays in the log."""
    if isinstance(error, WorkflowError):
        return error
    if isinstance(error, DecodeError):
        message = (
            f"this is no {name} request: broken bytes, text that is not UTF-8, or nested more than 100 messages deep"
        )
        return BadRequest(message)
    _log.error("rpc %s failed", name, exc_info=error)
    return InternalError("internal error; the engine's log has the details")
