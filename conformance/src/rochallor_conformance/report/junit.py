"""A report as JUnit XML: a suite per target and transport, for CI systems that draw it."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from rochallor_conformance.report.records import BROKEN, FAILED, KNOWN, NOT_IMPLEMENTED, SKIPPED, Json, Report

UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def junit(reports: list[Report]) -> str:
    """Return the XML."""
    root = ET.Element("testsuites")
    for report in reports:
        for transport in report.header["transports"]:
            _suite(root, report, transport)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: ET.Element, report: Report, transport: str) -> None:
    results = [result for result in report.results if result["transport"] == transport]
    statuses = [result["status"] for result in results]
    suite = ET.SubElement(root, "testsuite", {
        "name": f"{report.header['target']} over {transport}",
        "tests": str(len(results)),
        "failures": str(statuses.count(FAILED)),
        "errors": str(statuses.count(BROKEN)),
        "skipped": str(sum(status in (SKIPPED, KNOWN, NOT_IMPLEMENTED) for status in statuses)),
        "time": f"{sum(result['ms'] for result in results) / 1000:.3f}",
        "timestamp": report.header["started"],
    })  # fmt: skip
    for result in results:
        _case(suite, result)


def _case(suite: ET.Element, result: Json) -> None:
    facts = {"name": result["case"], "classname": f"conformance.{result['area']}", "time": f"{result['ms'] / 1000:.3f}"}
    case = ET.SubElement(suite, "testcase", facts)
    reason = _clean(result.get("reason", ""))
    if result["status"] == FAILED:
        failure = result["failure"]
        ET.SubElement(case, "failure", {"message": _clean(failure["message"])}).text = _clean(_story(failure))
    elif result["status"] == BROKEN:
        ET.SubElement(case, "error", {"message": reason})
    elif result["status"] in (SKIPPED, KNOWN, NOT_IMPLEMENTED):
        ET.SubElement(case, "skipped", {"message": f"{result['status'].replace('_', ' ')}: {reason}"})


def _story(failure: Json) -> str:
    parts = [
        *failure["requirements"],
        f"at {failure['where']}",
        *failure["exchanges"],
        failure["command"],
        failure["repro"],
    ]
    return "\n".join(parts)


def _clean(text: str) -> str:
    return UNSPEAKABLE.sub("�", text)
