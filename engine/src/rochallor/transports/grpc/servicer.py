"""From bytes to bytes: parse the request, let the table answer it, turn errors into statuses.

The handlers take and give bytes, so that a request that is no valid message is answered by us, with a status that says
whose fault it is, like every other refusal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

from rochallor.core.errors import BadRequest, InternalError, WorkflowError
from rochallor.transports.grpc.errors import refuse, status_name
from rochallor.transports.grpc.rpcs import RPCS

if TYPE_CHECKING:
    from rochallor.shell.engine import Engine

SERVICE = "workflow.v1.WorkflowEngine"

Observe = Callable[[str], Callable[[str], None]]
"""Called with the rpc's name as a request arrives; what it returns is called with the gRPC status at the end."""

_log = logging.getLogger(__name__)


def handlers(engine: Engine, observe: Observe | None) -> Any:
    """Return the table as a grpc generic handler."""
    rows = {name: grpc.unary_unary_rpc_method_handler(_behaviour(name, engine, observe)) for name in RPCS}
    return grpc.method_handlers_generic_handler(SERVICE, rows)


def _behaviour(name: str, engine: Engine, observe: Observe | None) -> Callable[[bytes, Any], Awaitable[bytes]]:
    parse, answer = RPCS[name].request.FromString, RPCS[name].answer

    async def plain(raw: bytes, call: Any) -> bytes:
        try:
            response = await answer(engine, parse(raw), call)
            return response.SerializeToString()
        except Exception as error:  # noqa: BLE001 the one place where errors become statuses
            await refuse(call, _refusal(name, error))

    if observe is None:
        return plain

    async def observed(raw: bytes, call: Any) -> bytes:
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
