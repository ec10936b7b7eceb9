"""The worker's Prometheus series. Importing this module loads prometheus_client; the runner alone does not."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

# A long poll takes up to some seconds, a handler from a millisecond to minutes.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """What a runner counts. One set per collector registry: Prometheus refuses a second one of the same names.

    | attribute | series | labels |
    |---|---|---|
    | `poll_latency` | `workflow_sdk_poll_latency_seconds` | |
    | `lock_conflicts` | `workflow_sdk_lock_conflicts_total` | |
    | `handler_latency` | `workflow_sdk_handler_latency_seconds` | `job_type` |
    | `retries_total` | `workflow_sdk_retries_total` | `job_type` |
    | `jobs_completed` | `workflow_sdk_jobs_completed_total` | `job_type`, `outcome` |

    Args:
        registry: where the series are registered; a test passes its own `CollectorRegistry()`.

    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.poll_latency = Histogram(
            "workflow_sdk_poll_latency_seconds",
            "Seconds one poll took, waiting for a job included.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.lock_conflicts = Counter(
            "workflow_sdk_lock_conflicts_total",
            "Reports that the engine refused with a conflict, because the job was no longer ours.",
            registry=registry,
        )
        self.handler_latency = Histogram(
            "workflow_sdk_handler_latency_seconds",
            "Seconds a handler ran.",
            ["job_type"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.retries_total = Counter(
            "workflow_sdk_retries_total",
            "Jobs reported as failed and worth another try.",
            ["job_type"],
            registry=registry,
        )
        self.jobs_completed = Counter(
            "workflow_sdk_jobs_completed_total",
            "Jobs that a handler finished, by outcome: success or failure.",
            ["job_type", "outcome"],
            registry=registry,
        )
