"""One engine in this process, from its settings to its exit code, and what every serving process needs besides."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from rochallor.config import Config
from rochallor.core.errors import WorkflowError
from rochallor.serve.logs import lines_of
from rochallor.serve.plan import Plan
from rochallor.serve.security import Security
from rochallor.serve.server import Addresses, Server
from rochallor.serve.tracing import Tracing
from rochallor.shell.clocks import SystemClock

log = structlog.get_logger("rochallor.serve")

OK, FAILED = 0, 1


class Superior(Protocol):
    """Whoever started this process as one of several: its number, and what it is told and asked."""

    number: int

    async def may_listen(self, server: Server, stop: asyncio.Event) -> bool:
        """Say that the engine has started, wait for leave to open the doors; False when it is time to stop instead.

        From now on the superior is answered, and `stop` is set when it is gone.
        """


async def serve_one(
    config: Config,
    planned: Plan,
    security: Security,
    on_ready: Callable[[Addresses], None],
    tracing: Tracing | None,
    *,
    json: bool,
    superior: Superior | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT, or until the superior is gone; return the exit code."""
    stop = stop_at_signals()
    if security.tokens is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, security.tokens.reload)
    worker = superior.number if superior else None
    server = Server(
        config,
        planned.store,
        clock=planned.clock,
        host=planned.host,
        cors_origins=planned.cors_origins,
        lines=lines_of(config, SystemClock(), sys.stderr.buffer, json=json, worker=worker),
        security=security,
        tracing=tracing,
        is_one_of_many=superior is not None,
    )
    try:
        await server.start_engine()
        if superior is None or await superior.may_listen(server, stop):
            on_ready(await server.listen())
    except (OSError, WorkflowError) as error:
        log.error("cannot start", reason=str(error))  # noqa: TRY400 - the sentence says it all, a trace would bury it
        return FAILED
    await stop.wait()
    log.info("stopping")
    await server.stop()
    log.info("stopped")
    return OK


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run the process's main coroutine, on uvloop where there is one."""
    _let_the_collector_rest()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def stop_at_signals() -> asyncio.Event:
    """Return an event that the first SIGTERM or SIGINT sets; a second one ends the process as if nobody listened."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def on_signal() -> None:
        stop.set()
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    return stop


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when one of them has, and cancel the others; raises what that one raises."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


def _let_the_collector_rest() -> None:
    """Look for reference cycles less often: what is loaded by now stays, and a request leaves none behind.

    Under 64 connections the default pauses doubled the p99 of a report (33 ms instead of 18) and took a tenth of the
    throughput (`bench`, medians of three rounds).
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not offered on every platform
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
