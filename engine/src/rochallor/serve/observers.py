"""What happens when a request has been answered, whichever door it came through: count it, and write its line.

A poll that succeeded gets no line: idle workers would fill the log with them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rochallor.serve.lines import Lines
from rochallor.shell.metrics import Metrics

HIDDEN = {("/v1/jobs/poll", 200), ("PollJobs", "OK")}


def observe_rest(metrics: Metrics, lines: Lines) -> Callable[[str, str, int, float], None]:
    """Return the observer of the REST door; seconds are measured there."""
    series: dict[tuple[str, str, int], Any] = {}

    def observe(method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        if key not in series:
            series[key] = metrics.http_seconds.labels(method, route, str(status))
        series[key].observe(seconds)
        if (route, status) not in HIDDEN:
            lines.request("rest", method, route, status, seconds)

    return observe


def observe_grpc(
    metrics: Metrics, lines: Lines, timer: Callable[[], float] = time.perf_counter
) -> Callable[[str], Callable[[str], None]]:
    """Return the observer of the gRPC door."""
    series: dict[tuple[str, str], Any] = {}

    def observe(rpc: str) -> Callable[[str], None]:
        began = timer()

        def done(code: str) -> None:
            seconds = timer() - began
            key = (rpc, code)
            if key not in series:
                series[key] = metrics.grpc_seconds.labels(rpc, code)
            series[key].observe(seconds)
            if key not in HIDDEN:
                lines.request("grpc", "RPC", rpc, code, seconds)

        return done

    return observe
