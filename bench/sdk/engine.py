"""The mock engine's process: `python -m bench.sdk.engine GENERATION SUPPLY TRANSPORT`; says its ports and serves.

GENERATION is `original` (one report per call, polls answered at once) or `ours`; SUPPLY is that of `Ledger`. Counts are
at GET /figures of the REST port.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import uvloop

from bench.sdk.ledger import Ledger
from bench.sdk.rest_engine import RestEngine


async def main(generation: str, supply: str, transport: str) -> None:
    """Serve until SIGTERM."""
    ours = generation == "ours"
    ledger = Ledger(supply, holds_polls=ours)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    rest = await loop.create_server(lambda: RestEngine(ledger, ours=ours), "127.0.0.1", 0)
    ports = {"rest": rest.sockets[0].getsockname()[1]}
    grpc_server = None
    if transport == "grpc":
        from bench.sdk.grpc_engine import serve  # noqa: PLC0415 - grpc's threads have no place in a REST measurement

        grpc_server, ports["grpc"] = await serve(ledger, ours=ours)
    trickle = asyncio.ensure_future(ledger.trickle())
    print(json.dumps(ports), flush=True)
    await ended.wait()
    trickle.cancel()
    rest.close()
    if grpc_server is not None:
        await grpc_server.stop(None)


if __name__ == "__main__":
    run = asyncio.run if "grpc" in sys.argv else uvloop.run
    run(main(*sys.argv[1:4]))
