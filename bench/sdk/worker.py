"""One worker process: `python -m bench.sdk.worker MODE REST_PORT GRPC_PORT`; works until SIGTERM.

It then says what it did. It is started fresh for every figure, and imports no more than its mode needs, so that its
memory is that of a worker.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from bench.sdk.modes import JOB_TYPE, MODES, PARALLELISM, Mode

KEPT = 5_000
WORKER = "bench"


class Handlers:
    """A handler that does next to nothing, so that the worker is what is measured."""

    def __init__(self) -> None:
        self.runs = itertools.count()
        """Its next value is how many jobs were handled; unlike `+= 1`, taking one is safe on many threads."""
        self.late_ms: list[float] = []
        """How long after its job appeared each handler began."""

    def sync(self, job: dict[str, Any]) -> dict[str, Any]:
        """Handle a job on a thread."""
        now_ns = time.monotonic_ns()
        next(self.runs)
        variables = job["variables"]
        if "atNs" in variables and len(self.late_ms) < KEPT:
            self.late_ms.append((now_ns - variables["atNs"]) / 1e6)
        return {"checked": variables["amount"] > 1000}

    async def asynchronous(self, job: dict[str, Any]) -> dict[str, Any]:
        """Handle a job on the loop."""
        return self.sync(job)


def run(mode: Mode, rest_port: int, grpc_port: int) -> Handlers:
    """Work as the mode says until SIGTERM; return what was seen."""
    handlers = Handlers()
    url, target = f"http://127.0.0.1:{rest_port}", f"127.0.0.1:{grpc_port}"
    if mode.loop == "plain":
        _plain(mode, url, handlers)
    elif mode.loop == "runner":
        _runner(mode, url, target, _registry(mode, handlers))
    else:
        asyncio.run(_async_runner(mode, url, target, _registry(mode, handlers)))
    return handlers


def _plain(mode: Mode, url: str, handlers: Handlers) -> None:
    from bench.sdk.plain import work  # noqa: PLC0415 - only what the mode needs

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    work(url, JOB_TYPE, handlers.sync, parallelism=PARALLELISM, sleep_s=mode.sleep_s, stop=stop)


def _registry(mode: Mode, handlers: Handlers) -> Any:
    from workflow_sdk.handler.registry import HandlerRegistry  # noqa: PLC0415 - only what the mode needs

    handler: Callable[..., Any] = handlers.asynchronous if mode.handlers == "async" else handlers.sync
    registry = HandlerRegistry()
    registry.register(JOB_TYPE, handler)
    return registry


def _runner(mode: Mode, url: str, target: str, registry: Any) -> None:
    from workflow_sdk.runner.runner import Runner  # noqa: PLC0415 - only what the mode needs

    if mode.transport == "grpc":
        from workflow_sdk.client.grpc import GrpcEngineClient  # noqa: PLC0415 - only what the mode needs

        Runner(GrpcEngineClient(target), registry, WORKER).run()
    else:
        from workflow_sdk.client.rest import RestEngineClient  # noqa: PLC0415 - only what the mode needs

        Runner(RestEngineClient(url), registry, WORKER).run()


async def _async_runner(mode: Mode, url: str, target: str, registry: Any) -> None:
    from workflow_sdk.runner.async_runner import AsyncRunner  # noqa: PLC0415 - only what the mode needs

    if mode.transport == "grpc":
        from workflow_sdk.client.async_grpc import AsyncGrpcEngineClient  # noqa: PLC0415 - only what the mode needs

        async with AsyncGrpcEngineClient(target) as client:
            await AsyncRunner(client, registry, WORKER).run()
    else:
        from workflow_sdk.client.async_rest import AsyncRestEngineClient  # noqa: PLC0415 - only what the mode needs

        async with AsyncRestEngineClient(url) as client:
            await AsyncRunner(client, registry, WORKER).run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    seen = run(MODES[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps({"handled": next(seen.runs), "late_ms": sorted(seen.late_ms)}))
