"""What the tests of handlers share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import workflow_sdk

InAFreshPython = Callable[[str], str]


@pytest.fixture
def in_a_fresh_python() -> InAFreshPython:
    """Run code in an interpreter that has loaded nothing yet; returns what it prints."""

    def run(code: str) -> str:
        source = str(Path(workflow_sdk.__file__).parents[1])
        start = f"import sys; sys.path.insert(0, {source!r})\n{code}"
        done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    return run
