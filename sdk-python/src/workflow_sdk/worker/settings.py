"""How a worker is set up: one value, the same for every face."""

from __future__ import annotations

from dataclasses import dataclass, field

from workflow_sdk.worker.leases import DEFAULT_SECONDS
from workflow_sdk.worker.poller import PollOptions
from workflow_sdk.worker.timing import Timing

DEFAULT_PARALLELISM = 64
DEFAULT_POLL_INTERVAL_SECONDS = 0.5
# How long an idle worker lets the engine hold a poll. It is also how long a stop may have to wait for that poll.
DEFAULT_LONG_POLL_MS = 2000
DEFAULT_SHUTDOWN_SECONDS = 30.0


@dataclass(frozen=True)
class WorkerSettings:
    """Settings of a worker.

    Args:
        worker_id: names it to the engine; must not be empty.
        parallelism: how many jobs may be claimed at a time; 0 or less means 64.
        poll_interval: the longest pause between polls of an engine that cannot hold a poll, seconds; 0 or less
            means 0.5.
        long_poll_ms: how long an engine that can may hold a poll; 0 switches it off.
        lease_seconds: how long a claimed job stays this worker's unless extended; 0 means the engine's default, 30.
        shutdown_timeout: seconds that a stop waits for jobs under way.
        batch_reports: whether reports may ride together where the engine offers it.
        timing: time and chance, for tests.

    Raises:
        ValueError: `worker_id` is empty.

    """

    worker_id: str
    parallelism: int = DEFAULT_PARALLELISM
    poll_interval: float = DEFAULT_POLL_INTERVAL_SECONDS
    long_poll_ms: int = DEFAULT_LONG_POLL_MS
    lease_seconds: int = 0
    shutdown_timeout: float = DEFAULT_SHUTDOWN_SECONDS
    batch_reports: bool = True
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        if not self.worker_id:
            raise ValueError("worker_id must not be empty: the engine tells workers apart by it")
        if self.parallelism <= 0:
            object.__setattr__(self, "parallelism", DEFAULT_PARALLELISM)
        if self.poll_interval <= 0:
            object.__setattr__(self, "poll_interval", DEFAULT_POLL_INTERVAL_SECONDS)

    @property
    def poll_options(self) -> PollOptions:
        """What every poll asks for beside jobs."""
        return PollOptions(self.long_poll_ms, self.lease_seconds)

    @property
    def lease_length(self) -> float:
        """How long a lease is that was just given, seconds."""
        return float(self.lease_seconds or DEFAULT_SECONDS)
