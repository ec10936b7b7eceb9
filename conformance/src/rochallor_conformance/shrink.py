"""Makes a failing case smaller: leaves out acts and looks while it still fails with the same words.

One pass from the end to the beginning, repeated until nothing more can go. What is bound by a step that went makes the
case fail differently, so such a step stays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from rochallor_conformance.planning import Planned
from rochallor_conformance.report.records import FAILED

Json = dict[str, Any]
Attempt = Callable[[Planned], Awaitable[Json]]


async def shrink(planned: Planned, failed: Json, attempt: Attempt) -> Planned:
    """Return the smallest play found that fails as `failed` did."""
    smallest, again = planned, True
    while again:
        again = False
        for part, index in _droppable(smallest):
            trial = _without(smallest, part, index)
            if _is_same(await attempt(trial), failed):
                smallest, again = trial, True
                break
    return smallest


def _droppable(planned: Planned) -> list[tuple[str, int]]:
    looks = [("then", index) for index in range(len(planned.case.then))] if len(planned.case.then) > 1 else []
    return [*reversed(looks), *reversed([("when", index) for index in range(len(planned.case.when))])]


def _without(planned: Planned, part: str, index: int) -> Planned:
    steps = getattr(planned.case, part)
    case = msgspec.structs.replace(planned.case, **{part: steps[:index] + steps[index + 1 :]})
    return planned._replace(case=case)


def _is_same(result: Json, failed: Json) -> bool:
    if result["status"] != FAILED:
        return False
    return _kind(result["failure"]) == _kind(failed["failure"])


def _kind(failure: Json) -> tuple[str, Any, Any]:
    """What stays the same of a failure when ids and places change."""
    words = failure["message"].split(", got ")[0].split(": ")[0]
    return failure["where"].split("[")[0], words, failure.get("expected")
