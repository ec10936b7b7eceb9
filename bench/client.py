"""One load process: `python -m bench.client TRANSPORT SHAPE CALLERS WHERE…`, with the span told as `bench.window` says.

TRANSPORT is `rest`, `grpc`, `door` (each with HOST PORT) or `inside` (with a store's DSN or file: the engine is in this
process then, and so is its processor time). SHAPE is `single` or `batched`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
import uvloop
from rochallor.ports import Store
from rochallor.shell.clocks import SystemClock, SystemEntropy
from rochallor.shell.engine import Engine
from rochallor.stores.postgres import PostgresStore
from rochallor.stores.sqlite import SqliteStore

from bench.callers import Caller, Door, Grpc, Inside, Rest
from bench.flow import CLAIM
from bench.window import Tally, await_span
from bench.wire import Connection
from bench.workers import in_batches, one_by_one

POLLERS = 2
_CALLERS_PER_CHANNEL = 8

Callers = Callable[..., AbstractAsyncContextManager[list[Caller]]]


@asynccontextmanager
async def _rest(count: int, host: str, port: str) -> AsyncIterator[list[Caller]]:
    connections = [await Connection.open(host, int(port)) for _ in range(count)]
    yield [*map(Rest, connections)]
    for connection in connections:
        connection.close()


@asynccontextmanager
async def _grpc(count: int, host: str, port: str, kind: type[Grpc] = Grpc) -> AsyncIterator[list[Caller]]:
    # Channels to one address share a connection unless told otherwise.
    options = (("grpc.use_local_subchannel_pool", 1),)
    channels = [
        grpc.aio.insecure_channel(f"{host}:{port}", options=options) for _ in range(-(-count // _CALLERS_PER_CHANNEL))
    ]
    yield [kind(channels[number % len(channels)]) for number in range(count)]
    for channel in channels:
        await channel.close()


def _door(count: int, host: str, port: str) -> AbstractAsyncContextManager[list[Caller]]:
    return _grpc(count, host, port, Door)


@asynccontextmanager
async def _inside(count: int, where: str) -> AsyncIterator[list[Caller]]:
    if "://" in where:
        postgres = PostgresStore(where)
        store: Store = postgres
        engine = Engine(store, clock=postgres.clock, entropy=SystemEntropy())
    else:
        store = SqliteStore(where)
        engine = Engine(store, clock=SystemClock(), entropy=SystemEntropy())
    await engine.start()
    yield [Inside(engine) for _ in range(count)]
    await engine.stop()


TRANSPORTS: dict[str, Callers] = {"rest": _rest, "grpc": _grpc, "door": _door, "inside": _inside}


async def main(transport: str, shape: str, count: int, *where: str) -> dict[str, Any]:
    """Work from when the span is told until its end; return the figures."""
    single = shape == "single"
    async with TRANSPORTS[transport](count + POLLERS * single, *where) as callers:
        tally = Tally(await_span())
        if single:
            await one_by_one(callers[POLLERS:], callers[:POLLERS], tally, CLAIM)
        else:
            await in_batches(callers, tally, CLAIM)
    return tally.figures()


if __name__ == "__main__":
    given_transport, given_shape, given_count, *address = sys.argv[1:]
    print(json.dumps(uvloop.run(main(given_transport, given_shape, int(given_count), *address))))
