"""A job is held by one worker at a time, and nobody gets a job of an instance that has ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rochallor_conformance.oracles.scene import TERMINAL, Json, Scene
from rochallor_conformance.transports.exchange import Exchange

REPORTS = ("completeJob", "failJob", "reportJobs", "retryStep")
SLACK_MS = 50
"""A lease may be said to end a little after it did: two clocks, whole milliseconds."""


def leases(scene: Scene) -> Iterator[str]:
    """Yield a sentence for each job that should not have been handed out."""
    seen: dict[str, Exchange] = {}
    held: dict[str, tuple[Exchange, Json]] = {}
    for exchange, job in scene.handed_out():
        if job["id"] in seen:
            yield f"job {job['id']} was handed out twice; every delivery has an id of its own"
        seen[job["id"]] = exchange
        step: str = job.get("stepExecutionId") or job["id"]
        if step in held and _is_live(*held[step], exchange, job, scene):
            yield f"step execution {step} was handed out again while {held[step][1]['id']} was held"
        held[step] = (exchange, job)
        if _had_ended(job["instanceId"], exchange, scene):
            yield f"job {job['id']} was handed out although its instance had ended"


def _is_live(first: Exchange, old: Json, second: Exchange, new: Json, scene: Scene) -> bool:
    """Whether the old lease still ran when the new one began, as the engine's own times say, and nobody reported."""
    if any(first.answered <= each.sent <= second.answered for each in scene.exchanges if each.operation in REPORTS):
        return False
    if "lockedAt" not in new:
        return False
    return (_moment(old["lockExpiresAt"]) - _moment(new["lockedAt"])) * 1000 > SLACK_MS


def _had_ended(instance: str, polled: Exchange, scene: Scene) -> bool:
    sights = [
        (exchange.answered, body["status"])
        for exchange, body in scene.seen_instances()
        if body["id"] == instance and exchange.answered <= polled.sent
    ]
    return (
        bool(sights)
        and sights[-1][1] in TERMINAL
        and not any(
            exchange.operation == "retryStep" and exchange.sent >= sights[-1][0] for exchange in scene.exchanges
        )
    )


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
