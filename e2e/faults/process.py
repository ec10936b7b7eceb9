"""Processes as the driver holds them: started, killed, started again on the same port."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from pathlib import Path

READY_S = 30.0
ROOT = Path(__file__).resolve().parents[2]


class Child:
    """One process of ours, started again and again with the same environment. What it writes is in `log`.

    `greeting` is the first line on its standard output, empty if it ended before. All of that is read, whoever asks:
    a process whose pipe is full would stand still, and one that dies with a full pipe would never count as dead.
    """

    def __init__(self, variables: Mapping[str, str], log: Path) -> None:
        self._log = log
        self._variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("WE_", "WORKFLOW_"))},
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            **variables,
        }
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.greeting: asyncio.Future[bytes]

    async def spawn(self, *arguments: str, **variables: str) -> None:
        """Start Python with these arguments; return when the process exists."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, stdout=PIPE, stderr=log, env=self._variables | variables
            )
        assert self._process.stdout is not None
        self.greeting = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(self._process.stdout, self.greeting))

    async def _read(self, output: asyncio.StreamReader, greeting: asyncio.Future[bytes]) -> None:
        line = await output.readline()
        if not greeting.done():
            greeting.set_result(line)
        with self._log.open("ab") as log:
            while some := await output.read(1 << 16):
                log.write(some)

    @property
    def said(self) -> str:
        """The end of what it wrote."""
        return f"{self._log} says why:\n{self._log.read_text()[-2000:]}"

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    @property
    def exit_code(self) -> int | None:
        """How it ended, None while it has not."""
        return self._process.returncode if self._process is not None else None

    async def died(self, within_s: float) -> bool:
        """Wait for its death; False when it did not come in time."""
        try:
            await asyncio.wait_for(self._ended(), within_s)
        except asyncio.TimeoutError:
            return False
        return True

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self.running:
            self.signal(signal.SIGKILL)
        await self._ended()

    async def stop(self) -> None:
        """End it properly; a process that cannot end in time is a fault of its own."""
        if self.running:
            self.signal(signal.SIGTERM)
        await asyncio.wait_for(self._ended(), READY_S)

    async def _ended(self) -> None:
        """Wait until it is dead and all that it wrote is kept."""
        assert self._process is not None
        assert self._reading is not None
        await self._process.wait()
        await self._reading

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)


class Engine(Child):
    """One engine on one port, in which traps can be laid."""

    def __init__(self, variables: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        super().__init__(at_ports(self.port) | dict(variables), log)

    async def start(self, trap: str = "") -> None:
        """Start, with a trap for it to die in or without; return when it serves."""
        await self.spawn("-m", "e2e.faults.engine", **({"FAULT_AT": trap} if trap else {}))
        if not await asyncio.wait_for(self.greeting, READY_S):
            await self._ended()
            if not trap or self.exit_code != -signal.SIGKILL:
                raise RuntimeError(f"an engine did not start; {self.said}")

    def limit_files(self, size: int) -> None:
        """Let no file of it grow beyond `size` bytes, -1 for any size: a disk that is full for it alone."""
        assert self._process is not None
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def at_ports(rest: int, grpc: int = 0) -> dict[str, str]:
    """Return the settings of an engine on these ports of this machine; 0 is any."""
    ports = {"WE_REST_PORT": str(rest), "WE_GRPC_PORT": str(grpc), "WE_METRICS_PORT": "0"}
    return {"WE_HOST": "127.0.0.1", **ports}


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
