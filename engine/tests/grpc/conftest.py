"""A gRPC server on a free port, its client, and an engine behind it that says what a test tells it to."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from msgspec import Raw
from rochallor.shell.settings import Settings
from rochallor.shell.views import HistoryItem, InstanceView, JobView
from rochallor.transports.grpc import Health, bind, create_server
from rochallor_proto import engine_pb2_grpc

NOON = "2026-03-01T12:00:00.123Z"
OPERATIONS = [
    "upload_definition",
    "get_definition",
    "list_definitions",
    "start_instance",
    "get_instance",
    "get_history",
    "cancel_instance",
    "list_instances",
    "poll_jobs",
    "complete_job",
    "fail_job",
    "report_jobs",
    "complete_user_task",
    "signal_wait",
    "retry_step",
    "await_instance",
    "list_user_tasks",
    "get_audit",
    "ready",
]


class ScriptedEngine:
    """Answers each operation with what `script` has for it: a value, an exception to raise, or a coroutine function.

    `calls` holds (operation, arguments by name or position) in order.
    """

    def __init__(self) -> None:
        self.settings = Settings()
        self.script: dict[str, Any] = {}
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        for name in OPERATIONS:
            setattr(self, name, self._operation(name))

    def _operation(self, name: str) -> Any:
        async def operation(*args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, args, kwargs))
            answer = self.script.get(name)
            if inspect.iscoroutinefunction(answer):
                return await answer(*args, **kwargs)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return operation

    @property
    def last(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        return self.calls[-1]


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
async def house(engine: ScriptedEngine) -> AsyncIterator[SimpleNamespace]:
    """The running server: `stub`, `channel`, `health`, `seen` (rpc, status) pairs as metrics would get them."""
    health, seen = Health(engine, watch_period_s=0.01), []

    def observe(name: str) -> Any:
        return lambda status: seen.append((name, status))

    server = create_server(engine, health=health, observe=observe)
    port = bind(server, "127.0.0.1", 0)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = engine_pb2_grpc.WorkflowEngineStub(channel)
        yield SimpleNamespace(stub=stub, channel=channel, health=health, seen=seen, port=port, server=server)
    await server.stop(None)


@pytest.fixture
def stub(house: SimpleNamespace) -> Any:
    return house.stub


@pytest.fixture
def instance_view() -> InstanceView:
    return InstanceView(
        id="01J0000000000000000000000A",
        definition_id="loan",
        definition_version=3,
        status="WAITING",
        current_step_ids=["review"],
        variables=Raw(b'{"amount":10,"rate":0.5}'),
        started_at=NOON,
        revision=7,
    )


@pytest.fixture
def job_view() -> JobView:
    return JobView(
        id="01J0000000000000000000000A-1-1",
        instance_id="01J0000000000000000000000A",
        step_id="check",
        step_execution_id="01J0000000000000000000000A-1",
        job_type="credit",
        retries_remaining=2,
        variables=Raw(b'{"big":9007199254740993}'),
        lock_expires_at=NOON,
        status="LOCKED",
        worker_id="w",
        locked_at=NOON,
        created_at=NOON,
        lease_token="t1",
        attempt=1,
        definition_id="loan",
        definition_version=3,
    )


@pytest.fixture
def history_item() -> HistoryItem:
    return HistoryItem(
        id="01J0000000000000000000000A-1",
        instance_id="01J0000000000000000000000A",
        step_id="check",
        step_type="SERVICE_TASK",
        attempt_number=1,
        status="RUNNING",
        started_at=NOON,
        output=Raw(b"{}"),
        closed_at=NOON,
        closed_by="END",
    )
