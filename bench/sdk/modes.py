"""What is measured: each mode is one way to work on the same jobs."""

from __future__ import annotations

from typing import NamedTuple

JOB_TYPE = "bench"
PARALLELISM = 64
PLAIN, NO_SLEEP = "plain", "plain-no-sleep"
AT_ITS_DEFAULTS, UNBATCHED = "runner-batch-sync", "runner-single-sync"


class Mode(NamedTuple):
    """One row of the report.

    Args:
        name: what it is called on the command line and in the artifact.
        label: what it is called in the report.
        loop: `plain`, `runner` or `async-runner`.
        transport: `rest` or `grpc`.
        engine: `original`, which takes one report per call and answers polls at once, or `ours`.
        handlers: `sync` or `async`.
        sleep_s: what the plain loop sleeps between polls.

    """

    name: str
    label: str
    loop: str
    transport: str
    engine: str
    handlers: str
    sleep_s: float = 0.0


MODES = {
    mode.name: mode
    for mode in (
        Mode(PLAIN, "plain, sleeps 0.5 s", "plain", "rest", "original", "sync", 0.5),
        Mode(NO_SLEEP, "plain, sleep removed", "plain", "rest", "original", "sync"),
        Mode(UNBATCHED, "Runner, REST single, sync", "runner", "rest", "original", "sync"),
        Mode("runner-single-async", "Runner, REST single, async", "runner", "rest", "original", "async"),
        Mode(AT_ITS_DEFAULTS, "Runner, REST batched, sync", "runner", "rest", "ours", "sync"),
        Mode("runner-batch-async", "Runner, REST batched, async", "runner", "rest", "ours", "async"),
        Mode("runner-grpc-single-async", "Runner, gRPC single, async", "runner", "grpc", "original", "async"),
        Mode("runner-grpc-sync", "Runner, gRPC batched, sync", "runner", "grpc", "ours", "sync"),
        Mode("runner-grpc-async", "Runner, gRPC batched, async", "runner", "grpc", "ours", "async"),
        Mode("async-single", "AsyncRunner, REST single, async", "async-runner", "rest", "original", "async"),
        Mode("async-batch", "AsyncRunner, REST batched, async", "async-runner", "rest", "ours", "async"),
        Mode("async-grpc", "AsyncRunner, gRPC batched, async", "async-runner", "grpc", "ours", "async"),
    )
}
