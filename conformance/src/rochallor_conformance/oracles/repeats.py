"""A job that was completed may be reported again: that succeeds, and changes nothing.

The answer to a completion may get lost, so a worker has to be able to say it twice; an engine that refuses the second
time, or counts it, breaks every worker that retries.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from rochallor_conformance.contract.operations import operations
from rochallor_conformance.oracles.scene import Json, Scene
from rochallor_conformance.transports.exchange import Exchange

REPORTS = ("completeJob", "failJob")
ABOUT_THE_REQUEST = (400, 401, 403, 413, 415, "INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED",
                     "RESOURCE_EXHAUSTED")  # fmt: skip
"""Refusals that come before anybody looks at the job."""


def repeats(scene: Scene) -> Iterator[str]:
    """Yield a sentence for each report about a completed job that was refused, or that changed something."""
    completed: dict[str, int] = {}
    owners = {job["id"]: job["instanceId"] for _, job in scene.handed_out()}
    reports = [exchange for exchange in scene.exchanges if exchange.operation in REPORTS and exchange.answered]
    for exchange in sorted(reports, key=lambda each: each.sent):
        job = _job(exchange)
        if job in completed and completed[job] <= exchange.sent:
            if not exchange.is_ok and exchange.status not in ABOUT_THE_REQUEST:
                yield f"{exchange.target} was answered {exchange.status}, and job {job} had been completed before"
            elif exchange.is_ok and job in owners:
                yield from _changed(exchange, owners[job], scene)
        elif exchange.is_ok and exchange.operation == "completeJob":
            completed[job] = exchange.answered


def _job(exchange: Exchange) -> str:
    named = exchange.request.get("id") if isinstance(exchange.request, dict) else None
    return str(named) if named else unquote(exchange.target.rpartition("/")[0].rpartition("/")[2])


def _changed(report: Exchange, instance: str, scene: Scene) -> Iterator[str]:
    """Compare the sights of an instance on both sides of a report, where nothing else was asked for meanwhile."""
    sights = [(exchange, body) for exchange, body in scene.seen_instances() if body["id"] == instance]
    before = [sight for sight in sights if sight[0].answered <= report.sent]
    after = [sight for sight in sights if sight[0].sent >= report.answered]
    if not before or not after:
        return
    (first, old), (second, new) = before[-1], after[0]
    meanwhile = (each for each in scene.exchanges if each.answered > first.answered and each.sent < second.sent)
    if any(each is not report and _writes(each) for each in meanwhile) or _place(old) != _place(new):
        return
    if old["variables"] != new["variables"]:
        yield f"{report.target} came a second time, and changed the variables of {instance}"


def _place(instance: Json) -> Json:
    return {name: instance[name] for name in ("status", "currentStepIds")}


def _writes(exchange: Exchange) -> bool:
    if exchange.operation in ("", "pollJobs"):
        return exchange.operation == ""
    return operations()[exchange.operation].method != "GET"
