"""The health port: `/healthz`, `/readyz`, `/metrics`, answered by threads that no handler can block.

Belongs here: the server and its three routes. What is ready, and what the metrics are, its owner says.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from workflow_sdk.cli.failures import CommandFailed

_log = logging.getLogger("workflow_sdk.cli")

TEXT = "text/plain; charset=utf-8"
_LOOK_SECONDS = 0.2  # how long closing may take
METRICS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Pages:
    """What the health port tells.

    Args:
        why_not_ready: returns a sentence while there should come no traffic, "" when ready.
        metrics: returns the page in Prometheus' text format.

    """

    why_not_ready: Callable[[], str]
    metrics: Callable[[], bytes]

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body for a path."""
        if path == "/healthz":
            return HTTPStatus.OK, TEXT, b"alive\n"
        if path == "/readyz":
            reason = self.why_not_ready()
            status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
            return status, TEXT, f"{reason or 'ready'}\n".encode()
        if path == "/metrics":
            return HTTPStatus.OK, METRICS, self.metrics()
        return HTTPStatus.NOT_FOUND, TEXT, b"there is /healthz, /readyz and /metrics\n"


@contextmanager
def served(listener: socket.socket, pages: Pages) -> Generator[None, None, None]:
    """Serve the pages inside a `with` block.

    Args:
        listener: where it listens already; it is closed at the end.
        pages: what it tells.

    """
    door = type("Door", (_Door,), {"pages": pages})
    server = _Server(listener.getsockname()[:2], door, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    thread = threading.Thread(target=server.serve_forever, args=(_LOOK_SECONDS,), name="workflow-health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        CommandFailed: the port is taken, or the address is not this machine's.

    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise CommandFailed(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. "
            "Choose another --health-port (0 takes a free one), or end what holds it."
        ) from None
    return listener


def announce(listener: socket.socket) -> None:
    """Log where the health port is."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    _log.info("health port is open", extra={"url": f"http://{shown}:{port}"})


def metrics_page(*registries: CollectorRegistry) -> bytes:
    """Return the series of these registries, and of the default one, where the application's own are.

    A series that is in two of them is told once, from the first: Prometheus refuses a page that has it twice.
    """
    both = CollectorRegistry()
    both.register(_Each((*registries, REGISTRY)))
    return generate_latest(both)


class _Each(Collector):
    def __init__(self, registries: Iterable[CollectorRegistry]) -> None:
        self._registries = registries

    def collect(self) -> Iterable[Metric]:
        told: set[str] = set()
        for registry in self._registries:
            for family in registry.collect():
                if family.name not in told:
                    told.add(family.name)
                    yield family


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say it in the log; a probe that hangs up early is nothing to tell of."""
        del request
        _log.debug("a probe from %s was not answered", client_address, exc_info=True)


class _Door(BaseHTTPRequestHandler):
    pages: Pages
    timeout = 10  # seconds; a connection that says nothing holds a thread no longer than this

    def do_GET(self) -> None:
        status, kind, body = self.pages.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - likewise

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Say nothing: probes come every few seconds."""
