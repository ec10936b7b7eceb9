"""kill -9 in the middle of a loan: the engine starts again on the same file, and everything ends right, once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from rochallor.demo.journeys import APPLICATION, DISBURSEMENT
from workflow_sdk import HandlerRegistry, RestEngineClient, WorkflowSDKError

if TYPE_CHECKING:
    from engine.tests.plugins.processes import Process

    from .conftest import Rochallor

APPLICANT = {"amount": 8_000, "monthlyIncome": 4_000, "missedPayments": 0, "documentsMatch": True}
APPLICATION_STEPS = Counter(
    ["assess-risk", "run-checks", "credit-check", "fraud-check", "checks-done", "decide", "approve", "approved"]
)
DISBURSEMENT_STEPS = Counter(["anything-to-pay", "compute-fees", "how-much", "disburse", "disbursed"])
JOBS = 3
SHORT_LEASE_S = 1
TYPES = ["loan.credit-check", "loan.fraud-check", "loan.escalate", "loan.disburse"]

Start = Callable[..., "tuple[Process, str]"]
"""Starts `serve`, with these variables: the process and its URL."""


@pytest.fixture
def engine(rochallor: Rochallor, loan: Path) -> tuple[Start, Start]:
    """Return a function that starts `serve` on one file; the first one has the definitions."""

    def start(**variables: str) -> tuple[Process, str]:
        process = rochallor("serve", WE_SQLITE_PATH="engine.db", **variables)
        return process, process.until("ready")["rest"]

    def first() -> tuple[Process, str]:
        process, url = start()
        with RestEngineClient(url) as client:
            for name in (DISBURSEMENT, APPLICATION):
                client.upload_definition(json.loads((loan / f"{name}.json").read_bytes()))
        return process, url

    return first, start


def work(client: RestEngineClient, registry: HandlerRegistry, job: dict[str, Any]) -> None:
    """Do one job as a worker would."""
    handler = registry.get(job["jobType"])
    assert handler is not None
    client.complete_job(job["id"], "test", handler(job), lease_token=job["leaseToken"])


def claim(client: RestEngineClient, wait_ms: int = 3_000) -> list[dict[str, Any]]:
    """Claim one job, for a short time."""
    return client.poll_jobs("test", TYPES, 1, lease_seconds=SHORT_LEASE_S, wait_ms=wait_ms)


def ended(client: RestEngineClient, instance_id: str) -> bool:
    reached: bool = client.await_instance(instance_id, wait_ms=0)["reached"]
    return reached


def child_of(client: RestEngineClient, instance_id: str) -> str | None:
    return client.get_instance(instance_id).get("childInstanceId")


def steps_of(client: RestEngineClient, instance_id: str) -> Counter[str]:
    """Return how often each step was entered; all of them must be COMPLETED."""
    history = client.get_instance_history(instance_id)
    assert {item["status"] for item in history} == {"COMPLETED"}
    return Counter(item["stepId"] for item in history)


def assert_ended_once(client: RestEngineClient, instance_id: str) -> None:
    """Assert that application and disbursement took their way exactly once."""
    assert steps_of(client, instance_id) == APPLICATION_STEPS
    child_id = child_of(client, instance_id)
    assert child_id is not None
    assert steps_of(client, child_id) == DISBURSEMENT_STEPS


@pytest.mark.parametrize("hop", range(JOBS + 1))
def test_killed_after_any_hop_a_loan_goes_on(engine: tuple[Start, Start], loan_worker: ModuleType, hop: int) -> None:
    """After the answer to a start (hop 0) or to any completion the engine is killed, while a worker's poll waits."""
    first, again = engine
    process, url = first()
    with RestEngineClient(url) as client:
        started = client.start_instance(APPLICATION, APPLICANT)
        for _ in range(hop):
            (job,) = claim(client)
            work(client, loan_worker.registry, job)
        poller = threading.Thread(target=_poll_until_cut_off, args=(url,))
        poller.start()
        process.signal(signal.SIGKILL)
        process.ended()
        poller.join()
    _, url = again()
    with RestEngineClient(url) as client:
        while not ((child_id := child_of(client, started["id"])) and ended(client, child_id)):
            for job in claim(client):
                work(client, loan_worker.registry, job)
        assert_ended_once(client, started["id"])
        assert client.list_instances(DISBURSEMENT)["total"] == 1


def _poll_until_cut_off(url: str) -> None:
    with suppress(WorkflowSDKError), RestEngineClient(url) as client:
        claim(client, wait_ms=30_000)


@pytest.mark.slow
def test_a_worker_outlives_its_engine(engine: tuple[Start, Start], loan: Path) -> None:
    """Killed under ten running loans and started again, the engine and an SDK worker finish all of them once."""
    first, again = engine
    process, url = first()
    with RestEngineClient(url) as client, _worker(loan, url):
        started = [client.start_instance(APPLICATION, APPLICANT)["id"] for _ in range(10)]
        client.await_instance(started[0])
        process.signal(signal.SIGKILL)
        process.ended()
        again(WE_REST_PORT=url.rpartition(":")[2])
        for instance_id in started:
            while not (child_id := child_of(client, instance_id)):
                client.await_instance(instance_id, wait_ms=100)
            # A job whose claim was committed but never answered comes back when its lease of 30 s ends.
            assert any(client.await_instance(child_id)["reached"] for _ in range(3))
            assert_ended_once(client, instance_id)
        assert client.list_instances(DISBURSEMENT)["total"] == len(started)


class _worker:  # noqa: N801 - reads like a context manager
    """The example's worker as a process."""

    def __init__(self, loan: Path, url: str) -> None:
        self._process = subprocess.Popen([sys.executable, str(loan / "worker.py"), "--engine", url])

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait()
