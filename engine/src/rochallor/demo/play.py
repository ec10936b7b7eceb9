"""Playing one journey: start it, be the people in it, follow its chain, and look up where it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from rochallor.demo.callers import Caller, Entry
from rochallor.demo.journeys import APPLICATION, Journey

PATIENCE_S = 12.0
LOOK_AGAIN_S = 0.02
FINAL = ("COMPLETED", "FAILED", "CANCELLED")


class Result(NamedTuple):
    """What came of a journey, read back from the two histories. `trouble` is empty when all is as it must be."""

    journey: Journey
    end: str
    child_id: str
    child_end: str
    jobs: int
    ms: int
    trouble: str = ""


async def play(journey: Journey, caller: Caller, version: int, key: str, timer: Callable[[], float]) -> Result:
    """Play a journey on a version of the application; never raises for what the engine does."""
    began = timer()
    try:
        async with asyncio.timeout(PATIENCE_S):
            result = await _played(journey, caller, version, key)
    except TimeoutError:
        result = Result(journey, "", "", "", 0, 0, f"it did not end within {PATIENCE_S:.0f} s")
    return result._replace(ms=round((timer() - began) * 1000))


async def _played(journey: Journey, caller: Caller, version: int, key: str) -> Result:
    started = await caller.start(APPLICATION, version, journey.variables, key)
    await _finish(journey, caller, started.id)
    child_id = await _child(caller, started.id)
    await _finish(journey, caller, child_id)
    histories = [await caller.history(instance_id) for instance_id in (started.id, child_id)]
    end, child_end = map(end_of, histories)
    jobs = sum(entry.step_type == "SERVICE_TASK" for history in histories for entry in history)
    return Result(journey, end, child_id, child_end, jobs, 0, _trouble(journey, end, child_end, jobs))


async def _finish(journey: Journey, caller: Caller, instance_id: str) -> None:
    """Answer what people are asked until the instance has ended."""
    while True:
        seen = await caller.wait(instance_id, ("WAITING", *FINAL))
        asked = [step_id for step_id in seen.current_step_ids if step_id in journey.answers]
        for step_id in asked:
            await caller.complete_task(instance_id, step_id, journey.answers[step_id])
        while not asked and seen.status not in FINAL:
            seen = await caller.wait(instance_id, FINAL)
        if seen.status in FINAL:
            return


async def _child(caller: Caller, parent_id: str) -> str:
    # The contract has no call that waits for a child.
    while not (child_id := (await caller.instance(parent_id)).child_id):  # noqa: ASYNC110
        await asyncio.sleep(LOOK_AGAIN_S)
    return child_id


def end_of(history: list[Entry]) -> str:
    """Return the END step that an instance reached, or nothing."""
    return next((entry.step_id for entry in history if entry.step_type == "END" and entry.status == "COMPLETED"), "")


def _trouble(journey: Journey, end: str, child_end: str, jobs: int) -> str:
    wanted = {"END": (journey.end, end), "child's END": (journey.child_end, child_end), "jobs": (journey.jobs, jobs)}
    return "; ".join(
        f"{what}: {got or 'none'} instead of {want}" for what, (want, got) in wanted.items() if want != got
    )
