"""One worker process: imports the registry, runs a `Runner` on it, and tells how it is on the health port."""

from __future__ import annotations

import logging
import os
import socket
from contextlib import ExitStack

from prometheus_client import CollectorRegistry

from workflow_sdk.cli.engine import open_client
from workflow_sdk.cli.failures import FINE
from workflow_sdk.cli.health import Pages, metrics_page, served
from workflow_sdk.cli.load import serving
from workflow_sdk.cli.options import Settings
from workflow_sdk.cli.stopping import HURRIED_SECONDS, LAST_SECONDS, Stopping, leave_within
from workflow_sdk.metrics.metrics import Metrics
from workflow_sdk.runner.runner import Runner

_log = logging.getLogger("workflow_sdk.cli")

# A runner observes a poll when it has been answered, so the count of this series says whether one was.
_ANSWERED = "workflow_sdk_poll_latency_seconds_count"


def work(settings: Settings, stop: Stopping, listener: socket.socket | None = None) -> int:
    """Serve until `stop` is set; return the exit code.

    Args:
        settings: with the worker id filled in.
        stop: why to end; SIGTERM and SIGINT are noted there from now on.
        listener: where the health port listens, which the worker closes; None for no health port.

    Raises:
        CommandFailed: the registry, the engine's address or the token cannot be used.

    """
    # Metrics of our own registry: the application may count into the default one under the same names.
    counted = CollectorRegistry()
    metrics = Metrics(counted)
    with ExitStack() as stack:
        if listener is not None:
            # Before the import, which may take long: alive, not ready.
            pages = Pages(lambda: _why_not_ready(stop, counted), lambda: metrics_page(counted))
            stack.enter_context(served(listener, pages))
        registry = serving(settings.registry)
        client = stack.enter_context(open_client(settings.engine, settings.token_file))
        stop.on_signals(lambda: leave_within(HURRIED_SECONDS))
        facts = {"engine": settings.engine, "job_types": registry.job_types(), "parallelism": settings.parallelism}
        _log.info("serving", extra={**facts, "pid": os.getpid()})
        runner = Runner(
            client,
            registry,
            settings.worker_id,
            parallelism=settings.parallelism,
            metrics=metrics,
            lease_seconds=settings.lease_seconds,
            shutdown_timeout=settings.shutdown_timeout,
        )
        stack.callback(lambda: leave_within(HURRIED_SECONDS if stop.wishes > 1 else LAST_SECONDS))
        runner.run(stop)
        _log.info("stopped")
    return FINE


def _why_not_ready(stop: Stopping, counted: CollectorRegistry) -> str:
    if stop.is_set():
        return "stopping"
    return "" if counted.get_sample_value(_ANSWERED) else "the engine has not answered a poll yet"
