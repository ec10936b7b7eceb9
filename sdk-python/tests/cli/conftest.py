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
from pathlib import Path

import pytest
import workflow_sdk

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
def folder(tmp_path):
    """A folder with `app/workers.py`, whose `registry` serves `greet`."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "workers.py").write_text(GREET)
    return tmp_path


@pytest.fixture(scope="module")
def stub_server():
    rochallor_stub = pytest.importorskip("rochallor_stub", reason="the engine's test double needs Python 3.11")
    with rochallor_stub.EngineStub() as engine:
        yield engine


@pytest.fixture
def stub(stub_server):
    """A running engine that has the definition `greeting` and nothing else."""
    stub_server.reset()
    _post(stub_server.url + "/v1/definitions", GREETING)
    return stub_server


def _post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)


def start_greeting(stub):
    """Start an instance of `greeting`; return its id."""
    return _post(stub.url + "/v1/instances", {"definitionId": "greeting"})["id"]


def ended(stub, instance_id):
    """Wait for the instance's end; return its variables."""
    url = f"{stub.url}/v1/instances/{instance_id}/await?waitMs=20000"
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        found = json.load(answer)
    assert found["reached"], found
    return found["instance"]["variables"]


def fetch(url):
    """Return status and text of a page."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def until(condition):
    """Return the first truthy value of `condition()`."""
    ends_at = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < ends_at, "it did not come true"
        threading.Event().wait(0.01)
    return value


class Command:
    """A running `workflow-worker` and what it has logged so far."""

    def __init__(self, folder, *arguments, **environment):
        root = str(Path(workflow_sdk.__file__).parents[1])
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WORKFLOW_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workflow_sdk.cli", *arguments],
            cwd=folder,
            env={**inherited, "PYTHONPATH": root, "WORKFLOW_LOG_FORMAT": "json", **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines = []
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(json.loads(line) if line.startswith("{") else {"event": line.rstrip()})
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def said(self, event, count=1):
        """Wait until lines with this event were logged; return all of them."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._with(event)) >= count or self._ended, SECONDS)
            assert len(self._with(event)) >= count, self.lines
            return self._with(event)

    def _with(self, event):
        return [line for line in self.lines if event in line["event"]]

    def silent(self):
        """Wait until nobody is left who could log anything: it and every process that it started."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._ended, SECONDS), self.lines

    @property
    def health(self):
        """Where the health port is."""
        return self.said("health port is open")[0]["url"]

    def code(self):
        """Wait for the end; return the exit code."""
        code = self.process.wait(SECONDS)
        self.silent()
        return code

    def close(self):
        for pid in {line["pid"] for line in self._with("serving")}:
            if self.process.poll() is None or not self._ended:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        self.process.kill()
        self.process.wait()
        self._reader.join(SECONDS)
        self.process.stderr.close()


@pytest.fixture
def command(folder):
    """Start `workflow-worker` with these arguments in the folder; whatever still runs is killed at the end."""
    started = []

    def start(*arguments, **environment):
        started.append(Command(folder, *arguments, **environment))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def run(command, stub):
    """Start `workflow-worker run app.workers:registry` on the stub, with a health port."""

    def start(*arguments, **environment):
        base = ("run", "app.workers:registry", "--engine", stub.url, "--worker-id", "w", "--health-port", "0")
        return command(*base, *arguments, **environment)

    return start


@pytest.fixture
def tools():
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
