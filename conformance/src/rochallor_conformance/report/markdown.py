"""A report as Markdown, for a pull request: the table, then each failure in two lines."""

from __future__ import annotations

from rochallor_conformance.report.records import Report, counts
from rochallor_conformance.report.table import areas, columns, share


def markdown(reports: list[Report]) -> str:
    """Return the Markdown."""
    found = columns(reports)
    lines = ["| area | " + " | ".join(column.title for column in found) + " |", "|---" * (len(found) + 1) + "|"]
    lines += [f"| {area} | " + " | ".join(share(column.of(area)) for column in found) + " |" for area in areas(reports)]
    totals = [share(counts(column.results)) for column in found]
    lines.append("| **all** | " + " | ".join(f"**{total}**" for total in totals) + " |")
    for report in reports:
        for result in report.failures:
            where = f"over {result['transport']} on {report.header['target']}"
            message = result["failure"]["message"].replace("`", "'")[:300]
            lines += ["", f"**{result['case']}** {where}: {result['title']}", f"`{message}`"]
    return "\n".join(lines) + "\n"
