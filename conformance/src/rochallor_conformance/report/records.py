"""The lines of a report, written and read. Without its footer it is no report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from rochallor_conformance.report.characters import whole

Json = dict[str, Any]
PASSED, FAILED, KNOWN = "passed", "failed", "known"
NOT_IMPLEMENTED, SKIPPED, BROKEN = "not_implemented", "skipped", "broken"
STATUSES = (PASSED, FAILED, KNOWN, NOT_IMPLEMENTED, SKIPPED, BROKEN)


class BadReport(Exception):
    """A file is no report; it may be cut off, or something else altogether."""


class Report(NamedTuple):
    """A whole report."""

    header: Json
    results: list[Json]
    footer: Json

    @property
    def failures(self) -> list[Json]:
        """The results that failed and were not known to."""
        return [result for result in self.results if result["status"] == FAILED]


class Writer:
    """Writes a report line by line, each at once, so that a killed run leaves what it had."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, kind: str, fields: Json) -> None:
        """Write one line."""
        self._stream.write(line_of({"type": kind, **fields}))
        self._stream.flush()


def line_of(fields: Json) -> str:
    """Return a line of a report. It is ASCII, because some characters end a line for one reader and not for another."""
    return json.dumps(fields, default=repr) + "\n"


def counts(results: Iterable[Json]) -> dict[str, int]:
    """Return how many results have each status, those that none has left out."""
    found = Counter(result["status"] for result in results)
    return {status: found[status] for status in STATUSES if found[status]}


def read_report(path: Path) -> Report:
    """Read a report.

    Raises:
        BadReport: it lacks its header or footer, or has another number of results than it says.

    """
    texts = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    lines = [_line(path, number, text) for number, text in enumerate(texts, 1)] if texts != [""] else []
    if not lines or lines[0].get("type") != "header":
        raise BadReport(f"{path} does not begin with a header; is it a report of rochallor-conformance run --report?")
    if lines[-1].get("type") != "footer":
        raise BadReport(f"{path} has no footer: the run was interrupted or killed; run it again")
    if lines[0].get("target") == "mutants":
        raise BadReport(f"{path} is a report of `mutate`; nothing is drawn from it, read its lines")
    results = [line for line in lines if line.get("type") == "result"]
    if not len(results) == lines[0]["planned"] == lines[-1]["finished"]:
        raise BadReport(f"{path} plans {lines[0]['planned']}, has {len(results)} results: it is incomplete")
    return Report(lines[0], results, lines[-1])


def _line(path: Path, number: int, text: str) -> Json:
    try:
        line: Json = whole(json.loads(text))
    except ValueError:
        raise BadReport(f"{path}:{number} is no JSON; was the run killed while it wrote?") from None
    return line
