"""Reports as one static page that a person enjoys reading: a matrix of areas and targets, every failure in full.

No script and no request to anywhere: the page can be mailed. A red cell links to its failures.
"""

from __future__ import annotations

import json
from html import escape
from importlib import resources

from rochallor_conformance.report.records import FAILED, KNOWN, NOT_IMPLEMENTED, PASSED, SKIPPED, Json, Report, counts
from rochallor_conformance.report.table import JUDGED, Column, areas, columns, share

TONES = ((FAILED, "bad"), (KNOWN, "known"), (NOT_IMPLEMENTED, "absent"), (PASSED, "good"), (SKIPPED, "none"))
"""The tone of a cell: that of the first status it has."""

BARS = ((PASSED, "good"), (KNOWN, "known"), (NOT_IMPLEMENTED, "absent"), (FAILED, "bad"))


def html(reports: list[Report]) -> str:
    """Return the page."""
    found = columns(reports)
    parts = [_summary(reports, found), _matrix(reports, found), _failures(found), _others(found)]
    style = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Rochallor conformance</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _summary(reports: list[Report], found: list[Column]) -> str:
    total = counts(result for column in found for result in column.results)
    words = ", ".join(f"{count} {escape(status.replace('_', ' '))}" for status, count in total.items())
    header = reports[0].header
    verdict = "not conformant" if total.get(FAILED) else "conformant"
    tone = "bad" if total.get(FAILED) else "good"
    return (
        f'<header><p class="eyebrow">Rochallor contract · revision {escape(header["revision"])}</p>'
        f'<h1 class="{tone}">{verdict}</h1><p>{words}. {escape(header["started"])}, '
        f"rochallor-conformance {escape(header['harness'])}.</p></header>"
    )


def _matrix(reports: list[Report], found: list[Column]) -> str:
    heads = "".join(
        f'<th scope="col">{escape(column.target)}<small>{escape(column.transport)}</small></th>' for column in found
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(area)}</th>{"".join(_cell(column, area) for column in found)}</tr>'
        for area in areas(reports)
    )
    totals = "".join(f"<td>{share(counts(column.results))}</td>" for column in found)
    return (
        f'<div class="scroll"><table><thead><tr><th></th>{heads}</tr></thead><tbody>{rows}</tbody>'
        f'<tfoot><tr><th scope="row">all</th>{totals}</tr></tfoot></table></div>'
        '<p class="legend"><i class="good"></i>passed<i class="known"></i>known failure<i class="absent"></i>'
        'not implemented<i class="bad"></i>failed</p>'
    )


def _cell(column: Column, area: str) -> str:
    found = column.of(area)
    judged = sum(found.get(status, 0) for status in JUDGED)
    if not judged:
        return f'<td class="none"><span title="{found.get(SKIPPED, 0)} skipped">·</span></td>'
    tone = next(tone for status, tone in TONES if found.get(status))
    bar = "".join(
        f'<i class="{tone}" style="width:{100 * found[status] / judged:.1f}%"></i>'
        for status, tone in BARS
        if found.get(status)
    )
    words = escape(", ".join(f"{count} {status.replace('_', ' ')}" for status, count in found.items()))
    text = share(found)
    if found.get(FAILED):
        text = f'<a href="#{_anchor(column, area)}">{text}</a>'
    return f'<td class="{tone}" title="{words}">{text}<span class="bar">{bar}</span></td>'


def _failures(found: list[Column]) -> str:
    parts = []
    for column in found:
        anchored = set[str]()
        for result in column.results:
            if result["status"] in (FAILED, KNOWN):
                first = result["status"] == FAILED and result["area"] not in anchored
                anchored |= {result["area"]} if first else set()
                anchor = f' id="{_anchor(column, result["area"])}"' if first else ""
                parts.append(_failure(column, result, anchor))
    return f"<h2>Failures</h2>{''.join(parts)}" if parts else ""


def _failure(column: Column, result: Json, anchor: str) -> str:
    failure = result["failure"]
    asked = "".join(f"<li>{escape(sentence)}</li>" for sentence in failure["requirements"])
    messages = "\n".join(escape(line) for line in failure["exchanges"])
    sides = "".join(
        f"<div><h4>{side}</h4><pre>{escape(json.dumps(failure.get(side), ensure_ascii=False, indent=1))}</pre></div>"
        for side in ("expected", "actual")
    )
    known = f'<p class="note">Known: {escape(result["reason"])}</p>' if result["status"] == KNOWN else ""
    return (
        f'<details class="{"known" if known else "bad"}"{anchor}><summary><b>{escape(result["case"])}</b> '
        f"<span>{escape(column.title)}</span><br>{escape(result['title'])}</summary>{known}<ul>{asked}</ul>"
        f"<p><b>{escape(failure['where'])}</b> {escape(failure['message'])}</p><div class='sides'>{sides}</div>"
        f"<h4>last messages</h4><pre>{messages}</pre><h4>by hand</h4><pre>{escape(failure['command'])}</pre>"
        f"<h4>again</h4><pre>{escape(failure['repro'])}</pre></details>"
    )


def _others(found: list[Column]) -> str:
    rows = []
    for column in found:
        reasons: dict[tuple[str, str], int] = {}
        for result in column.results:
            if result["status"] in (SKIPPED, NOT_IMPLEMENTED):
                key = (result["status"].replace("_", " "), result.get("reason", ""))
                reasons[key] = reasons.get(key, 0) + 1
        rows += [
            f"<tr><td>{escape(column.title)}</td><td>{count} {escape(status)}</td><td>{escape(reason)}</td></tr>"
            for (status, reason), count in reasons.items()
        ]
    return f"<h2>Not judged</h2><table class='plain'><tbody>{''.join(rows)}</tbody></table>" if rows else ""


def _anchor(column: Column, area: str) -> str:
    text = f"{column.target}-{column.transport}-{area}"
    return "".join(character if character.isalnum() else "-" for character in text)
