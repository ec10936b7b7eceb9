"""A gRPC door with nothing behind it: the engine's own server with an empty handler, as a process of its own.

Run as `python -m bench.door`. Prints its port, serves until it is terminated.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc
import uvloop
from rochallor.transports.grpc.servicer import SERVICE
from rochallor_proto import engine_pb2 as pb


class DoorProcess(NamedTuple):
    """Where it is."""

    port: int
    pid: int


@contextmanager
def door_process() -> Iterator[DoorProcess]:
    """Run a door; raises `RuntimeError` when it does not start."""
    with subprocess.Popen([sys.executable, "-m", "bench.door"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        if not told:
            raise RuntimeError("the bare door did not start; its output above says why")
        try:
            yield DoorProcess(int(told), process.pid)
        finally:
            process.terminate()


async def _complete(request: bytes, _context: Any) -> bytes:
    """Read the message, as any handler must, and say that all is well."""
    pb.CompleteJobRequest.FromString(request)
    return pb.CompleteJobResponse().SerializeToString()


async def main() -> None:
    """Serve."""
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(_complete)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"CompleteJob": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await server.stop(0)


if __name__ == "__main__":
    uvloop.run(main())
