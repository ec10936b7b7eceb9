"""A real engine process whose ports stand in for the ones the pages print."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def rest_url(tmp_path_factory):
    """The REST address of an engine on a fresh database."""
    folder = tmp_path_factory.mktemp("engine")
    port = _free_port()
    environment = os.environ | {
        "WE_SQLITE_PATH": str(folder / "docs.db"),
        "WE_HOST": "127.0.0.1",
        "WE_REST_PORT": str(port),
        "WE_GRPC_PORT": "0",
        "WE_METRICS_PORT": "0",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "rochallor", "serve"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).close()
            break
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((folder / "log").read_text())
            time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    assert process.wait(timeout=30) == 0
