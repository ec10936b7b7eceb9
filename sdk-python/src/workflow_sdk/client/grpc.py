"""The gRPC client: the same operations and the same results as the REST client."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
from rochallor_proto import engine_pb2, engine_pb2_grpc

from workflow_sdk.client.base import BaseEngineClient
from workflow_sdk.client.grpc_errors import error_of
from workflow_sdk.client.messages import set_field, to_dict, to_message
from workflow_sdk.errors import EngineClientError, NotOffered
from workflow_sdk.operations import OPERATIONS, Operation, to_json, wait_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger("workflow_sdk")

# A history or a definition may be larger than the 4 MiB that gRPC accepts by default.
_OPTIONS = (("grpc.max_receive_message_length", 64 * 1024 * 1024),)


class GrpcEngineClient(BaseEngineClient):
    """A synchronous client over gRPC; safe to share between threads. Use it as a context manager, or `close()` it.

    Integers beyond 2^53 are exact in a job's variables and in its results; elsewhere gRPC carries doubles, and such a
    number is refused with `InvalidVariables` before it leaves.

    Args:
        target: `host:port`.
        timeout: seconds for one call; time the engine is asked to wait comes on top.
        channel: a channel of your own instead of a plain one to `target`; it is closed with the client.
        token: bearer token, or a function that returns one before every call.

    """

    def __init__(
        self,
        target: str,
        timeout: float = 30.0,
        *,
        channel: grpc.Channel | None = None,
        token: str | Callable[[], str] | None = None,
    ) -> None:
        self._timeout = timeout
        self._token = token
        self._channel = channel or grpc.insecure_channel(target, options=_OPTIONS)
        self._stub = engine_pb2_grpc.WorkflowEngineStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        # An older engine skips variables_json as an unknown field and the result would be lost, so it is used only
        # once this engine has shown that it knows lease tokens.
        self._reads_json = False

    def close(self) -> None:
        """Close the channel. A client can be closed more than once."""
        self._channel.close()

    def _call(self, operation: Operation, args: Mapping[str, Any]) -> Any:
        if not operation.rpc:
            raise NotOffered(501, f"{operation.name} has no gRPC half; use complete_user_task_step")
        response = self._send(operation.rpc, self._request(operation, args), self._timeout + wait_seconds(args))
        answer = _rest_answer(operation, response)
        if operation.name in ("poll_jobs", "report_jobs"):
            answer["jobs"] = self._with_variables(response.jobs, answer.get("jobs", []))
        return operation.read(answer, args)

    def _send(self, rpc: str, request: Any, timeout: float) -> Any:
        metadata = None
        if self._token is not None:
            token = self._token if isinstance(self._token, str) else self._token()
            metadata = (("authorization", f"Bearer {token}"),)
        try:
            return getattr(self._stub, rpc)(request, timeout=timeout, metadata=metadata)
        except grpc.RpcError as error:
            raise error_of(error) from error

    def _request(self, operation: Operation, args: Mapping[str, Any]) -> Any:
        request = getattr(engine_pb2, f"{operation.rpc}Request")()
        fields = request.DESCRIPTOR.fields_by_name
        for param in operation.params:
            value = args.get(param.arg)
            if value is None or value == "":
                continue
            if param.arg == "definition":
                to_message(request.definition, value)
            elif param.proto_name == "variables_to_set" and (self._reads_json or args.get("lease_token")):
                request.variables_json = to_json(value)
            else:
                set_field(request, fields[param.proto_name], value, f"/{param.rest_name}")
        if operation.name == "poll_jobs":
            request.json_variables = True
        elif operation.name == "report_jobs" and args.get("poll"):
            request.poll.json_variables = True
        return request

    def _with_variables(self, messages: Any, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the jobs with the variables that older engines leave out of theirs."""
        complete = []
        for message, job in zip(messages, jobs, strict=True):
            self._reads_json = self._reads_json or bool(message.lease_token)
            if message.lease_token or message.variables_json or message.HasField("variables"):
                complete.append(job)
                continue
            try:
                instance = self._call(OPERATIONS["get_instance"], {"instance_id": message.instance_id})
            except EngineClientError as error:
                # Running it on an empty map would be wrong; its lease ends and it comes again.
                _log.warning("job %s came without variables and they cannot be read: %s", message.id, error)
                continue
            complete.append({**job, "variables": instance["variables"]})
        return complete


def _rest_answer(operation: Operation, response: Any) -> dict[str, Any]:
    answer = to_dict(response)
    if operation.unwrap:
        inner: dict[str, Any] = answer.get(operation.unwrap, {})
        return inner
    if operation.items:
        answer["items"] = answer.pop(operation.items, [])
    return answer
