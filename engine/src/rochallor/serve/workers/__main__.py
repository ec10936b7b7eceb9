"""One of several engine processes; started by its parent, never by hand."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

import structlog

from rochallor.config import ConfigError
from rochallor.serve.logs import set_up_logging, wants_json
from rochallor.serve.plan import plan
from rochallor.serve.process import FAILED, first_of, run, serve_one
from rochallor.serve.security import security_of
from rochallor.serve.server import Addresses, Server
from rochallor.serve.tracing import tracing_of
from rochallor.serve.workers.orders import (
    ASK_METRICS,
    LISTEN,
    RELOAD,
    Orders,
    Page,
    Ready,
    Started,
    Told,
    line,
    read_orders,
)
from rochallor.shell.clocks import SystemClock

log = structlog.get_logger("rochallor.serve")


class Parent:
    """The process that looks after this one, at the other end of two pipes."""

    def __init__(self, number: int, told: BinaryIO, tell: BinaryIO, reload: Callable[[], object] | None) -> None:
        self.number = number
        self._told = told
        self._tell = tell
        self._reload = reload
        self._let = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def may_listen(self, server: Server, stop: asyncio.Event) -> bool:
        """Say that the engine has started and wait for leave to open the doors; False when it is time to stop."""
        self._task = asyncio.create_task(self._follow(server, stop))
        self._say(Started())
        await first_of(self._let.wait(), stop.wait())
        return not stop.is_set()

    def ready(self, _addresses: Addresses) -> None:
        """Say that the doors are open; where, the parent has said."""
        self._say(Ready())

    async def _follow(self, server: Server, stop: asyncio.Event) -> None:
        orders = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(partial(asyncio.StreamReaderProtocol, orders), self._told)
        while order := await orders.readline():
            if order == LISTEN:
                self._let.set()
            elif order == RELOAD and self._reload is not None:
                self._reload()
            elif order == ASK_METRICS:
                await self._tell_metrics(server)
        if not stop.is_set():
            log.warning("the process that looked after this one is gone; stopping")
            stop.set()

    async def _tell_metrics(self, server: Server) -> None:
        try:
            page = await server.metrics_page()
        except Exception:
            log.exception("the metrics cannot be told")  # a bug, and no reason to stop watching for the parent's end
            return
        await asyncio.to_thread(self._say, Page(page.decode()))

    def _say(self, message: Told) -> None:
        try:
            self._tell.write(line(message))
            self._tell.flush()
        except BrokenPipeError:
            pass  # the parent has just gone; the end of the other pipe says so too


def main() -> int:
    """Read the orders and serve; return the exit code."""
    told, tell = _pipes()
    first = told.readline()
    return _work(read_orders(first), told, tell) if first else FAILED


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes from and to the parent; from now on, what anybody prints goes to the log's stream instead.

    Neither is read ahead: what comes after the first line is for the event loop.
    """
    told, tell = open(0, "rb", buffering=0, closefd=False), os.fdopen(os.dup(1), "wb")  # noqa: SIM115 - for the process's life
    os.dup2(2, 1)
    return told, tell


def _work(orders: Orders, told: BinaryIO, tell: BinaryIO) -> int:
    config = orders.settings
    json = wants_json(config, terminal=sys.stderr.isatty())
    set_up_logging(config, json=json, worker=orders.number)
    try:
        planned, security = plan(config), security_of(config, SystemClock())
    except ConfigError as error:
        log.error("cannot start", reason=str(error))  # noqa: TRY400 - the sentence says it all
        return FAILED
    parent = Parent(orders.number, told, tell, security.tokens.reload if security.tokens else None)
    tracing = tracing_of(os.environ)
    return run(serve_one(config, planned, security, parent.ready, tracing, json=json, superior=parent))


if __name__ == "__main__":
    sys.exit(main())
