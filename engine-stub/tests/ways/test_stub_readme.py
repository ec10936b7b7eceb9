"""The README's snippets run as printed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_every_python_snippet_runs(tmp_path: Path) -> None:
    """Each block is a test module of its own."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for number, block in enumerate(blocks):
        (tmp_path / f"test_block_{number}.py").write_text(block)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert f"{len(blocks)} passed" in done.stdout, done.stdout


def test_every_curl_line_is_understood(user: Any) -> None:
    """Method, path and body are what the stub takes."""
    lines = re.findall(r"^curl .*$", README, re.MULTILINE)
    answers = []
    for line in lines:
        words = shlex.split(line)[1:]
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        body = words[words.index("-d") + 1] if "-d" in words else None
        url = next(word for word in words if word.startswith("http")).replace("http://localhost:8080", user.stub.url)
        answers.append(user.http.request(method, url, content=body).status_code)
    assert answers == [200] * len(lines)
