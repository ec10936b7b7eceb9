"""One tape of commands over REST and over gRPC: the same instances, histories, audits and errors.

Two engines with the same clock and the same chance run side by side, so that even ids are equal; nothing is normalised
but the fields that one transport has and the other has not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from rochallor.config import load_config
from rochallor.serve import Server
from rochallor.stores.memory import MemoryStore
from workflow_sdk.client.grpc import GrpcEngineClient
from workflow_sdk.client.rest import RestEngineClient
from workflow_sdk.errors import EngineClientError

NO_FILE = {"WE_REST_PORT": "0", "WE_GRPC_PORT": "0", "WE_METRICS_PORT": "0"}
REST_ONLY = {"status", "workerId", "lockedAt"}
FLOW = {
    "id": "tape",
    "name": "Tape",
    "input_schema": {"properties": {"amount": {"type": "number"}}, "required": ["amount"]},
    "steps": [
        {
            "id": "class",
            "name": "Class",
            "type": "DECISION_TABLE",
            "hitPolicy": "F",
            "nextStep": "fan",
            "decisionTable": {
                "rules": [
                    {"when": {"amount": "amount > 1000"}, "outputs": {"class": "high", "limit": "${amount * 2}"}},
                    {"outputs": {"class": "low", "limit": 100}},
                ]
            },
        },
        {
            "id": "fan",
            "name": "Fan",
            "type": "PARALLEL_GATEWAY",
            "parallelNextSteps": ["credit", "fraud"],
            "joinStep": "join",
        },
        {"id": "credit", "name": "Credit", "type": "SERVICE_TASK", "retryCount": 1, "nextStep": "join"},
        {"id": "fraud", "name": "Fraud", "type": "SERVICE_TASK", "nextStep": "join"},
        {"id": "join", "name": "Join", "type": "JOIN_GATEWAY", "nextStep": "route"},
        {
            "id": "route",
            "name": "Route",
            "type": "DECISION",
            "conditionalNextSteps": {"#class == 'high' && ok": "ask", "class == 'low'": "hold", "true": "end"},
        },
        {
            "id": "ask",
            "name": "Ask",
            "type": "USER_TASK",
            "nextStep": "end",
            "boundaryEvents": [{"type": "TIMER", "duration": "P1D", "interrupting": True, "targetStepId": "end"}],
        },
        {"id": "hold", "name": "Hold", "type": "WAIT", "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}


class StillClock:
    def now_ms(self) -> int:
        return 1_790_000_000_123


class CountingEntropy:
    last = 0

    def bits(self, count: int) -> int:
        self.last += 1
        return self.last % (1 << count)


class Player:
    """Plays the tape on one client, noting what every call gave or refused."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.notes: list[tuple[str, Any]] = []

    def do(self, name: str, *args: Any, **kwargs: Any) -> Any:
        try:
            given = getattr(self.client, name)(*args, **kwargs)
        except EngineClientError as error:
            self.notes.append((name, (type(error).__name__, error.status_code, error.message)))
            return None
        self.notes.append((name, _shared(given) if name == "poll_jobs" else given))
        return given

    def malformed(self, name: str, *args: Any, **kwargs: Any) -> None:
        """A request that one transport refuses while decoding: the same kind of refusal, in its own words."""
        self.do(name, *args, **kwargs)
        refused, (kind, status, _) = self.notes.pop()
        self.notes.append((refused, (kind, status)))

    def read(self, instance_id: str) -> None:
        for name in ("get_instance", "get_instance_history", "get_instance_audit"):
            self.do(name, instance_id)
        self.do("list_user_tasks", instance_id=instance_id)
        self.do("await_instance", instance_id, wait_ms=0)


def _shared(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in job.items() if key not in REST_ONLY} for job in jobs]


def happy_path(player: Player) -> None:
    player.do("upload_definition", FLOW)
    player.do("upload_definition", FLOW)
    started = player.do("start_instance", "tape", {"amount": 5000.0, "note": "ä\u0000", "deep": [1, {"x": None}]})
    jobs = player.do("poll_jobs", "w", ["credit", "fraud"], max_jobs=5)
    for job in jobs:
        player.do("complete_job", job["id"], "w", {"ok": True, job["stepId"]: 2**53 - 1})
        player.do("complete_job", job["id"], "w", {"ok": False})
    player.read(started["id"])
    player.do("complete_user_task_step", started["id"], "ask", completed_by="ada", result={"approved": True})
    player.read(started["id"])


def failures_and_retry(player: Player) -> None:
    player.do("upload_definition", FLOW)
    started = player.do("start_instance", "tape", {"amount": 1}, business_key="k")
    player.do("start_instance", "tape", {"amount": 1}, business_key="k")
    credit, fraud = player.do("poll_jobs", "w", ["credit", "fraud"], max_jobs=5)
    player.do("fail_job", credit["id"], "w", "try again", retryable=True)
    player.do("complete_job", fraud["id"], "somebody else")
    player.do("fail_job", fraud["id"], "w", "no way", retryable=False)
    player.read(started["id"])
    player.do("retry_step", started["id"], "credit")
    player.do("retry_step", started["id"], "fraud", {"again": 1})
    for job in player.do("poll_jobs", "w", ["credit", "fraud"], max_jobs=5):
        player.do("complete_job", job["id"], "w")
    player.do("signal_wait", started["id"], "hold", {"signalled": 1.5})
    player.do("signal_wait", started["id"], "hold")
    player.read(started["id"])


def refusals(player: Player) -> None:
    player.do("upload_definition", FLOW)
    ghost = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    player.do("get_instance", ghost)
    player.do("get_instance_history", ghost)
    player.do("get_definition", "ghost")
    player.do("get_definition", "tape", version=7)
    player.do("start_instance", "ghost")
    player.do("start_instance", "tape", {"amount": "many"})
    player.do("start_instance", "tape", {"amount": 1}, definition_version=9)
    player.do("complete_job", f"{ghost}-1-1", "w")
    player.do("complete_job", "nonsense", "w")
    player.malformed("poll_jobs", "w", [])
    player.malformed("poll_jobs", "", ["a"])
    player.malformed("list_instances", page=-1)
    started = player.do("start_instance", "tape", {"amount": 1})
    player.do("complete_user_task_step", started["id"], "hold")
    player.do("complete_user_task_step", started["id"], "ask")
    player.do("signal_wait", started["id"], "ask")
    player.do("signal_wait", started["id"], "hold")
    player.do("retry_step", started["id"], "credit")
    player.do("cancel_instance", started["id"], "enough", expected_revision=9)
    player.do("cancel_instance", started["id"], "enough")
    player.do("cancel_instance", started["id"], "enough")
    player.read(started["id"])


async def play(tape: Callable[[Player], None], face: str) -> list[tuple[str, Any]]:
    config = load_config(NO_FILE).config
    server = Server(config, MemoryStore(), clock=StillClock(), entropy=CountingEntropy())
    addresses = await server.start()
    client = RestEngineClient(addresses.rest) if face == "rest" else GrpcEngineClient(addresses.grpc)
    player = Player(client)
    try:
        await asyncio.to_thread(tape, player)
    finally:
        await asyncio.to_thread(client.close)
        await server.stop()
    return player.notes


@pytest.mark.parametrize("tape", [happy_path, failures_and_retry, refusals])
async def test_rest_and_grpc_tell_the_same_story(tape):
    """Call by call, both transports give equal answers and equal refusals."""
    over_rest, over_grpc = await play(tape, "rest"), await play(tape, "grpc")
    for rest, grpc in zip(over_rest, over_grpc, strict=True):
        assert rest == grpc
