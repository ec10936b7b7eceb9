"""The processes of one figure: the mock engine and the worker, what they counted, and what they cost."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from bench.sdk.modes import Mode

_END_S = 20.0
_BEGIN_S = 30.0
_LOOK_S = 0.005


class Snapshot(NamedTuple):
    """Where both processes are, at a moment in seconds; CPU in seconds.

    `worker_waited_s` is for how long the worker's main thread was ready to run and others had the cores.
    """

    at_s: float
    completed: int
    worker_cpu_s: float
    engine_cpu_s: float
    worker_waited_s: float


class Pair:
    """A fresh mock engine and a fresh worker on it. Ends both, or raises when anything at all went wrong.

    Args:
        mode: how the worker works.
        supply: what the engine gives out, see `Ledger`.

    """

    def __init__(self, mode: Mode, supply: str = "endless") -> None:
        self._mode = mode
        self._engine = _python("bench.sdk.engine", mode.engine, supply, mode.transport)
        assert self._engine.stdout is not None
        self._ports: dict[str, int] = json.loads(self._engine.stdout.readline() or "{}")
        if not self._ports:
            raise RuntimeError("the mock engine did not start; its output above says why")
        self._worker = _python("bench.sdk.worker", mode.name, str(self._ports["rest"]), str(self._ports.get("grpc", 0)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self._worker, self._engine):
            process.kill()
            process.wait()

    def wait_until_it_polls(self) -> None:
        """Return when the worker has asked for work."""
        self._wait(lambda figures: figures["polls"] > 0)

    def wait_until_it_works(self) -> None:
        """Return when the first jobs are done."""
        self._wait(lambda figures: figures["completed"] > 0)

    def at_a_poll(self) -> Snapshot:
        """Look right after a poll, so that a loop that sleeps is measured over whole rounds of its own."""
        polls = self._figures()["polls"]
        figures = self._wait(lambda figures: figures["polls"] > polls)
        return self._snapshot(figures["completed"])

    def now(self) -> Snapshot:
        """Look now."""
        return self._snapshot(self._figures()["completed"])

    def rss_mb(self) -> float:
        """Return the worker's memory, MB of 1,000,000 bytes."""
        status = Path(f"/proc/{self._worker.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6

    def end(self) -> dict[str, Any]:
        """Let the worker end in order; return what it says. Raises when a job failed, was lost or was doubled."""
        self._worker.terminate()
        told, _ = self._worker.communicate(timeout=_END_S)
        if self._worker.returncode:
            raise RuntimeError(f"{self._mode.name}: the worker ended with {self._worker.returncode}; see above")
        figures, seen = self._figures(), json.loads(told)
        if figures["failed"] or figures["strays"] or figures["out"] or seen["handled"] != figures["completed"]:
            raise RuntimeError(f"{self._mode.name}: {seen['handled']} handled, and the engine counts {figures}")
        return dict(seen)

    def _snapshot(self, completed: int) -> Snapshot:
        worker = self._worker.pid
        waited_ns = int(Path(f"/proc/{worker}/schedstat").read_text().split()[1])
        return Snapshot(time.perf_counter(), completed, _cpu_s(worker), _cpu_s(self._engine.pid), waited_ns / 1e9)

    def _figures(self) -> dict[str, int]:
        if self._worker.poll() is not None and self._worker.returncode != 0:
            raise RuntimeError(f"{self._mode.name}: the worker ended with {self._worker.returncode}; see above")
        with urllib.request.urlopen(f"http://127.0.0.1:{self._ports['rest']}/figures", timeout=5) as answer:
            figures: dict[str, int] = json.load(answer)
        return figures

    def _wait(self, reached: Any) -> dict[str, int]:
        deadline = time.monotonic() + _BEGIN_S
        while not reached(figures := self._figures()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self._mode.name}: nothing happens; the engine counts {figures}")
            time.sleep(_LOOK_S)
        return figures


def _python(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True)


def _cpu_s(pid: int) -> float:
    """Return a process's processor seconds; /proc counts in hundredths, too coarse for an idle worker."""
    clock = ctypes.c_int()
    if ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise RuntimeError(f"process {pid} is gone")
    return time.clock_gettime(clock.value)
