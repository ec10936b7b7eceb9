"""Log lines for machines and for people."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

from workflow_sdk.cli.changes import Changes
from workflow_sdk.cli.logs import Facts, JsonLines, TextLines


def record(**extra: str) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "shop", "levelname": "ERROR", "msg": "%s failed", "args": ("it",), **extra})
    try:
        _ = 1 / 0  # for its traceback
    except ZeroDivisionError:
        made.exc_info = sys.exc_info()
    made.created, made.msecs = 0.25, 250.0
    Facts({"worker_id": "w"}).filter(made)
    return made


def test_json_lines_carry_facts_and_traceback() -> None:
    """One object: what happened, the job's facts, the worker's id, the traceback; what is empty is left out."""
    line = json.loads(JsonLines().format(record(job_id="j", trace_id="")))
    assert line.pop("exception").endswith("ZeroDivisionError: division by zero")
    assert line == {
        "time": "1970-01-01T00:00:00.250Z",
        "level": "error",
        "logger": "shop",
        "event": "it failed",
        "job_id": "j",
        "worker_id": "w",
    }


def test_text_lines_are_for_people() -> None:
    """Time, level, logger, message, facts; the traceback below."""
    first, second, *_ = TextLines().format(record(job_id="j")).splitlines()
    assert first == "1970-01-01T00:00:00.250Z error    shop: it failed job_id=j worker_id=w"
    assert second.startswith("Traceback")


def test_changes_are_those_of_sources(tmp_path: Path) -> None:
    """Edited, new and removed .py files count; virtual environments, hidden folders and other files do not."""
    for name in ("a.py", "sub/b.py", "venv/lib/c.py", ".git/d.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    changes = Changes(tmp_path)
    assert changes.look() == []
    for name in ("venv/lib/c.py", ".git/d.py", "notes.txt", "new.py"):
        (tmp_path / name).write_text("22")
    (tmp_path / "sub" / "b.py").unlink()
    os.utime(tmp_path / "a.py", ns=(1, 1))
    assert changes.look() == ["a.py", "new.py", "sub/b.py"]
    assert changes.look() == []
