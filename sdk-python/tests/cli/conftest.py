"""Real worker processes in a folder of their own, against the engine's test double."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

import pytest
import workflow_sdk

if TYPE_CHECKING:
    from rochallor_stub import EngineStub

T = TypeVar("T")
Json = dict[str, Any]
SECONDS = 30  # how long anything may take before a test gives up
GREETING = {
    "id": "greeting",
    "name": "Greeting",
    "steps": [
        {"id": "say", "name": "Say", "type": "SERVICE_TASK", "jobType": "greet", "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}
HEAD = """
import os, time
from pathlib import Path
from workflow_sdk import HandlerRegistry
registry = HandlerRegistry()
"""
GREET = HEAD + "@registry.register('greet')\ndef greet(ctx):\n    return {'greeting': 'hello'}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with `app/workers.py`, whose `registry` serves `greet`."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "workers.py").write_text(GREET)
    return tmp_path


@pytest.fixture(scope="module")
def stub_server() -> Iterator[EngineStub]:
    rochallor_stub = pytest.importorskip("rochallor_stub", reason="the engine's test double needs Python 3.11")
    with rochallor_stub.EngineStub() as engine:
        yield engine


@pytest.fixture
def stub(stub_server: EngineStub) -> EngineStub:
    """A running engine that has the definition `greeting` and nothing else."""
    stub_server.reset()
    _post(stub_server.url + "/v1/definitions", GREETING)
    return stub_server


def _post(url: str, body: Json) -> Json:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        created: Json = json.load(answer)
    return created


def start_greeting(stub: EngineStub) -> str:
    """Start an instance of `greeting`; return its id."""
    return str(_post(stub.url + "/v1/instances", {"definitionId": "greeting"})["id"])


def ended(stub: EngineStub, instance_id: str) -> Json:
    """Wait for the instance's end; return its variables."""
    url = f"{stub.url}/v1/instances/{instance_id}/await?waitMs=20000"
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        found = json.load(answer)
    assert found["reached"], found
    variables: Json = found["instance"]["variables"]
    return variables


def fetch(url: str) -> tuple[int, str]:
    """Return status and text of a page."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def until(condition: Callable[[], T]) -> T:
    """Return the first truthy value of `condition()`."""
    ends_at = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < ends_at, "it did not come true"
        threading.Event().wait(0.01)
    return value


class Command:
    """A running `workflow-worker` and what it has logged so far."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        root = str(Path(workflow_sdk.__file__).parents[1])
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WORKFLOW_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workflow_sdk.cli", *arguments],
            cwd=folder,
            env={**inherited, "PYTHONPATH": root, "WORKFLOW_LOG_FORMAT": "json", **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[Json] = []
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def _told(self) -> IO[str]:
        assert self.process.stderr is not None
        return self.process.stderr

    def _read(self) -> None:
        for line in self._told:
            with self._changed:
                self.lines.append(json.loads(line) if line.startswith("{") else {"event": line.rstrip()})
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def said(self, event: str, count: int = 1) -> list[Json]:
        """Wait until lines with this event were logged; return all of them."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._with(event)) >= count or self._ended, SECONDS)
            assert len(self._with(event)) >= count, self.lines
            return self._with(event)

    def _with(self, event: str) -> list[Json]:
        return [line for line in self.lines if event in line["event"]]

    def silent(self) -> None:
        """Wait until nobody is left who could log anything: it and every process that it started."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._ended, SECONDS), self.lines

    @property
    def health(self) -> str:
        """Where the health port is."""
        return str(self.said("health port is open")[0]["url"])

    def code(self) -> int:
        """Wait for the end; return the exit code."""
        code = self.process.wait(SECONDS)
        self.silent()
        return code

    def close(self) -> None:
        for pid in {line["pid"] for line in self._with("serving")}:
            if self.process.poll() is None or not self._ended:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        self.process.kill()
        self.process.wait()
        self._reader.join(SECONDS)
        self._told.close()


class Start(Protocol):
    """`start(*arguments, **environment)`: a running command."""

    def __call__(self, *arguments: str, **environment: str) -> Command: ...


@pytest.fixture
def command(folder: Path) -> Iterator[Start]:
    """Start `workflow-worker` with these arguments in the folder; whatever still runs is killed at the end."""
    started: list[Command] = []

    def start(*arguments: str, **environment: str) -> Command:
        started.append(Command(folder, *arguments, **environment))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def run(command: Start, stub: EngineStub) -> Start:
    """Start `workflow-worker run app.workers:registry` on the stub, with a health port."""

    def start(*arguments: str, **environment: str) -> Command:
        base = ("run", "app.workers:registry", "--engine", stub.url, "--worker-id", "w", "--health-port", "0")
        return command(*base, *arguments, **environment)

    return start


@pytest.fixture
def tools() -> type[Help]:
    """The helpers of this file, for tests: this folder is no package."""
    return Help


class Help:
    start_greeting = staticmethod(start_greeting)
    ended = staticmethod(ended)
    fetch = staticmethod(fetch)
    until = staticmethod(until)
    head = HEAD
    greet = GREET
    greeting = GREETING
