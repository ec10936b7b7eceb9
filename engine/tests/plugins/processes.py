"""`rochallor` in processes of its own, for tests about signals, exit codes and crashes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Queue
from typing import IO, Any

import pytest

PATIENCE_S = 60


class Process:
    """A `rochallor` command in a process of its own; `url` and the like appear when it says that it is ready."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WE_")}
        free_ports = {"WE_REST_PORT": "0", "WE_GRPC_PORT": "0", "WE_METRICS_PORT": "0"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rochallor", *arguments],
            cwd=folder,
            env={**inherited, **free_ports, "WE_LOG_FORMAT": "json", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.stdout: IO[str] = self.process.stdout
        self._stderr: IO[str] = self.process.stderr
        self.lines: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self._stderr:
            self.lines.put(line)
        self.lines.put(None)

    def until(self, event: str) -> dict[str, Any]:
        """Return the log line of this event."""
        seen: list[str] = []
        while (line := self.lines.get(timeout=PATIENCE_S)) is not None:
            seen.append(line)
            with suppress(ValueError):
                entry: dict[str, Any] = json.loads(line)
                if entry.get("event") == event:
                    return entry
        raise AssertionError(f"the process ended without {event!r}:\n{''.join(seen)}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.stdout.close()
        self._stderr.close()

    def ended(self) -> int:
        """Return the exit code."""
        return self.process.wait(timeout=PATIENCE_S)


@pytest.fixture
def rochallor(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start `rochallor …` processes; what is still running at the end is killed."""
    started: list[Process] = []

    def start(*arguments: str, **variables: str) -> Process:
        started.append(Process(tmp_path, *arguments, **variables))
        return started[-1]

    yield start
    for process in started:
        process.close()
