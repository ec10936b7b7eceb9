"""The tutorial of the Python SDK, followed to the letter: its files, its commands, a real engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from workflow_sdk import RestEngineClient

PAGE = (Path(__file__).parents[1] / "tutorial" / "first-worker.md").read_text(encoding="utf-8")
PRINTED = "http://localhost:8080"


@pytest.fixture(scope="module")
def shop(rest_url, tmp_path_factory):
    """The tutorial's folder with its worker running; `shop(commands)` returns what a terminal shows."""
    folder = tmp_path_factory.mktemp("shop")
    for name, text in re.findall(r"as\s+`([\w/]+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.replace(PRINTED, rest_url), encoding="utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "ROCHALLOR_ENGINE": rest_url}

    def shell(script: str) -> str:
        command = ["bash", "-euo", "pipefail", "-c", script]
        told = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout

    with subprocess.Popen([sys.executable, "-m", "app.workers"], cwd=folder) as worker:
        yield shell
        worker.terminate()
        assert worker.wait(timeout=30) == 0


@pytest.fixture(scope="module")
def told(shop):
    """What each block of commands printed, in the order of the page."""
    return [shop(block) for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)]


def test_a_small_refund_is_paid_at_once(told):
    """The worker looks it up and pays; the page's word for it is printed."""
    assert told[0].split()[1:] == ["COMPLETED"]


def test_a_large_refund_waits_for_a_person(told, rest_url):
    """It is printed as waiting, then somebody agrees, and it is paid."""
    instance_id, *state = told[1].split()
    assert state == ["WAITING", "approve"]
    with RestEngineClient(rest_url) as engine:
        history = engine.get_instance_history(instance_id)
        assert engine.get_instance(instance_id)["variables"]["receipt"] == "R-A-18"
    assert [step["stepId"] for step in history] == ["look-up", "how-much", "approve", "pay", "paid"]


def test_an_unknown_order_fails_with_the_handler_s_sentence(told):
    """The reason that `describe` shows is what the handler raised."""
    assert told[-1].split()[1] == "FAILED"
    assert "there is no order A-99" in told[-1]
