"""The worker for programs with an event loop: it runs on that loop, beside everything else there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workflow_sdk.metrics.silent import SilentMetrics
from workflow_sdk.runner.checked import checked
from workflow_sdk.worker.ports import AsyncPort, Port
from workflow_sdk.worker.settings import (
    DEFAULT_LONG_POLL_MS,
    DEFAULT_PARALLELISM,
    DEFAULT_POLL_INTERVAL_SECONDS,
    DEFAULT_SHUTDOWN_SECONDS,
    WorkerSettings,
)
from workflow_sdk.worker.stop import Stop, StopEvent, stopped_by_signals
from workflow_sdk.worker.timing import Timing
from workflow_sdk.worker.worker import Worker

if TYPE_CHECKING:
    from workflow_sdk.client.async_base import AsyncBaseEngineClient
    from workflow_sdk.handler.registry import HandlerRegistry
    from workflow_sdk.metrics.metrics import Metrics


class AsyncRunner:
    """Serves the registry's job types on one engine until it is told to stop.

    Args:
        client: the engine; it stays open when the worker ends.
        registry: the handlers. Those that are not `async def` run on threads of the worker's own.
        worker_id: names this worker to the engine; must not be empty.
        parallelism: how many jobs may be claimed at a time; 0 or less means 64.
        poll_interval: the longest pause between polls of an engine that cannot hold a poll, seconds.
        metrics: a `Metrics`; None counts nothing.
        long_poll_ms: how long an engine that can may hold a poll; 0 switches it off.
        lease_seconds: how long a claimed job stays this worker's unless extended; 0 is the engine's default.
        shutdown_timeout: seconds that a stop waits for jobs under way.
        batch_reports: whether results may ride together, where the engine takes them so.
        handle_signals: whether SIGTERM and SIGINT stop it, on the main thread.
        timing: time and chance, for tests.

    Raises:
        TypeError: `client` is none, a URL for example.
        ValueError: `worker_id` is empty.

    """

    def __init__(  # noqa: PLR0917 - in the order of `Runner`
        self,
        client: AsyncBaseEngineClient,
        registry: HandlerRegistry,
        worker_id: str,
        parallelism: int = DEFAULT_PARALLELISM,
        poll_interval: float = DEFAULT_POLL_INTERVAL_SECONDS,
        metrics: Metrics | None = None,
        *,
        long_poll_ms: int = DEFAULT_LONG_POLL_MS,
        lease_seconds: int = 0,
        shutdown_timeout: float = DEFAULT_SHUTDOWN_SECONDS,
        batch_reports: bool = True,
        handle_signals: bool = True,
        timing: Timing | None = None,
    ) -> None:
        checked(client, "AsyncRestEngineClient(url)")
        self._client = client
        self._registry = registry
        self._metrics: Any = metrics or SilentMetrics()
        self._handle_signals = handle_signals
        self._settings = WorkerSettings(
            worker_id,
            parallelism,
            poll_interval,
            long_poll_ms,
            lease_seconds,
            shutdown_timeout,
            batch_reports,
            timing or Timing(),
        )

    async def run(self, stop_event: StopEvent | None = None) -> None:
        """Work until `stop_event` is set, a signal comes, or this task is cancelled; then drain and return.

        `stop_event` is anything with `is_set()`, an `asyncio.Event` for example.
        """
        stop = Stop(stop_event)
        port = AsyncPort(self._client, self._settings.worker_id, owned=False)
        connect = None if self._client.twin() is None else self._connect
        worker = Worker(port, self._registry, self._settings, self._metrics, connect)
        if not self._handle_signals:
            await worker.run(stop)
            return
        with stopped_by_signals(stop):
            await worker.run(stop)

    def _connect(self) -> Port:
        """Return a port for another thread."""
        twin = self._client.twin()
        assert twin is not None, "there was one before"
        return AsyncPort(twin, self._settings.worker_id, owned=True)
