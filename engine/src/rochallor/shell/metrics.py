"""What an operator sees: the Prometheus series of one engine process.

The names of the original engine keep their meaning. Counters of what workflows do are fed from committed events, so
they count what is durable and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from rochallor.core import events as ev
from rochallor.core.model import StepType
from rochallor.ports import Change, ClaimedJob
from rochallor.shell.histograms import Histogram

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """All series, in a registry of their own so that several engines can live in one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.definitions_uploaded = Counter(
            "workflow_definitions_uploaded", "Definitions accepted, also such as changed nothing.", registry=registry
        )
        self.instances_started = Counter("workflow_instances_started", "Instances started.", registry=registry)
        self.instances_completed = Counter(
            "workflow_instances_completed",
            "Instances ended: completed, failed, cancelled.",
            ["outcome"],
            registry=registry,
        )
        self.steps_executed = Counter(
            "workflow_steps_executed", "Step executions entered.", ["step_type"], registry=registry
        )
        self.job_retries = Counter("job_retries", "Jobs queued again after a failure.", registry=registry)
        self.job_timeouts = Counter("engine_job_timeout", "Leases that ran out.", registry=registry)
        self.http_seconds = Histogram(
            "http_requests_duration_seconds",
            "REST requests by route pattern.",
            ["method", "path", "status"],
            buckets=_FAST,
            registry=registry,
        )
        self.grpc_seconds = Histogram(
            "grpc_requests_duration_seconds", "gRPC calls.", ["method", "code"], buckets=_FAST, registry=registry
        )
        self.poll_latency = Histogram(
            "workflow_engine_job_poll_latency_seconds",
            "From a job's creation to its first lock.",
            buckets=_FAST,
            registry=registry,
        )
        self.pickup_latency = Histogram(
            "engine_job_pickup_latency_seconds",
            "From a delivery being ready to its lock, every delivery.",
            buckets=_FAST,
            registry=registry,
        )
        self.lock_conflicts = Counter(
            "workflow_engine_job_lock_conflicts", "Polls that were answered without a job.", registry=registry
        )
        self.transaction_seconds = Histogram(
            "engine_db_transaction_duration_seconds",
            "Store transactions, by what they are for: commands (with the claims that ride along), claims.",
            ["tx_type"],
            buckets=_FAST,
            registry=registry,
        )
        self.lock_wait_seconds = Histogram(
            "engine_db_lock_wait_duration_seconds",
            "From beginning a transaction until its instances were read and locked.",
            ["operation"],
            buckets=_FAST,
            registry=registry,
        )
        self.batch_size = Histogram(
            "rochallor_commit_batch_size", "Requests per commit.", buckets=_BATCH, registry=registry
        )
        self.queue_depth = Gauge(
            "rochallor_executor_queue_depth", "Requests waiting for the writer.", registry=registry
        )
        self.timers_late = Histogram(
            "rochallor_timers_late_seconds", "How long after its time a timer fired.", buckets=_FAST, registry=registry
        )
        ended = {outcome: self.instances_completed.labels(outcome) for outcome in ("completed", "failed", "cancelled")}
        self._steps = {kind: self.steps_executed.labels(kind.value) for kind in StepType}
        self._counters: dict[type, Callable[[Any], Counter]] = {
            ev.InstanceStarted: lambda _event: self.instances_started,
            ev.StepEntered: lambda event: self._steps[event.step_type],
            ev.JobRetried: lambda _event: self.job_retries,
            ev.JobExpired: lambda _event: self.job_timeouts,
            ev.InstanceCompleted: lambda _event: ended["completed"],
            ev.InstanceFailed: lambda _event: ended["failed"],
            ev.InstanceCancelled: lambda _event: ended["cancelled"],
        }

    def committed(self, changes: Sequence[Change], batch: int) -> None:
        """Count a committed batch."""
        if batch:
            self.batch_size.observe(batch)
        tally: defaultdict[Counter, int] = defaultdict(int)
        for change in changes:
            for event in change.committed.events:
                counter_of = self._counters.get(type(event))
                if counter_of is not None:
                    tally[counter_of(event)] += 1
                elif type(event) is ev.TimerFired:
                    self.timers_late.observe(max(0, change.committed.at_ms - event.due_ms) / 1000)
        for counter, times in tally.items():
            counter.inc(times)

    def transacted(self, kind: str, took_s: float, locked_s: float | None = None) -> None:
        """Count a transaction of `commands` or `claims`: its seconds, and how many until its rows were locked."""
        self.transaction_seconds.labels(kind).observe(took_s)
        if locked_s is not None:
            self.lock_wait_seconds.labels(kind).observe(locked_s)

    def polled(self, jobs: Sequence[ClaimedJob]) -> None:
        """Count an answered poll."""
        if not jobs:
            self.lock_conflicts.inc()
        for job in jobs:
            self.pickup_latency.observe((job.locked_at_ms - job.ready_at_ms) / 1000)
            if job.job.delivery == 1:
                self.poll_latency.observe((job.locked_at_ms - job.created_at_ms) / 1000)
