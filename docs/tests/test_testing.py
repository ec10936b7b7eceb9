"""The tests on the page about testing are run, as one file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "how-to" / "test-workflows.md"


def test_the_page_s_tests_pass(tmp_path):
    """Its snippets, put together in order, are a test file in which every test passes."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "test_page.py"
    file.write_text("\n".join(blocks), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(file)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    tests = "\n".join(blocks).count("def test_")
    assert f"{tests} passed" in done.stdout, done.stdout + done.stderr
