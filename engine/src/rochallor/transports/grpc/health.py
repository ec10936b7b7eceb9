"""grpc.health.v1: SERVING while the store answers and nobody has asked the engine to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2

from rochallor.core.errors import WorkflowError
from rochallor.transports.grpc.servicer import SERVICE

if TYPE_CHECKING:
    from rochallor.shell.engine import Engine

SERVICE_NAME = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
WATCH_PERIOD_S = 5.0

_Response = health_pb2.HealthCheckResponse
_KNOWN = frozenset({"", SERVICE})


class Health:
    """The health service of one server. `stop()` is for the moment before a shutdown: balancers then look elsewhere.

    `watch_period_s` is how soon a watcher learns of a store that went away.
    """

    def __init__(self, engine: Engine, *, watch_period_s: float = WATCH_PERIOD_S) -> None:
        self._engine = engine
        self._period_s = watch_period_s
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Say NOT_SERVING from now on, and end all watches so that they do not hold up the shutdown."""
        self._stopping.set()

    def handlers(self) -> Any:
        """Return the service as a grpc generic handler."""
        # By hand and not by the library's registrar, which wants whatever methods its own release knows.
        kinds = {"Check": grpc.unary_unary_rpc_method_handler, "Watch": grpc.unary_stream_rpc_method_handler}
        request = health_pb2.HealthCheckRequest.FromString
        response = _Response.SerializeToString
        methods = {name: kind(getattr(self, name.lower()), request, response) for name, kind in kinds.items()}
        return grpc.method_handlers_generic_handler(SERVICE_NAME, methods)

    async def check(self, request: Any, call: Any) -> Any:
        """Answer one probe."""
        if request.service not in _KNOWN:
            await call.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r}; ask for {SERVICE!r} or ''")
        return _Response(status=await self._status())

    async def watch(self, request: Any, _call: Any) -> AsyncIterator[Any]:
        """Answer at once and whenever the answer changes."""
        last = None
        while True:
            stopping = self._stopping.is_set()
            status = await self._status() if request.service in _KNOWN else _Response.SERVICE_UNKNOWN
            if status != last:
                yield _Response(status=status)
            if stopping:
                return
            last = status
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._period_s):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _status(self) -> int:
        if self._stopping.is_set():
            return int(_Response.NOT_SERVING)
        try:
            await self._engine.ready()
        except WorkflowError:
            return int(_Response.NOT_SERVING)
        return int(_Response.SERVING)
