"""Pages whose snippets are tests are run, each as one file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HOW_TO = Path(__file__).parents[1] / "how-to"
PAGES = [
    "test-workflows",
    "retries",
    "idempotency",
    "typed-handlers",
    "middleware",
    "migrate-from-sdk-1",
    "async",
    "long-handlers",
]


@pytest.mark.parametrize("page", PAGES)
def test_the_page_s_tests_pass(page, tmp_path):
    """Its snippets, put together in order, are a test file in which every test passes, without a warning."""
    blocks = re.findall(r"```python\n(.*?)```", (HOW_TO / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "test_page.py"
    file.write_text("\n\n".join(blocks), encoding="utf-8")
    options = ["-v", "-W", "error", "-p", "no:cacheprovider", "-p", "no:asyncio", "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", *options, str(file)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = set(re.findall(r"::(test_\w+).* PASSED", done.stdout))
    assert passed == set(re.findall(r"^def (test_\w+)", "\n".join(blocks), re.MULTILINE))
