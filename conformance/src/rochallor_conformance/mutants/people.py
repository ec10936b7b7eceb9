"""Defects of user tasks and signals."""

from __future__ import annotations

from typing import Final

from rochallor_conformance.mutants.patch import Edit, Patch

LIFECYCLE: Final = "core.lifecycle"
TASKS: Final = "transports.rest.tasks"

PATCHES: Final[dict[str, Patch]] = {
    "user-task-body-key": (Edit(TASKS, 'variables = variables_of(body.variables, "/variables")', "variables = None"),),
    "user-task-body-key+result": (Edit(TASKS, 'result = variables_of(body.result, "/result")', "result = None"),),
    "wrapped-signal-body": (
        Edit(
            TASKS,
            "await engine.signal_wait(*call.ids, variables=body or None,",
            "import msgspec\n"
            '    body = msgspec.json.decode(body or b"{}", type=dict[str, msgspec.Raw]).get("variables")\n'
            "    await engine.signal_wait(*call.ids, variables=body or None,",
        ),
    ),
    "wait-and-task-mixed-up": (
        Edit(LIFECYCLE, "if step.type is not wanted:", "if step.type not in (StepType.WAIT, StepType.USER_TASK):"),
    ),
    "repeated-task-conflict": (Edit(LIFECYCLE, 'if outcome != "completed":', "if outcome:"),),
    "repeated-signal-ok": (
        Edit(LIFECYCLE, 'raise Conflict(f"instance {run.instance.id} is not parked', 'return print(f"'),
    ),
    "terminal-instance-accepts": (
        Edit(
            LIFECYCLE,
            "    _check_in_flight(run.instance)\n    parked =",
            "    if run.instance.status.terminal:\n        return None\n    parked =",
        ),
    ),
    "terminal-instance-accepts+tasks": (
        Edit(
            LIFECYCLE,
            "    _check_in_flight(run.instance)\n    outcome =",
            "    if run.instance.status.terminal:\n        return\n    outcome =",
        ),
    ),
    "terminal-instance-accepts+interrupted": (Edit(LIFECYCLE, 'if outcome != "completed":', "if False:"),),
    "tasks-left-open": (
        Edit(
            "stores.projections",
            "if event.step_type is StepType.USER_TASK:",
            'if event.step_type is StepType.USER_TASK and event.outcome == "COMPLETED":',
        ),
    ),
    "task-list-unfiltered": (
        Edit(
            "stores.memory.reads",
            "for task in self._tables.tasks.values() if _matches(task, wanted)]",
            "for task in self._tables.tasks.values()]",
        ),
    ),
    "task-list-unfiltered+empty": (
        Edit(
            "stores.memory.reads",
            "for task in self._tables.tasks.values() if _matches(task, wanted)]",
            "for task in ()]",
        ),
    ),
    "user-task-body-key+needed": (
        Edit("transports.rest.bodies", "JsonBody(CompleteTaskBody, optional=True)", "JsonBody(CompleteTaskBody)"),
    ),
}
