"""The harness itself is stopped in the middle: its exit code says so, and what it wrote is no report."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rochallor_conformance.cli import code_of
from rochallor_conformance.running import INCOMPLETE, INTERRUPTED

HEED = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""Whoever runs the tests in the background has Ctrl-C ignored, and so would the harness."""
RUN = f"{HEED}; from rochallor_conformance.cli import main; main()"


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for what is left behind in /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGKILL, -signal.SIGKILL)])
def test_run_that_is_cut_short_leaves_no_report(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Ctrl-C is 130; kill -9 leaves no engine behind. Without a footer nothing is drawn from what there is."""
    report = tmp_path / "report.ndjson"
    arguments = ["run", "--target", "engine:stub", "--report", str(report)]
    harness = subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not report.exists() or b'"result"' not in report.read_bytes():
        assert harness.poll() is None, "it ended before it could be cut short"
    engines = [os.pidfd_open(pid) for pid in _children(harness.pid)]
    harness.send_signal(number)
    assert harness.wait(60) == code
    assert engines
    for engine in engines:
        assert select.select([engine], [], [], 30)[0], "an engine outlived its harness"
        os.close(engine)
    assert b'"footer"' not in report.read_bytes()
    assert code_of(["report", "md", str(report)]) == INCOMPLETE
