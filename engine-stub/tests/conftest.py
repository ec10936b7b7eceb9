"""Running stubs, and clients that say what really came over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.json_format import ParseDict
from rochallor_proto import engine_pb2, engine_pb2_grpc
from rochallor_stub import EngineStub

TASK = {"id": "work", "name": "Work", "type": "SERVICE_TASK", "jobType": "work", "retryCount": 2, "nextStep": "end"}
END = {"id": "end", "name": "End", "type": "END"}


class User:
    """A stub and what tests do with it all the time, over REST."""

    def __init__(self, stub: EngineStub, http: httpx.Client) -> None:
        self.stub = stub
        self.http = http

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        response = self.http.request(method, self.stub.url + path, json=body, **options)
        assert response.is_success, response.text
        return response.json() if response.content else None

    def control(self, method: str, name: str, body: Any = None) -> Any:
        return self.call(method, f"/__stub/{name}", body)

    def upload(self, *steps: dict[str, Any], id: str = "flow", **fields: Any) -> None:  # noqa: A002
        named = [{"name": step["id"], **step} for step in steps or (TASK, END)]
        self.call("POST", "/v1/definitions", {"id": id, "name": id, "steps": named, **fields})

    def start(self, id: str = "flow", **fields: Any) -> str:  # noqa: A002
        return self.call("POST", "/v1/instances", {"definitionId": id, **fields})["id"]

    def get(self, instance_id: str) -> Any:
        return self.call("GET", f"/v1/instances/{instance_id}")

    def poll(self, job_type: str = "work", **fields: Any) -> list[Any]:
        return self.call("POST", "/v1/jobs/poll", {"workerId": "w", "jobTypes": [job_type], **fields})["jobs"]

    def complete(self, job_id: str, **fields: Any) -> None:
        self.call("POST", f"/v1/jobs/{job_id}/complete", {"workerId": "w", **fields})


@pytest.fixture
def stubs() -> Iterator[Any]:
    """Build users of running stubs; the arguments are the stub's."""
    built: list[User] = []

    def build(**options: Any) -> User:
        stub = EngineStub(**options)
        stub.start()
        user = User(stub, httpx.Client(timeout=10))
        built.append(user)
        return user

    yield build
    for user in built:
        user.http.close()
        user.stub.stop()


@pytest.fixture
def user(stubs: Any) -> User:
    """A user of one running stub."""
    return stubs()


@pytest.fixture
def stub(user: User) -> EngineStub:
    return user.stub


class Rpcs:
    """Calls rpcs by name with JSON-like arguments."""

    def __init__(self, target: str) -> None:
        self.channel = grpc.insecure_channel(target)
        self._stub = engine_pb2_grpc.WorkflowEngineStub(self.channel)

    def __call__(self, name: str, **fields: Any) -> Any:
        request = ParseDict(fields, getattr(engine_pb2, f"{name}Request")())
        return getattr(self._stub, name)(request, timeout=10)


@pytest.fixture
def rpc(user: User) -> Iterator[Rpcs]:
    rpcs = Rpcs(user.stub.grpc_target)
    yield rpcs
    rpcs.channel.close()
