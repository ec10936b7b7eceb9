"""An instance moves as its life allows, and what is said about it agrees with itself."""

from __future__ import annotations

from collections.abc import Iterator

from rochallor_conformance.oracles.scene import TERMINAL, Json, Scene


def lifecycle(scene: Scene) -> Iterator[str]:
    """Yield a sentence for each sight of an instance that contradicts itself or an earlier one."""
    last: dict[str, tuple[int, Json]] = {}
    retried = [exchange.sent for exchange in scene.exchanges if exchange.operation == "retryStep"]
    for exchange, instance in scene.seen_instances():
        yield from _agrees(instance)
        seen, before = last.get(instance["id"], (0, {}))
        if before and seen <= exchange.sent:
            yield from _moved(before, instance, retried=any(sent >= seen for sent in retried))
        last[instance["id"]] = (exchange.answered, instance)


def _agrees(instance: Json) -> Iterator[str]:
    status, name = instance.get("status"), instance["id"]
    is_terminal = status in TERMINAL
    if is_terminal and instance["currentStepIds"]:
        yield f"{name} is {status} and still at {instance['currentStepIds']}"
    if is_terminal != ("completedAt" in instance):
        yield f"{name} is {status} and {'lacks' if is_terminal else 'has'} completedAt"
    if (status in ("FAILED", "CANCELLED")) != bool(instance.get("failureReason")):
        yield f"{name} is {status} and {'has' if instance.get('failureReason') else 'lacks'} a failureReason"
    if not is_terminal and not instance["currentStepIds"]:
        yield f"{name} is {status} and nowhere"


def _moved(before: Json, now: Json, *, retried: bool) -> Iterator[str]:
    name = now["id"]
    if before.get("revision", 0) > now.get("revision", before.get("revision", 0)):
        yield f"{name} went from revision {before['revision']} back to {now['revision']}"
    if before["definitionVersion"] != now["definitionVersion"] or before["definitionId"] != now["definitionId"]:
        yield f"{name} changed its definition, which is for life"
    if before["status"] in TERMINAL and now["status"] != before["status"] and not retried:
        yield f"{name} was {before['status']} and became {now['status']} although nobody retried it"
