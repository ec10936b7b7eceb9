"""Compares what a journey left behind with what its table says. Pure: instances and histories in, sentences out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from e2e.journeys.journey import Journey, Json, Outcome

MISSING = object()


class Traces(NamedTuple):
    """What is there afterwards: the instance and its child, their histories, and what workers did.

    `born` counts all instances under the journey's business key, `calls` how often a handler was called.
    """

    instances: Sequence[Json]
    histories: Sequence[Sequence[Json]]
    born: int
    effects: Counter[str]
    calls: int


def problems_of(journey: Journey, traces: Traces, *, exact_calls: bool) -> list[str]:
    """Return what is otherwise than it should be. `exact_calls`: nothing was killed, so no job came again."""
    outcomes = [journey.outcome, *([journey.child] if journey.child else [])]
    problems = []
    for outcome, instance, history in zip(outcomes, traces.instances, traces.histories, strict=True):
        problems += [f"{instance['definitionId']} {sentence}" for sentence in _differences(outcome, instance, history)]
    if traces.born != len(outcomes):
        problems.append(f"{traces.born} instances carry its business key, not {len(outcomes)}")
    if traces.effects != Counter(journey.effects):
        problems.append(f"its workers did {dict(traces.effects)}, not {dict(journey.effects)}")
    if exact_calls and traces.calls != journey.calls:
        problems.append(f"its handlers were called {traces.calls} times, not {journey.calls}")
    return problems


def _differences(outcome: Outcome, instance: Json, history: Sequence[Json]) -> list[str]:
    found = []
    if instance["status"] != outcome.status:
        reason = instance.get("failureReason") or "without a reason"
        found.append(f"is {instance['status']}, not {outcome.status}: {reason}")
    ends = " and ".join(item["stepId"] for item in history if item["stepType"] == "END")
    if ends != outcome.end:
        found.append(f"reached {ends or 'no END'}, not {outcome.end or 'none'}")
    there, wanted = Counter(map(_mark, history)), Counter(outcome.history.split())
    if there != wanted:
        too_much, missing = (" ".join(counter.elements()) or "nothing" for counter in (there - wanted, wanted - there))
        found.append(f"has {too_much} too much in its history and lacks {missing}")
    variables = instance["variables"]
    for name, value in outcome.variables.items():
        is_there = variables.get(name, MISSING)
        if is_there is MISSING:
            found.append(f"has no variable {name}")
        elif value is not ... and (is_there != value or isinstance(is_there, bool) != isinstance(value, bool)):
            found.append(f"has {name} = {is_there!r}, not {value!r}")
    return found


def _mark(item: Json) -> str:
    return item["stepId"] if item["status"] == "COMPLETED" else f"{item['stepId']}/{item['status']}"
