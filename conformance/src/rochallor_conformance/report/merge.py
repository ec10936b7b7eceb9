"""The shards of one run as one report again."""

from __future__ import annotations

from rochallor_conformance.report.records import BadReport, Json, Report, counts, line_of

SAME = ("format", "harness", "revision", "target", "transports", "seed")
WORST_FIRST = (130, 3, 1, 2, 0)


def merge(reports: list[Report]) -> Report:
    """Return one report; its results are in the order the plan had.

    Raises:
        BadReport: they are not the shards of one run, or one is missing or doubled.

    """
    first = reports[0].header
    for report in reports:
        differing = [name for name in SAME if report.header[name] != first[name]]
        if differing:
            raise BadReport(f"these reports differ in {', '.join(differing)}; only shards of one run can be merged")
    by_shard = {report.header["shard"]: report for report in reports}
    count = int(first["shard"].split("/")[1])
    missing = [f"{index}/{count}" for index in range(1, count + 1) if f"{index}/{count}" not in by_shard]
    if missing or len(by_shard) != len(reports):
        raise BadReport(f"shards {', '.join(missing)} are missing" if missing else "a shard is there twice")
    results = _interleaved([by_shard[f"{index}/{count}"].results for index in range(1, count + 1)])
    header = {**first, "shard": "1/1", "planned": len(results)}
    return Report(header, results, _footer(reports, results))


def text_of(report: Report) -> str:
    """Return a report as it stands in a file."""
    lines = [report.header, *report.results, report.footer]
    return "".join(map(line_of, lines))


def _interleaved(parts: list[list[Json]]) -> list[Json]:
    longest = max(map(len, parts))
    return [part[index] for index in range(longest) for part in parts if index < len(part)]


def _footer(reports: list[Report], results: list[Json]) -> Json:
    exits = {report.footer["exit"] for report in reports}
    return {
        "type": "footer",
        "counts": counts(results),
        "finished": len(results),
        "exit": next(code for code in WORST_FIRST if code in exits),
        "bookkeeping": [sentence for report in reports for sentence in report.footer.get("bookkeeping", [])],
        "ms": max(report.footer["ms"] for report in reports),
    }
