"""What the README and the tutorial tell people to type really does what they say."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRINTED = "http://localhost:8080"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def ask(url: str, body: object = None) -> dict:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_tutorial_walks_an_instance_through_its_life(rest_url, tmp_path):
    """Every curl of the tutorial, in order, ends with a completed instance and its history."""
    script = "set -eu\n" + "\n".join(blocks("docs/tutorial/getting-started.md", "bash")).replace(PRINTED, rest_url)
    told = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told.stderr
    instance, history = (json.loads(text) for text in re.split(r"(?<=\})(?=\{)", told.stdout)[-2:])
    assert instance["status"] == "COMPLETED"
    assert instance["variables"] == {"name": "Ada", "greeting": "Hello, Ada!", "approved": True}
    assert [item["stepId"] for item in history["items"]] == ["greet", "approve", "done"]


def test_readme_worker_runs_as_printed(rest_url, tmp_path):
    """The README's worker serves the README's definition, and stops cleanly on SIGTERM."""
    (worker,) = blocks("README.md", "python")
    (definition,) = blocks("README.md", "json")
    ask(f"{rest_url}/v1/definitions", json.loads(definition))
    path = tmp_path / "worker.py"
    path.write_text(worker.replace(PRINTED, rest_url))
    process = subprocess.Popen([sys.executable, str(path)])
    try:
        started = ask(f"{rest_url}/v1/instances", {"definitionId": "welcome", "variables": {"name": "Ada"}})
        answer = ask(f"{rest_url}/v1/instances/{started['id']}/await?waitMs=20000")
        assert answer["instance"]["variables"]["greeting"] == "Hello, Ada!"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_tutorial_and_readme_print_the_same_worker():
    """One worker, shown twice."""
    assert blocks("README.md", "python") == blocks("docs/tutorial/getting-started.md", "python")


def test_readme_names_folders_that_exist():
    """Every link of the README and the documentation's index leads somewhere."""
    for page in ("README.md", "docs/README.md", "docs/adr/README.md"):
        text = (ROOT / page).read_text()
        for target in re.findall(r"\]\(([^)#]+)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"
