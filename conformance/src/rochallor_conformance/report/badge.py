"""A report as a badge: how many of the judged plays pass."""

from __future__ import annotations

from html import escape

from rochallor_conformance.report.records import FAILED, Report, counts
from rochallor_conformance.report.table import share

LABEL = "conformance"
GREEN, RED = "#2e7d4f", "#b3372f"
CHARACTER, PADDING = 7, 10


def badge(reports: list[Report]) -> str:
    """Return the SVG."""
    found = counts(result for report in reports for result in report.results)
    text = f"{reports[0].header['revision']} · {share(found)}"
    left, right = (len(words) * CHARACTER + PADDING for words in (LABEL, text))
    color = RED if found.get(FAILED) else GREEN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{LABEL}: {escape(text)}"><rect width="{left + right}" height="20" rx="3" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" rx="3" fill="{color}"/>'
        f'<g fill="#fff" font-family="Verdana,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2}" y="14">{LABEL}</text><text x="{left + right / 2}" y="14">{escape(text)}</text></g>'
        "</svg>\n"
    )
