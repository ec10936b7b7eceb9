"""Engine processes as the driver holds them: started, killed, turned, started again on the same port."""

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


class Engine:
    """One engine on one port. `stops` counts how often it was killed."""

    def __init__(self, variables: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self._log = log
        self._variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WE_")},
            "WE_HOST": "127.0.0.1",
            "WE_REST_PORT": str(self.port),
            "WE_GRPC_PORT": "0",
            "WE_METRICS_PORT": "0",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            **variables,
        }
        self._process: Process | None = None

    async def start(self, trap: str = "") -> None:
        """Start, with a trap for it to die in or without; return when it serves."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "e2e.faults.engine", stdout=PIPE, stderr=log,
                env=self._variables | ({"FAULT_AT": trap} if trap else {}),
            )  # fmt: skip
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), READY_S)
        if not line:
            await self._process.wait()
            if not trap or self._process.returncode != -signal.SIGKILL:
                raise RuntimeError(f"an engine did not start; {self._log} says why:\n{self._log.read_text()[-2000:]}")

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    async def died(self, within_s: float) -> bool:
        """Wait for the trap to close; False when it did not in time."""
        assert self._process is not None
        try:
            await asyncio.wait_for(self._process.wait(), within_s)
        except asyncio.TimeoutError:
            return False
        return True

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self.running:
            self.signal(signal.SIGKILL)
        assert self._process is not None
        await self._process.wait()

    async def stop(self) -> None:
        """End it properly; an engine that cannot end in time is a fault of its own."""
        if self.running:
            self.signal(signal.SIGTERM)
        assert self._process is not None
        await asyncio.wait_for(self._process.wait(), READY_S)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def limit_files(self, size: int) -> None:
        """Let no file of it grow beyond `size` bytes, -1 for any size: a disk that is full for it alone."""
        assert self._process is not None
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
