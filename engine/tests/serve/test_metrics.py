"""Every documented series moves under a load that touches everything, and every exported one is documented."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from workflow_sdk.client.grpc import GrpcEngineClient

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
LOCK_CONFLICTS = "workflow_engine_job_lock_conflicts_total"
DELAY_MS = 500
STEPS = [
    {
        "id": "work",
        "type": "SERVICE_TASK",
        "retryCount": 1,
        "nextStep": "end",
        "boundaryEvents": [{"type": "TIMER", "duration": "PT0.05S", "interrupting": False, "targetStepId": "side"}],
    },
    {"id": "side", "type": "SERVICE_TASK", "jobType": "nobody"},
    {"id": "end", "type": "END"},
]


def documented() -> dict[str, str]:
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE))


def call(url: str, body: object = None) -> dict:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"{}")


def values(page: str) -> dict[str, float]:
    """Sum a page's samples by series; a histogram counts by its observations, a gauge by having a sample at all."""
    found: dict[str, float] = {}
    for name, value in re.findall(r"^(\w+)(?:\{[^}]*\})? (\S+)$", page, re.MULTILINE):
        if name.endswith(("_bucket", "_created", "_sum")):
            continue
        series = name.removesuffix("_count")
        found[series] = found.get(series, 0.0) + float(value)
    return found


def load(addresses) -> None:
    """Start, work, fail, retry, time out, cancel: over REST and once over gRPC."""
    rest = f"{addresses.rest}/v1"
    named = [{"name": step["id"], **step} for step in STEPS]
    call(f"{rest}/definitions", {"id": "flow", "name": "Flow", "steps": named})
    ids = [call(f"{rest}/instances", {"definitionId": "flow"})["id"] for _ in range(4)]
    poll = {"workerId": "w", "jobTypes": ["work"], "maxJobs": 1}
    jobs = [call(f"{rest}/jobs/poll", {**poll, "leaseSeconds": lease})["jobs"][0] for lease in (30, 30, 30, 1)]
    call(f"{rest}/jobs/{jobs[0]['id']}/complete", {"workerId": "w"})
    failure = {"workerId": "w", "errorMessage": "no"}
    call(f"{rest}/jobs/{jobs[1]['id']}/fail", {**failure, "retryable": True})
    call(f"{rest}/jobs/{jobs[2]['id']}/fail", {**failure, "retryable": False})
    again = call(f"{rest}/jobs/poll", {**poll, "maxJobs": 2, "waitMs": 10_000})["jobs"]
    while len(again) < 2:  # the other one comes back when its lease runs out, after a second
        again += call(f"{rest}/jobs/poll", {**poll, "waitMs": 10_000})["jobs"]
    call(f"{rest}/instances/{ids[1]}/cancel", {})
    call(f"{rest}/jobs/poll", {**poll, "jobTypes": ["none"]})
    with GrpcEngineClient(addresses.grpc) as client:
        client.get_instance(ids[0])


async def test_every_documented_series_moves_and_every_series_is_documented(start_server):
    """Under a small load nothing stays at its initial value."""
    server = await start_server()
    await asyncio.to_thread(load, server.addresses)
    waiting = asyncio.create_task(
        asyncio.to_thread(
            call, f"{server.addresses.rest}/v1/jobs/poll", {"workerId": "w", "jobTypes": ["idle"], "waitMs": 1_000}
        )
    )
    while not server.engine.executor.polls.counts():  # noqa: ASYNC110 - a poll being parked is no event of ours
        await asyncio.sleep(0)
    found = values(await asyncio.to_thread(read, server.addresses.metrics))
    await waiting
    wanted = documented()
    assert found.keys() == wanted.keys()
    assert [name for name, kind in wanted.items() if kind != "gauge" and not found[name]] == []


async def test_a_poll_that_waited_for_nothing_is_counted(start_server):
    """A poll without a job counts the same whether it waited first or not."""
    server = await start_server()
    for wait_ms in (0, 1):
        body = {"workerId": "w", "jobTypes": ["idle"], "waitMs": wait_ms}
        await asyncio.to_thread(call, f"{server.addresses.rest}/v1/jobs/poll", body)
    assert values(await asyncio.to_thread(read, server.addresses.metrics))[LOCK_CONFLICTS] == 2


async def test_a_delayed_retry_is_not_picked_up_late(start_server):
    """The pickup latency begins when a delivery is ready, not when it was put off."""
    server = await start_server()
    await asyncio.to_thread(delayed_retry, f"{server.addresses.rest}/v1")
    page = await asyncio.to_thread(read, server.addresses.metrics)
    (total,) = re.findall(r"^engine_job_pickup_latency_seconds_sum (\S+)$", page, re.MULTILINE)
    assert float(total) < DELAY_MS / 1000


def delayed_retry(rest: str) -> None:
    """Fail a job that is to be tried again after a while, and wait for it."""
    named = [{"name": step["id"], **step} for step in STEPS]
    call(f"{rest}/definitions", {"id": "flow", "name": "Flow", "steps": named})
    call(f"{rest}/instances", {"definitionId": "flow"})
    poll = {"workerId": "w", "jobTypes": ["work"], "waitMs": 10_000}
    (job,) = call(f"{rest}/jobs/poll", poll)["jobs"]
    failure = {"workerId": "w", "errorMessage": "no", "retryable": True, "retryAfterMs": DELAY_MS}
    call(f"{rest}/jobs/{job['id']}/fail", failure)
    assert call(f"{rest}/jobs/poll", poll)["jobs"]


def read(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        pytest.fail(error.read().decode())
