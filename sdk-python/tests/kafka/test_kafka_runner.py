"""The published face of the worker on Kafka."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest
from workflow_sdk import HandlerRegistry, JobContext, NonRetryableError
from workflow_sdk.runner.kafka_runner import KafkaRunner

if TYPE_CHECKING:
    from types import ModuleType

    from .conftest import Consumer, Log


Served = Callable[..., MagicMock]


@pytest.fixture
def served(log: Log, kafka_consumer: type[Consumer]) -> Served:
    """Run a runner on a log until so many jobs are reported; return the client, a mock as users of the SDK 1.0 have."""

    def run(registry: HandlerRegistry, count: int = 1) -> MagicMock:
        client, enough = MagicMock(), threading.Event()

        def reported(*_: object) -> None:
            if client.complete_job.call_count + client.fail_job.call_count >= count:
                enough.set()

        client.complete_job.side_effect = client.fail_job.side_effect = reported
        KafkaRunner("w", "kafka:9092", client, registry, consumer=lambda _: kafka_consumer(log)).run(enough)
        return client

    return run


def test_results_go_out_as_the_first_sdk_sent_them(log: Log, served: Served) -> None:
    """`complete_job(id, worker_id, variables)`, positionally, and no poll ever."""
    registry = HandlerRegistry()
    seen: list[dict[str, Any]] = []

    @registry.register("work")
    def work(ctx: JobContext) -> dict[str, Any]:
        seen.append(dict(ctx))
        return {"sum": ctx["variables"]["a"] + 1}

    log.publish("j", variables={"a": 1})
    client = served(registry)
    client.complete_job.assert_called_once_with("j", "w", {"sum": 2})
    client.poll_jobs.assert_not_called()
    assert seen == [
        {
            "id": "j",
            "jobType": "work",
            "instanceId": "i",
            "stepId": "",
            "stepExecutionId": "step-of-j",
            "retriesRemaining": 3,
            "variables": {"a": 1},
            "lockExpiresAt": None,
        }
    ]


@pytest.mark.parametrize(("error", "retryable"), [(NonRetryableError("no"), False), (ValueError("no"), True)])
def test_failures_go_out_as_the_first_sdk_sent_them(
    log: Log, served: Served, error: Exception, retryable: bool
) -> None:
    """`fail_job(id, worker_id, message, retryable)`, positionally."""
    registry = HandlerRegistry()

    @registry.register("work")
    def work(_: JobContext) -> None:
        raise error

    log.publish("j")
    served(registry).fail_job.assert_called_once_with("j", "w", "no", retryable)


def test_a_job_in_the_wrong_topic_fails_for_good(log: Log, served: Served) -> None:
    """Its type has no handler here; waiting would not bring one."""
    registry = HandlerRegistry()
    registry.register("work", lambda _: None)
    log.publish("j")
    record = log.records["workflow.jobs.work", 0].pop()
    assert record.value is not None
    log.put(record.value.replace(b"work", b"play"))
    served(registry).fail_job.assert_called_once_with("j", "w", "no handler registered for 'play'", False)


def test_stop_ends_it(log: Log, kafka_consumer: type[Consumer]) -> None:
    """`stop()` may be called from anywhere, a handler for example."""
    registry = HandlerRegistry()
    runner = KafkaRunner("w", "kafka:9092", MagicMock(), registry, consumer=lambda _: kafka_consumer(log))
    registry.register("work", lambda _: runner.stop())
    log.publish("j")
    runner.run()
    assert log.committed_at() == 1


def test_a_worker_has_a_name() -> None:
    """The engine tells workers apart by it."""
    with pytest.raises(ValueError, match="worker_id"):
        KafkaRunner("", "kafka:9092", MagicMock(), HandlerRegistry())


def test_a_missing_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra."""
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> ModuleType:
        if name.startswith(("confluent_kafka", "workflow_sdk.kafka.confluent")):
            raise ImportError("No module named 'confluent_kafka'")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "workflow-sdk\[kafka\]"'):
        KafkaRunner("w", "kafka:9092", MagicMock(), HandlerRegistry()).run()
