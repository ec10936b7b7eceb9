"""A real engine process on a fresh database, for one measurement."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

_READY_S = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")


class EngineProcess:
    """`rochallor serve` on SQLite in `folder`; `cpu_s` is what it has used so far."""

    def __init__(self, folder: Path) -> None:
        self.port, grpc_port, self.metrics_port = free_ports(3)
        environment = os.environ | {
            "WE_SQLITE_PATH": str(folder / "bench.db"),
            "WE_HOST": "127.0.0.1",
            "WE_REST_PORT": str(self.port),
            "WE_GRPC_PORT": str(grpc_port),
            "WE_METRICS_PORT": str(self.metrics_port),
            "WE_LOG_LEVEL": "warning",
        }
        self._process = subprocess.Popen([sys.executable, "-m", "rochallor", "serve"], env=environment)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + _READY_S
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1).close()
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError("the engine did not become ready; its output above says why") from None
                time.sleep(0.05)
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)

    def cpu_s(self) -> float:
        """Return processor seconds, user and system."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def metrics(self) -> str:
        """Return the Prometheus text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        return text


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on just now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports
