"""What every drawing counts: plays by area and by column, a column being one target over one transport."""

from __future__ import annotations

from typing import NamedTuple

from rochallor_conformance.report.records import FAILED, KNOWN, NOT_IMPLEMENTED, PASSED, SKIPPED, Json, Report, counts

JUDGED = (PASSED, FAILED, KNOWN, NOT_IMPLEMENTED)


class Column(NamedTuple):
    """One target over one transport, and its results."""

    target: str
    transport: str
    results: list[Json]

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.target} · {self.transport}"

    def of(self, area: str) -> dict[str, int]:
        """Return how many plays of an area have which status."""
        return counts(result for result in self.results if result["area"] == area)


def columns(reports: list[Report]) -> list[Column]:
    """Return the columns in the order of the reports."""
    return [
        Column(report.header["target"], transport, [each for each in report.results if each["transport"] == transport])
        for report in reports
        for transport in report.header["transports"]
    ]


def areas(reports: list[Report]) -> list[str]:
    """Return every area that occurs, in the order of the corpus."""
    return list(dict.fromkeys(result["area"] for report in reports for result in report.results))


def share(found: dict[str, int]) -> str:
    """Return how many of those that were judged pass: `12/13`, "" when none was."""
    judged = sum(found.get(status, 0) for status in JUDGED)
    return f"{found.get(PASSED, 0)}/{judged}" if judged else ""


__all__ = ["SKIPPED", "Column", "areas", "columns", "share"]
