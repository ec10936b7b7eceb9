"""The README's worker, as printed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import workflow_sdk

if TYPE_CHECKING:
    from ..conftest import FakeEngine

README = Path(__file__).parents[2] / "README.md"


def test_the_readmes_worker_runs_as_printed(engine: FakeEngine, tmp_path: Path) -> None:
    """It greets, and SIGTERM ends it with exit code 0."""
    printed = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]
    script = tmp_path / "worker.py"
    script.write_text(printed.replace("http://localhost:8080", engine.url))
    engine.add_jobs(1, name="Ada")
    environment = {**os.environ, "PYTHONPATH": str(Path(workflow_sdk.__file__).parents[1])}
    with subprocess.Popen([sys.executable, script], env=environment) as worker:
        try:
            done = engine.wait_for("/complete", 1, seconds=30)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(20) == 0
        finally:
            worker.kill()
    assert done[0].body["variables"] == {"greeting": "Hello, Ada!"}
