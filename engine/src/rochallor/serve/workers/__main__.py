"""One of several engine processes; started by its parent, never by hand."""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial

import structlog

from rochallor.serve.logs import set_up_logging, wants_json
from rochallor.serve.plan import plan
from rochallor.serve.process import run, serve_one
from rochallor.serve.security import security_of
from rochallor.serve.server import Addresses, Server
from rochallor.serve.tracing import tracing_of
from rochallor.serve.workers.orders import ASK_METRICS, Page, Ready, line, read_orders
from rochallor.shell.clocks import SystemClock

log = structlog.get_logger("rochallor.serve")


class Parent:
    """The process at the other end of standard input and output."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._task: asyncio.Task[None] | None = None

    def follow(self, server: Server, stop: asyncio.Event) -> None:
        """Say that the server is ready, answer from now on, and set `stop` when nobody asks any more."""
        self._task = asyncio.create_task(self._follow(server, stop))

    async def _follow(self, server: Server, stop: asyncio.Event) -> None:
        asked = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(partial(asyncio.StreamReaderProtocol, asked), sys.stdin)
        _say(line(Ready()))
        while wish := await asked.readline():
            if wish == ASK_METRICS:
                page = await server.metrics_page()
                await asyncio.to_thread(_say, line(Page(page.decode())))
        if not stop.is_set():
            log.warning("the process that looked after this one is gone; stopping")
            stop.set()


def _say(text: bytes) -> None:
    try:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        pass  # the parent has just gone; the end of standard input says so too


def _nothing(_addresses: Addresses) -> None:
    """The parent has said where everybody listens."""


def main() -> int:
    """Read the orders and serve; return the exit code."""
    orders = read_orders(sys.stdin.buffer.readline())
    config = orders.settings
    json = wants_json(config, terminal=sys.stderr.isatty())
    set_up_logging(config, json=json, worker=orders.number)
    planned, security = plan(config), security_of(config, SystemClock())
    tracing = tracing_of(os.environ)
    return run(serve_one(config, planned, security, _nothing, tracing, json=json, superior=Parent(orders.number)))


if __name__ == "__main__":
    sys.exit(main())
