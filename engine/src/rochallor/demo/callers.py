"""The demo's two ways to call an engine: the same few operations over REST and over gRPC, with the same answers."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import grpc
from google.protobuf.json_format import ParseDict
from rochallor_proto import engine_pb2, engine_pb2_grpc

WAIT_MS = 5_000


class Seen(NamedTuple):
    """What a caller sees of an instance."""

    id: str
    status: str
    current_step_ids: tuple[str, ...]
    child_id: str
    reason: str


class Entry(NamedTuple):
    """One line of a history."""

    step_id: str
    step_type: str
    status: str


class CallFailed(Exception):
    """The engine refused what the demo asked, which it never should."""


class Caller(Protocol):
    """What a journey needs of an engine."""

    async def start(self, definition_id: str, version: int, variables: Mapping[str, Any], key: str) -> Seen:
        """Start an instance."""

    async def wait(self, instance_id: str, until: Sequence[str]) -> Seen:
        """Return the instance when it has one of the statuses, or after a while."""

    async def complete_task(self, instance_id: str, step_id: str, result: Mapping[str, Any]) -> None:
        """Answer a user task."""

    async def instance(self, instance_id: str) -> Seen:
        """Return the instance."""

    async def history(self, instance_id: str) -> list[Entry]:
        """Return its history."""


class RestCaller:
    """Calls over REST with nothing but the standard library."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def upload(self, definition: Mapping[str, Any]) -> int:
        """Upload a definition; return its version."""
        answer = await self._call("POST", "/v1/definitions", definition)
        return int(answer["version"])

    async def start(self, definition_id: str, version: int, variables: Mapping[str, Any], key: str) -> Seen:
        """Start an instance."""
        body = {
            "definitionId": definition_id,
            "definitionVersion": version,
            "variables": variables,
            "businessKey": key,
        }
        return _seen(await self._call("POST", "/v1/instances", body))

    async def wait(self, instance_id: str, until: Sequence[str]) -> Seen:
        """Return the instance when it has one of the statuses, or after a while."""
        query = "&".join([f"waitMs={WAIT_MS}", *(f"until={status}" for status in until)])
        answer = await self._call("GET", f"/v1/instances/{instance_id}/await?{query}")
        return _seen(answer["instance"])

    async def complete_task(self, instance_id: str, step_id: str, result: Mapping[str, Any]) -> None:
        """Answer a user task."""
        body = {"completedBy": "demo", "result": result}
        await self._call("POST", f"/v1/instances/{instance_id}/user-tasks/{step_id}/complete", body)

    async def instance(self, instance_id: str) -> Seen:
        """Return the instance."""
        return _seen(await self._call("GET", f"/v1/instances/{instance_id}"))

    async def history(self, instance_id: str) -> list[Entry]:
        """Return its history."""
        answer = await self._call("GET", f"/v1/instances/{instance_id}/history")
        return [Entry(item["stepId"], item["stepType"], item["status"]) for item in answer["items"]]

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return await asyncio.to_thread(self._blocking_call, method, path, body)

    def _blocking_call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the URL is our own engine's
            self._url + path, data, {"content-type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=WAIT_MS / 1000 + 10) as response:  # noqa: S310 - as above
                text = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise CallFailed(f"{method} {path}: {error.read().decode(errors='replace')}") from None
        return json.loads(text) if text else None


class GrpcCaller:
    """Calls over gRPC with the generated stubs."""

    def __init__(self, target: str) -> None:
        self._channel = grpc.aio.insecure_channel(target)
        self._stub = engine_pb2_grpc.WorkflowEngineStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def start(self, definition_id: str, version: int, variables: Mapping[str, Any], key: str) -> Seen:
        """Start an instance."""
        request = engine_pb2.StartInstanceRequest(
            definition_id=definition_id, definition_version=version, business_key=key
        )
        ParseDict(dict(variables), request.variables)
        return _seen_proto((await self._call("StartInstance", request)).instance)

    async def wait(self, instance_id: str, until: Sequence[str]) -> Seen:
        """Return the instance when it has one of the statuses, or after a while."""
        wanted = [f"INSTANCE_STATUS_{status}" for status in until]
        request = engine_pb2.AwaitInstanceRequest(id=instance_id, wait_ms=WAIT_MS, until=wanted)
        return _seen_proto((await self._call("AwaitInstance", request)).instance)

    async def complete_task(self, instance_id: str, step_id: str, result: Mapping[str, Any]) -> None:
        """Answer a user task."""
        request = engine_pb2.CompleteUserTaskRequest(
            instance_id=instance_id, user_task_step_id=step_id, completed_by="demo"
        )
        ParseDict(dict(result), request.result)
        await self._call("CompleteUserTask", request)

    async def instance(self, instance_id: str) -> Seen:
        """Return the instance."""
        return _seen_proto((await self._call("GetInstance", engine_pb2.GetInstanceRequest(id=instance_id))).instance)

    async def history(self, instance_id: str) -> list[Entry]:
        """Return its history."""
        answer = await self._call("GetInstanceHistory", engine_pb2.GetInstanceHistoryRequest(id=instance_id))
        return [
            Entry(
                item.step_id,
                engine_pb2.StepType.Name(item.step_type).removeprefix("STEP_TYPE_"),
                engine_pb2.StepExecutionStatus.Name(item.status).removeprefix("STEP_EXECUTION_STATUS_"),
            )
            for item in answer.executions
        ]

    async def _call(self, rpc: str, request: Any) -> Any:
        try:
            return await getattr(self._stub, rpc)(request, timeout=WAIT_MS / 1000 + 10)
        except grpc.aio.AioRpcError as error:
            raise CallFailed(f"{rpc}: {error.details()}") from None


def _seen(instance: Mapping[str, Any]) -> Seen:
    return Seen(
        instance["id"],
        instance["status"],
        tuple(instance["currentStepIds"]),
        instance.get("childInstanceId", ""),
        instance.get("failureReason", ""),
    )


def _seen_proto(instance: Any) -> Seen:
    return Seen(
        instance.id,
        engine_pb2.InstanceStatus.Name(instance.status).removeprefix("INSTANCE_STATUS_"),
        tuple(instance.current_step_ids),
        instance.child_instance_id,
        instance.failure_reason,
    )
