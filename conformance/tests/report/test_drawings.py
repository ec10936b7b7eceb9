"""What is drawn from a report."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console
from rochallor_conformance.report.badge import badge
from rochallor_conformance.report.html import html
from rochallor_conformance.report.junit import junit
from rochallor_conformance.report.markdown import markdown
from rochallor_conformance.report.merge import text_of
from rochallor_conformance.report.records import Report, read_report
from rochallor_conformance.report.terminal import show_failure

FAILURE = {
    "where": "then[0]", "message": "body /x: expected 1, got <2>", "expected": 1, "actual": "<2>",
    "requirements": ["ENG-JOB-001: Something."], "exchanges": ["1. GET / → 200"], "command": "curl x", "repro": "again",
}  # fmt: skip


@pytest.fixture
def report(result) -> Report:
    results = [
        result("job-a"),
        result("job-b", "failed", failure=FAILURE),
        result("job-c", "skipped", reason="needs tokens"),
        result("job-d", "not_implemented", reason="base only", area="worker"),
    ]
    header = {
        "type": "header", "revision": "2026-11", "target": "sqlite", "transports": ["rest"], "harness": "0",
        "started": "2026-11-20T09:00:00Z", "planned": 4,
    }  # fmt: skip
    return Report(header, results, {"type": "footer", "counts": {}, "finished": 4, "exit": 1})


def test_junit_has_every_play(report: Report) -> None:
    """A CI system finds the failure with its story, and what was skipped with its reason."""
    [suite] = ET.fromstring(junit([report]))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "2")
    assert "curl x" in (suite.findtext("testcase[@name='job-b']/failure") or "")


HOSTILE = "half \ud800, next\u0085line, separator\u2028, bell\x07"


def test_a_report_is_read_whatever_characters_a_target_says(tmp_path: Path, report: Report) -> None:
    """What ends a line for some readers ends none here, half a character is replaced; drawings can be written."""
    failed = {**report.results[1], "failure": {**FAILURE, "message": HOSTILE}}
    whole = Report(report.header, [failed], {**report.footer, "finished": 1})
    path = tmp_path / "report.ndjson"
    path.write_text(text_of(whole._replace(header={**report.header, "planned": 1})), encoding="utf-8")
    again = read_report(path)
    assert again.failures[0]["failure"]["message"] == HOSTILE.replace("\ud800", "\ufffd")
    for draw in (junit, html, markdown):
        assert draw([again]).encode()


def test_a_terminal_is_not_commanded(report: Report) -> None:
    """A failure is printed whatever is in its message, without control characters."""
    console = Console(file=StringIO(), width=200)
    show_failure(console, {**report.results[1], "failure": {**FAILURE, "message": HOSTILE}})
    assert "half \ufffd, next\ufffdline, separator\u2028, bell\ufffd" in console.file.getvalue()


def test_markdown_has_the_table_and_the_failure(report: Report) -> None:
    """A pull request shows counts by area and what failed."""
    text = markdown([report])
    assert "| job | 1/2 |" in text
    assert "**job-b** over rest on sqlite" in text


def test_html_is_one_page_with_the_failure_in_full(report: Report) -> None:
    """The page needs nothing from anywhere, escapes what engines say, and leads from a cell to its failure."""
    page = html([report])
    assert "&lt;2&gt;" in page
    assert "<2>" not in page
    assert 'href="#sqlite-rest-job"' in page
    assert 'id="sqlite-rest-job"' in page
    assert "http://" not in page
    assert "<script" not in page


def test_badge_counts_what_was_judged(report: Report) -> None:
    """What was skipped is in no count; what is not implemented stays in the denominator."""
    assert "2026-11 · 1/3" in badge([report])
