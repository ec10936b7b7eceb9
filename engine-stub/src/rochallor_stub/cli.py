"""`rochallor-stub`: the stub as a process on two ports, for tests in any language."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rochallor_stub.stub import AsyncEngineStub


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--rest-port", default=0, show_default=True, help="Port of REST and of /__stub/; 0 picks a free one.")
@click.option("--grpc-port", default=0, show_default=True, help="Port of gRPC; 0 picks a free one.")
@click.option("--seed", default=0, show_default=True, help="Where ids and chance come from.")
@click.option("--auto", is_flag=True, help="Let the clock move by itself when nothing else can happen.")
def main(host: str, rest_port: int, grpc_port: int, seed: int, *, auto: bool) -> None:
    """Run the engine as a test double until SIGTERM or Ctrl-C.

    Prints one line of JSON with its addresses when it is ready: {"rest": ..., "grpc": ..., "control": ...}.
    """
    logging.basicConfig(level=logging.WARNING)
    stub = _stub_class()(host=host, rest_port=rest_port, grpc_port=grpc_port, seed=seed, auto=auto)
    try:
        asyncio.run(_serve(stub))
    except OSError as error:
        raise click.ClickException(str(error)) from None


def _stub_class() -> type[AsyncEngineStub]:
    """Load the engine without looking for garbage: there is none, and that takes a tenth of the start."""
    gc.disable()
    from rochallor_stub.stub import AsyncEngineStub  # noqa: PLC0415 - see above

    gc.freeze()
    gc.enable()
    return AsyncEngineStub


async def _serve(stub: AsyncEngineStub) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with stub:
        addresses = {"rest": stub.url, "grpc": stub.grpc_target, "control": f"{stub.url}/__stub/"}
        click.echo(json.dumps(addresses))
        await stop.wait()
