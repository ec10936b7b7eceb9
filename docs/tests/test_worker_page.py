"""The commands on the page about `workflow-worker`, as printed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "reference" / "workflow-worker.md").read_text()
RUN, CHECK = re.findall(r"^\$ workflow-worker (.*)$", PAGE, re.MULTILINE)
WORKERS = """
from workflow_sdk import HandlerRegistry
registry = HandlerRegistry()

@registry.register("greet")
def greet(ctx):
    return {}
"""
STEPS = [
    {"id": "greet", "name": "Greet", "type": "SERVICE_TASK", "jobType": "greet", "nextStep": "charge"},
    {"id": "charge", "name": "Charge", "type": "SERVICE_TASK", "jobType": "payments.charge", "nextStep": "end"},
    {"id": "end", "name": "End", "type": "END"},
]


def start(folder, line):
    """Start a printed command through a shell, which expands its names, in a folder with what it speaks of."""
    (folder / "app").mkdir()
    (folder / "app" / "workers.py").write_text(WORKERS)
    (folder / "workflows").mkdir()
    (folder / "workflows" / "order.json").write_text(json.dumps({"id": "order", "name": "Order", "steps": STEPS}))
    shell = f"exec '{sys.executable}' -m workflow_sdk.cli {line}"
    return subprocess.Popen(shell, shell=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_printed_worker_runs(rest_url, tmp_path):
    """It serves, and SIGTERM ends it with exit code 0."""
    with start(tmp_path, RUN.replace("http://localhost:8080", rest_url)) as worker:
        try:
            assert json.loads(worker.stderr.readline())["job_types"] == ["greet"]
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
        finally:
            worker.kill()


def test_the_printed_check_finds_nothing_wrong(tmp_path):
    """What the registry lacks is served elsewhere, as the option says."""
    with start(tmp_path, CHECK) as check:
        told = check.communicate(timeout=30)
    assert check.returncode == 0, told
    assert "1 definition: no errors" in told[0]
