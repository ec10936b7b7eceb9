"""A small engine on a real socket, in the manner of the original and in ours, whose answers a test scripts."""

from __future__ import annotations

import asyncio
import json
import selectors
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Exchange:
    """One request as it arrived."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]


@dataclass
class FakeEngine:
    """Hands out queued jobs and notes every request; `answers` overrules it, one answer per request, by path.

    An answer is (status, body, headers), or None to close the connection without a word.
    """

    ours: bool = True
    url: str = ""
    jobs: deque[dict[str, Any]] = field(default_factory=deque)
    exchanges: list[Exchange] = field(default_factory=list)
    answers: dict[str, deque[tuple[int, Any, dict[str, str]] | None]] = field(default_factory=dict)
    outstanding: int = 0
    most_outstanding: int = 0
    closing: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add_jobs(self, count: int, job_type: str = "greet", **variables: Any) -> None:
        with self.changed:
            for number in range(len(self.jobs), len(self.jobs) + count):
                job: dict[str, Any] = {
                    "id": f"job-{number}",
                    "jobType": job_type,
                    "instanceId": "instance",
                    "stepExecutionId": f"execution-{number}",
                    "retriesRemaining": 3,
                    "variables": variables,
                    "lockExpiresAt": "2030-01-01T00:00:00Z",
                }
                if self.ours:
                    job |= {"stepId": "step", "leaseToken": f"token-{number}", "attempt": 1}
                self.jobs.append(job)
            self.changed.notify_all()

    def answer(self, path: str, status: int, body: Any = None, **headers: str) -> None:
        self.answers.setdefault(path, deque()).append((status, body, headers))

    def hang_up(self, path: str) -> None:
        self.answers.setdefault(path, deque()).append(None)

    def requests(self, ending: str) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.path.endswith(ending)]

    def wait_for(self, ending: str, count: int, seconds: float = 10) -> list[Exchange]:
        with self.changed:
            done = self.changed.wait_for(lambda: len(self.requests(ending)) >= count, seconds)
        assert done, f"only {len(self.requests(ending))} of {count} requests to {ending}"
        return self.requests(ending)

    def handle(self, exchange: Exchange) -> tuple[int, Any, dict[str, str]] | None:
        with self.changed:
            self.exchanges.append(exchange)
            self.changed.notify_all()
            scripted = self.answers.get(exchange.path)
            if scripted:
                return scripted.popleft()
            if exchange.path == "/v1/jobs/poll":
                return 200, {"jobs": self._claim(exchange.body)}, {}
            if exchange.path.endswith(("/complete", "/fail")):
                self.outstanding -= 1
                return 204, None, {}
        return 404, {"error": "not-found", "message": "no such route", "reason": "no such route"}, {}

    def _claim(self, body: dict[str, Any]) -> list[dict[str, Any]] | None:
        if self.ours and body.get("waitMs"):
            self.changed.wait_for(lambda: self.jobs or self.closing, body["waitMs"] / 1000)
        claimed = [self.jobs.popleft() for _ in range(min(body["maxJobs"], len(self.jobs)))]
        self.outstanding += len(claimed)
        self.most_outstanding = max(self.most_outstanding, self.outstanding)
        return claimed if claimed or self.ours else None


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    engine: FakeEngine

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        answer = self.engine.handle(
            Exchange(self.command, self.path, json.loads(content) if content else None, dict(self.headers))
        )
        if answer is None:
            self.close_connection = True
            return
        status, body, headers = answer
        encoded = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("content-length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    do_GET = do_POST = _serve  # noqa: N815 - the names are the standard library's

    def handle_one_request(self) -> None:
        with suppress(ConnectionError):
            super().handle_one_request()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Stay silent."""


def _serve(engine: FakeEngine) -> Iterator[FakeEngine]:
    door = type("Door", (_Door,), {"engine": engine})
    server = ThreadingHTTPServer(("127.0.0.1", 0), door)
    server.daemon_threads = True
    engine.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield engine
    with engine.changed:
        engine.closing = True
        engine.changed.notify_all()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    """An engine like ours: holds long polls, hands out lease tokens."""
    yield from _serve(FakeEngine(ours=True))


@pytest.fixture
def old_engine() -> Iterator[FakeEngine]:
    """An engine like the original: no long polls, no tokens, null for an empty list."""
    yield from _serve(FakeEngine(ours=False))


@pytest.fixture
def job() -> dict[str, Any]:
    """A job as the original engine hands it out."""
    return {
        "id": "job-1",
        "jobType": "greet",
        "instanceId": "instance-1",
        "stepId": "step-1",
        "stepExecutionId": "execution-1",
        "retriesRemaining": 2,
        "variables": {"name": "Ada"},
        "lockExpiresAt": "2030-01-01T00:00:00Z",
    }


class _Leaping(selectors.DefaultSelector):
    """Does not wait: where nothing has happened, the loop's time leaps to what is due next."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0 if timeout is not None else None)
        if not events and timeout:
            self.passed += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on which an hour passes in a moment."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.passed


@pytest.fixture
def virtual_loop() -> type[VirtualLoop]:
    """Give the class of an event loop whose time passes by itself."""
    return VirtualLoop
