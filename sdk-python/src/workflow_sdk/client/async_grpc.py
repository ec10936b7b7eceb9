"""The asynchronous gRPC client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

try:
    import grpc
    import grpc.aio
    from rochallor_proto import engine_pb2_grpc
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"an AsyncGrpcEngineClient needs grpcio ({error}); install it: pip install 'workflow-sdk[grpc]'",
        name=error.name,
    ) from error

from workflow_sdk.client.address import host_of
from workflow_sdk.client.async_base import Json
from workflow_sdk.client.async_face import AsyncClient
from workflow_sdk.client.auth import AsyncToken, Bearer, warn_in_clear
from workflow_sdk.client.clock import Clock
from workflow_sdk.client.grpc_codec import OPTIONS, WITH_JOBS, Codec, bare_jobs, complete_jobs
from workflow_sdk.client.grpc_errors import error_of
from workflow_sdk.client.repeat import repeat_async
from workflow_sdk.client.settings import Settings
from workflow_sdk.client.tls import Tls
from workflow_sdk.errors import EngineClientError
from workflow_sdk.operations import OPERATIONS
from workflow_sdk.retry.policy import Retries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from workflow_sdk.operation import Operation


class AsyncGrpcEngineClient(AsyncClient):
    """An asynchronous client over gRPC. Use it with `async with`, or `close()` it, on the event loop that used it.

    Args:
        target: `host:port`.
        timeout: seconds for one attempt; time the engine is asked to wait comes on top.
        channel: a `grpc.aio` channel of your own instead of one to `target`; it is closed with the client.
        token: bearer token, or a function that returns one before every attempt; it may be `async def`.
        tls: certificates, `Tls()` for the usual authorities; None speaks without TLS.
        retries: how often calls are sent again that may be; `Retries(attempts=1)` switches it off.
        deadline: seconds for a call with all of its attempts; None = `timeout`.
        clock: time and chance, for tests.

    """

    def __init__(
        self,
        target: str,
        timeout: float = 30.0,
        *,
        channel: grpc.aio.Channel | None = None,
        token: AsyncToken | None = None,
        tls: Tls | None = None,
        retries: Retries | None = None,
        deadline: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._target = target
        self._settings = Settings(timeout, deadline, Bearer(token), tls, retries or Retries(), clock or Clock())
        if channel is None:
            warn_in_clear(self._settings.bearer, host_of(target), secure=tls is not None, cure="pass tls=Tls()")
        self._given = channel
        self._channel: grpc.aio.Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stub: Any = None
        self._codec = Codec()

    @classmethod
    def with_settings(cls, target: str, settings: Settings) -> AsyncGrpcEngineClient:
        """Return a client with the settings of another one."""
        client = cls(target)
        client._settings = settings
        return client

    def twin(self) -> AsyncGrpcEngineClient | None:
        """Return a fresh client with the same settings, for another event loop; it repeats nothing by itself."""
        if self._given is not None:
            return None
        return AsyncGrpcEngineClient.with_settings(self._target, self._settings.once())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._target!r})"

    async def close(self) -> None:
        """Close the channel. A client can be closed more than once."""
        channel, self._channel, self._stub = self._channel or self._given, None, None
        if channel is not None:
            await channel.close()

    async def _call(self, operation: Operation, args: Mapping[str, Any]) -> Any:
        request = self._codec.request(operation, args)

        async def attempt(seconds: float) -> Any:
            return await self._send(operation.rpc, request, seconds)

        response = await repeat_async(attempt, operation, args, self._settings)
        answer = self._codec.answer(operation, response)
        if operation.name in WITH_JOBS:
            bare = bare_jobs(response)
            complete_jobs(answer, {job.id: await self._variables_of(job.instance_id) for job in bare})
        return operation.read(answer, args)

    async def _send(self, rpc: str, request: Any, seconds: float) -> Any:
        bearer = await self._settings.bearer.value_async()
        metadata = (("authorization", bearer),) if bearer else None
        try:
            return await getattr(self._connected(), rpc)(request, timeout=seconds, metadata=metadata)
        except grpc.RpcError as error:
            raise error_of(error) from error

    async def _stream(self, operation: Operation, args: Mapping[str, Any]) -> AsyncIterator[Json]:
        bearer = await self._settings.bearer.value_async()
        metadata = (("authorization", bearer),) if bearer else None
        events = getattr(self._connected(), operation.rpc)(self._codec.request(operation, args), metadata=metadata)
        try:
            async for event in events:
                yield self._codec.answer(operation, event)
        except grpc.RpcError as error:
            raise error_of(error) from error
        finally:
            events.cancel()  # who stops listening must not keep the engine talking

    async def _variables_of(self, instance_id: str) -> Any:
        try:
            return (await self._call(OPERATIONS["get_instance"], {"instance_id": instance_id}))["variables"]
        except EngineClientError as error:
            return error

    def _connected(self) -> Any:
        """Return the stub; a channel belongs to a loop, so it is made where it is first used."""
        loop = asyncio.get_running_loop()
        if self._stub is None or self._loop is not loop:
            self._loop, self._channel = loop, self._given or self._open()
            self._stub = engine_pb2_grpc.WorkflowEngineStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        return self._stub

    def _open(self) -> grpc.aio.Channel:
        if self._settings.tls is None:
            return grpc.aio.insecure_channel(self._target, options=OPTIONS)
        return grpc.aio.secure_channel(self._target, self._settings.tls.channel_credentials(), options=OPTIONS)
