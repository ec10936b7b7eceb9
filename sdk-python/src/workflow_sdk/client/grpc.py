"""The gRPC client: the same operations and the same results as the REST client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    import grpc
    from rochallor_proto import engine_pb2_grpc
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"a GrpcEngineClient needs grpcio ({error}); install it: pip install 'workflow-sdk[grpc]'", name=error.name
    ) from error

from workflow_sdk.client.address import host_of
from workflow_sdk.client.auth import Bearer, Token, warn_in_clear
from workflow_sdk.client.base import BaseEngineClient, Json
from workflow_sdk.client.clock import Clock
from workflow_sdk.client.face import Client
from workflow_sdk.client.grpc_codec import OPTIONS, WITH_JOBS, Codec, bare_jobs, complete_jobs
from workflow_sdk.client.grpc_errors import error_of
from workflow_sdk.client.repeat import repeat
from workflow_sdk.client.settings import Settings
from workflow_sdk.client.tls import Tls
from workflow_sdk.client.unaltered import unaltered_client
from workflow_sdk.errors import EngineClientError
from workflow_sdk.operations import OPERATIONS
from workflow_sdk.retry.policy import Retries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workflow_sdk.client.async_grpc import AsyncGrpcEngineClient
    from workflow_sdk.operation import Operation


class GrpcEngineClient(Client):
    """A synchronous client over gRPC; safe to share between threads. Use it as a context manager, or `close()` it.

    Integers beyond 2^53 are exact in a job's variables and in its results; elsewhere gRPC carries doubles, and such a
    number is refused with `InvalidVariables` before it leaves.

    Args:
        target: `host:port`.
        timeout: seconds for one attempt; time the engine is asked to wait comes on top.
        channel: a channel of your own instead of one to `target`; it is closed with the client.
        token: bearer token, or a function that returns one before every attempt.
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
        channel: grpc.Channel | None = None,
        token: Token | None = None,
        tls: Tls | None = None,
        retries: Retries | None = None,
        deadline: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._target = target
        self._settings = Settings(timeout, deadline, Bearer(token), tls, retries or Retries(), clock or Clock())
        self._own_channel = channel is None
        if channel is None:
            warn_in_clear(self._settings.bearer, host_of(target), secure=tls is not None, cure="pass tls=Tls()")
        self._channel = channel or _channel_to(target, tls)
        self._stub = engine_pb2_grpc.WorkflowEngineStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._codec = Codec()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._target!r})"

    def close(self) -> None:
        """Close the channel. A client can be closed more than once."""
        self._channel.close()

    def async_twin(self) -> AsyncGrpcEngineClient | None:
        """Return an asynchronous client with the same settings, for a worker, which repeats calls by its own rules.

        None for a client with a channel of its own, which cannot be made again, and for one that was altered.
        """
        if not (self._own_channel and unaltered_client(self, GrpcEngineClient, BaseEngineClient)):
            return None
        from workflow_sdk.client.async_grpc import AsyncGrpcEngineClient  # noqa: PLC0415 - only workers need it

        return AsyncGrpcEngineClient.with_settings(self._target, self._settings.once())

    def _call(self, operation: Operation, args: Mapping[str, Any]) -> Any:
        request = self._codec.request(operation, args)
        response = repeat(lambda s: self._send(operation.rpc, request, s), operation, args, self._settings)
        answer = self._codec.answer(operation, response)
        if operation.name in WITH_JOBS:
            complete_jobs(answer, {job.id: self._variables_of(job.instance_id) for job in bare_jobs(response)})
        return operation.read(answer, args)

    def _send(self, rpc: str, request: Any, seconds: float) -> Any:
        bearer = self._settings.bearer.value()
        metadata = (("authorization", bearer),) if bearer else None
        try:
            return getattr(self._stub, rpc)(request, timeout=seconds, metadata=metadata)
        except grpc.RpcError as error:
            raise error_of(error) from error

    def _stream(self, operation: Operation, args: Mapping[str, Any]) -> Iterator[Json]:
        bearer = self._settings.bearer.value()
        metadata = (("authorization", bearer),) if bearer else None
        events = getattr(self._stub, operation.rpc)(self._codec.request(operation, args), metadata=metadata)
        try:
            for event in events:
                yield self._codec.answer(operation, event)
        except grpc.RpcError as error:
            raise error_of(error) from error
        finally:
            events.cancel()  # who stops listening must not keep the engine talking

    def _variables_of(self, instance_id: str) -> Any:
        try:
            return self._call(OPERATIONS["get_instance"], {"instance_id": instance_id})["variables"]
        except EngineClientError as error:
            return error


def _channel_to(target: str, tls: Tls | None) -> grpc.Channel:
    if tls is None:
        return grpc.insecure_channel(target, options=OPTIONS)
    return grpc.secure_channel(target, tls.channel_credentials(), options=OPTIONS)
