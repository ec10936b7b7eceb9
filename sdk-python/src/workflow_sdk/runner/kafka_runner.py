"""The worker for engines that publish jobs to Kafka: the published face of `workflow_sdk.kafka`.

Needs `pip install "workflow-sdk[kafka]"`; neither Kafka nor protobuf is imported before it runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from workflow_sdk.metrics.silent import SilentMetrics
from workflow_sdk.runner.deduplication_cache import DEFAULT_WINDOW_SECONDS, DeduplicationCache
from workflow_sdk.runner.reach import reached, run_somewhere
from workflow_sdk.worker.settings import DEFAULT_PARALLELISM, DEFAULT_SHUTDOWN_SECONDS, WorkerSettings
from workflow_sdk.worker.stop import Stop, StopEvent, stopped_by_signals
from workflow_sdk.worker.timing import Timing

if TYPE_CHECKING:
    from workflow_sdk.client.interface import EngineClient
    from workflow_sdk.handler.registry import HandlerRegistry
    from workflow_sdk.kafka.deliveries import DeadLetter
    from workflow_sdk.kafka.port import Consumer
    from workflow_sdk.metrics.metrics import Metrics


class KafkaRunner:
    """Serves the registry's job types from their topics until it is told to stop.

    Topics are `workflow.jobs.<jobType>`, groups `workflow.workers.<jobType>`. Every job is done at least once: an
    offset is committed when the engine knows the outcome of every job up to it.

    Args:
        worker_id: names this worker to the engine; must not be empty.
        brokers: where Kafka is, `host:port` separated by commas.
        client: where outcomes are reported; as for `Runner`.
        registry: the handlers.
        dedup_window_seconds: how long a publication is remembered whose job is settled, so that a copy is skipped.
        extra_kafka_config: settings of librdkafka that are added to ours, or win over them; the group is fixed.
        parallelism: how many jobs may be under way at a time; 0 or less means 64.
        metrics: a `Metrics`; None counts nothing.
        shutdown_timeout: seconds that a stop waits for jobs under way.
        batch_reports: whether results may ride together, where the engine takes them so.
        dead_letter: called with a record and a reason, on the worker's loop, before the record is committed past: it
            is no job, or its reports met nothing but internal errors for ten minutes. If it raises, it is asked again.
            None logs an error.
        consumer: makes the consumer of a job type, for tests; None takes confluent-kafka.
        timing: time and chance, for tests.

    Raises:
        ValueError: `worker_id` is empty.

    """

    def __init__(  # noqa: PLR0917 - the published signature
        self,
        worker_id: str,
        brokers: str,
        client: EngineClient,
        registry: HandlerRegistry,
        dedup_window_seconds: float = DEFAULT_WINDOW_SECONDS,
        extra_kafka_config: Mapping[str, Any] | None = None,
        *,
        parallelism: int = DEFAULT_PARALLELISM,
        metrics: Metrics | None = None,
        shutdown_timeout: float = DEFAULT_SHUTDOWN_SECONDS,
        batch_reports: bool = True,
        dead_letter: DeadLetter | None = None,
        consumer: Callable[[str], Consumer] | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._brokers = brokers
        self._client = client
        self._registry = registry
        self._extra_kafka_config = dict(extra_kafka_config or {})
        self._metrics: Any = metrics or SilentMetrics()
        self._dead_letter = dead_letter
        self._consumer = consumer
        self._told_to_stop = threading.Event()
        self._settings = WorkerSettings(
            worker_id,
            parallelism,
            shutdown_timeout=shutdown_timeout,
            batch_reports=batch_reports,
            timing=timing or Timing(),
        )
        self._seen = DeduplicationCache(dedup_window_seconds, clock=self._settings.timing.monotonic)

    def run(self, stop_event: StopEvent | None = None) -> None:
        """Work until `stop_event` is set, `stop` is called, or on the main thread a signal comes; drain and return.

        Raises:
            ImportError: confluent-kafka is not installed.
            workflow_sdk.kafka.port.ConsumerBroken: Kafka threw this worker out for good.

        """
        consumer = self._consumer or self._consumers()
        stop = Stop(_Either(self._told_to_stop, stop_event))
        with stopped_by_signals(stop):
            run_somewhere(lambda: self._work(stop, consumer))

    def stop(self) -> None:
        """Let `run` drain and return, from any thread."""
        self._told_to_stop.set()

    async def _work(self, stop: Stop, consumer: Callable[[str], Consumer]) -> None:
        from workflow_sdk.kafka.deliveries import log_dead_letter  # noqa: PLC0415 - loads protobuf
        from workflow_sdk.kafka.worker import KafkaWorker  # noqa: PLC0415 - loads protobuf

        with reached(self._client, self._settings) as (port, connect):
            worker = KafkaWorker(
                port,
                self._registry,
                self._settings,
                self._metrics,
                connect,
                consumer=consumer,
                seen=self._seen,
                dead_letter=self._dead_letter or log_dead_letter,
            )
            await worker.run(stop)

    def _consumers(self) -> Callable[[str], Consumer]:
        try:
            from workflow_sdk.kafka.confluent import consumers  # noqa: PLC0415 - loads a library that is optional
        except ImportError as error:
            raise ImportError(
                f'a KafkaRunner needs confluent-kafka ({error}); install it: pip install "workflow-sdk[kafka]"'
            ) from error
        return consumers(self._brokers, self._extra_kafka_config, self._settings.worker_id)


class _Either:
    """Set when one of two is."""

    def __init__(self, ours: StopEvent, theirs: StopEvent | None) -> None:
        self._ours = ours
        self._theirs = theirs

    def is_set(self) -> bool:
        """Return whether to stop."""
        return self._ours.is_set() or (self._theirs is not None and self._theirs.is_set())
