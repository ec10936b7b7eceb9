"""Defects of routes, parallel branches and joins."""

from __future__ import annotations

from typing import Final

from rochallor_conformance.mutants.patch import Edit, Patch

TOKENS: Final = "core.tokens"
FULL: Final = "if activation.arrived < activation.expected:"

PATCHES: Final[dict[str, Patch]] = {
    "gateway-one-branch": (Edit(TOKENS, "for target in branches:", "for target in branches[:1]:"),),
    "join-fires-early": (
        Edit(
            TOKENS,
            FULL,
            "passed = sum(run.instance.visits.values()) - len(run.instance.open)\n"
            "    if passed < activation.expected and activation.arrived < activation.expected:",
        ),
    ),
    "join-counts-rows": (
        Edit(
            TOKENS,
            FULL,
            "before = [step.id for step in run.definition.steps if step.next_step == activation.join]\n"
            "    if sum(run.instance.visits.get(name, 0) for name in before) < len(before):",
        ),
    ),
    "join-fires-twice": (
        Edit(TOKENS, "if activation.arrived == 1:", "if activation.arrived:"),
        Edit(
            TOKENS,
            "    run.close(waiting)\n",
            "    for each in [step for step in run.instance.open.values() if step.waits_for == activation.id]:\n"
            "        run.close(each)\n",
        ),
    ),
    "join-hangs-automatic": (
        Edit(
            TOKENS,
            FULL,
            "if any(isinstance(event, ev.GatewayFired) for event in run.events):\n        return\n    " + FULL,
        ),
        Edit("core.run", "if step.step_type is not StepType.JOIN_GATEWAY:", "if True:"),
    ),
    "starved-join-hangs": (Edit("core.run", "if step.step_type is not StepType.JOIN_GATEWAY:", "if True:"),),
    "decisions-out-of-order": (
        Edit("core.routing", "for condition in step.conditions:", "for condition in reversed(step.conditions):"),
    ),
    "decisions-out-of-order+stored": (
        Edit(
            "core.definition.render",
            "    fields = _decode_top(definition.source)",
            "    sorted_ = msgspec.json.encode(msgspec.json.decode(definition.source), order='sorted')\n"
            "    fields = _decode_top(sorted_)",
        ),
    ),
    "no-branch-hangs": (
        Edit("core.steps.decision", "if chosen is None:", "if chosen is None:\n        return\n    if False:"),
        Edit(
            "shell.waiting",
            "    StepType.WAIT: _signal,\n",
            "    StepType.WAIT: _signal,\n    StepType.DECISION: _signal,\n",
        ),
    ),
    "step-conditions-ignored": (Edit("core.routing", "if step.conditions:", "if False:"),),
}
