"""A real engine process on a store, for one measurement."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from bench import cpu

_READY_S = 20.0


class EngineProcess:
    """`rochallor serve` on the store that `store`, a part of its environment, names. Ends as it should or raises."""

    def __init__(self, store: Mapping[str, str]) -> None:
        self.port, self.grpc_port, self.metrics_port = free_ports(3)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WE_")}
        environment = inherited | {
            **store,
            "WE_HOST": "127.0.0.1",
            "WE_REST_PORT": str(self.port),
            "WE_GRPC_PORT": str(self.grpc_port),
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
        code = self._process.wait(timeout=30)
        if code and kind is None:
            raise RuntimeError(f"the engine ended with {code}; its output above says why")

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def cpu_s(self) -> float:
        """Return the processor seconds it has used so far, user and system."""
        return cpu.of_process(self._process.pid)

    def rss_mb(self) -> float:
        """Return the memory that it holds, in megabytes of a million bytes."""
        return round(cpu.memory_of_process(self._process.pid) / 1e6, 1)

    def upload(self, definition: bytes) -> None:
        """Upload a definition."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/definitions", definition, {"content-type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=10).close()

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
