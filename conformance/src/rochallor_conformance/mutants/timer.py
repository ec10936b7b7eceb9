"""Defects of boundary timers."""

from __future__ import annotations

from typing import Final

from rochallor_conformance.mutants.job import REMEMBERS_CLOSED
from rochallor_conformance.mutants.patch import Edit, Patch

LIFECYCLE: Final = "core.lifecycle"

PATCHES: Final[dict[str, Patch]] = {
    "timer-never-fires": (
        Edit(
            "stores.memory.store",
            "timers=tuple(place for due_ms, place in timers if due_ms <= now_ms)[:limit]",
            "timers=()",
        ),
    ),
    "timer-too-early": (
        Edit(
            "core.steps.timers",
            "due_ms=timer.duration.after(run.now_ms)",
            "due_ms=timer.duration.after(run.now_ms) - 5_000",
        ),
    ),
    "timer-too-early+months-of-thirty-days": (
        Edit(
            "core.durations",
            "at_ms = _add_months(day, self.months) * _DAY_MS + time_ms",
            "at_ms += self.months * 30 * _DAY_MS",
        ),
    ),
    "timer-fires-twice": (
        Edit(
            "core.apply",
            "step.timers = tuple(timer for timer in step.timers if timer.index != event.index)",
            "pass",
        ),
        Edit("stores.projections", "batch.timers_gone[(*place, event.index)] = None", "pass"),
    ),
    "timer-fires-twice+only-the-first": (
        Edit("core.steps.timers", "enumerate(step.boundary_timers)", "enumerate(step.boundary_timers[:1])"),
    ),
    "timer-fires-after-completion": (
        *REMEMBERS_CLOSED,
        Edit("stores.projections", "if event.timers and batch", "if False and batch"),
        Edit(
            LIFECYCLE,
            "    step = run.instance.open.get(command.seq)\n",
            "    from rochallor.core.apply import CLOSED\n"
            "    closed = CLOSED.get((run.instance.id, command.seq))\n"
            "    steps = run.instance.open\n"
            "    step = steps.setdefault(command.seq, closed) if closed else steps.get(command.seq)\n",
        ),
    ),
    "every-timer-interrupts": (Edit(LIFECYCLE, "    if timer.interrupting:\n", "    if True:\n"),),
}
