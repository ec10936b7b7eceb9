"""The published surface of the first SDK: names, signatures, values."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import workflow_sdk
from workflow_sdk import errors
from workflow_sdk.client.interface import EngineClient

SIGNATURES = [
    ("client.rest", "RestEngineClient", "base_url, timeout=30.0"),
    ("client.rest", "RestEngineClient.upload_definition", "definition"),
    ("client.rest", "RestEngineClient.get_definition", "definition_id"),
    ("client.rest", "RestEngineClient.list_definitions", "keyword='', page=0, page_size=20"),
    (
        "client.rest",
        "RestEngineClient.start_instance",
        "definition_id, variables=None, definition_version=None, business_key=None",
    ),
    ("client.rest", "RestEngineClient.get_instance", "id"),
    ("client.rest", "RestEngineClient.get_instance_history", "id"),
    ("client.rest", "RestEngineClient.cancel_instance", "id, reason=''"),
    ("client.rest", "RestEngineClient.poll_jobs", "worker_id, job_types, max_jobs=1"),
    ("client.rest", "RestEngineClient.complete_job", "job_id, worker_id, variables=None"),
    ("client.rest", "RestEngineClient.fail_job", "job_id, worker_id, error_message, retryable=True"),
    ("client.rest", "RestEngineClient.complete_user_task", "task_id, completed_by='', result=None"),
    ("client.rest", "RestEngineClient.close", ""),
    ("client.grpc", "GrpcEngineClient.poll_jobs", "worker_id, job_types, max_jobs=1"),
    ("client.grpc", "GrpcEngineClient.complete_job", "job_id, worker_id, variables=None"),
    ("client.grpc", "GrpcEngineClient.fail_job", "job_id, worker_id, error_message, retryable=True"),
    ("client.grpc", "GrpcEngineClient.close", ""),
    ("handler.registry", "HandlerRegistry", ""),
    ("handler.registry", "HandlerRegistry.register", "job_type, handler=None"),
    ("handler.registry", "HandlerRegistry.get", "job_type"),
    ("handler.registry", "HandlerRegistry.job_types", ""),
    (
        "runner.runner",
        "Runner",
        "client, registry, worker_id, parallelism=64, poll_interval=0.5, metrics=None",
    ),
    ("runner.runner", "Runner.run", "stop_event=None"),
    ("runner.runner", "Runner._dispatch", "job"),
    (
        "runner.kafka_runner",
        "KafkaRunner",
        "worker_id, brokers, client, registry, dedup_window_seconds=600.0, extra_kafka_config=None",
    ),
    ("runner.kafka_runner", "KafkaRunner.run", "stop_event=None"),
    ("runner.kafka_runner", "KafkaRunner.stop", ""),
    ("retry.backoff", "delay", "attempt"),
    ("errors", "EngineClientError", "status_code, message=''"),
]


def _positional(signature: inspect.Signature) -> str:
    shown = [
        parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default!r}"
        for parameter in signature.parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.name != "self"
    ]
    return ", ".join(shown)


@pytest.mark.parametrize(("module", "name", "expected"), SIGNATURES, ids=lambda each: str(each)[:40])
def test_signature(module: str, name: str, expected: str) -> None:
    """Positional arguments of the published surface keep their names, order and defaults."""
    found: Any = importlib.import_module(f"workflow_sdk.{module}")
    for part in name.split("."):
        found = getattr(found, part)
    assert _positional(inspect.signature(found)) == expected


def test_every_exported_name_resolves() -> None:
    """Whatever the package lists can be imported from it."""
    assert {name for name in workflow_sdk.__all__ if getattr(workflow_sdk, name, None) is None} == set()


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as it does for any module."""
    with pytest.raises(AttributeError, match="Runer"):
        _ = workflow_sdk.Runer


def test_error_family() -> None:
    """Code that catches the two published errors, or their root, catches all that we raise for an engine."""
    assert issubclass(errors.NonRetryableError, errors.WorkflowSDKError)
    assert all(issubclass(kind, errors.EngineClientError) for _, _, kind in errors.KINDS)
    assert issubclass(errors.ConnectionFailed, errors.EngineClientError)


def test_a_client_of_three_methods_is_an_engine_client() -> None:
    """A test double with the three published methods passes the protocol check."""

    class Double:
        def poll_jobs(self, worker_id: str, job_types: list[str], max_jobs: int = 1) -> list[dict[str, Any]]:
            raise NotImplementedError

        def complete_job(self, job_id: str, worker_id: str, variables: dict[str, Any] | None = None) -> None: ...
        def fail_job(self, job_id: str, worker_id: str, error_message: str, retryable: bool = True) -> None: ...

    assert isinstance(Double(), EngineClient)


def _in_a_fresh_python(code: str) -> str:
    source = str(Path(workflow_sdk.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {source!r})\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_worker_over_rest_loads_no_heavy_library() -> None:
    """Neither grpc nor protobuf nor prometheus nor pydantic is loaded until it is asked for."""
    code = (
        "from workflow_sdk import HandlerRegistry, RestEngineClient, Runner\n"
        "from workflow_sdk.runner.kafka_runner import KafkaRunner\n"
        "KafkaRunner('w', 'kafka:9092', RestEngineClient('http://engine'), HandlerRegistry())\n"
        "heavy = {'grpc', 'aiohttp', 'google.protobuf', 'prometheus_client', 'pydantic', 'confluent_kafka'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert _in_a_fresh_python(code) == "[]"


def test_importing_the_package_is_quick() -> None:
    """The best of three imports takes less than 150 ms of processor time."""
    code = "import time; began = time.process_time(); import workflow_sdk; print(time.process_time() - began)"
    assert min(float(_in_a_fresh_python(code)) for _ in range(3)) < 0.15


def test_importing_the_runner_costs_little_beside_asyncio() -> None:
    """What the package adds to the library it stands on is less than five times as much, on any machine."""
    code = (
        "import time; began = time.process_time(); import asyncio; between = time.process_time()\n"
        "from workflow_sdk import HandlerRegistry, Runner\n"
        "print((time.process_time() - between) / (between - began))"
    )
    assert min(float(_in_a_fresh_python(code)) for _ in range(3)) < 5


@pytest.mark.parametrize("module", ["grpc", "async_grpc"])
def test_a_grpc_client_without_grpcio_says_what_to_install(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Whoever installed the package without its extra learns the extra's name, not only that of a missing module."""
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.delitem(sys.modules, f"workflow_sdk.client.{module}", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'workflow-sdk\[grpc\]'"):
        importlib.import_module(f"workflow_sdk.client.{module}")
