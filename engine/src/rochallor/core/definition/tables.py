"""Rules about decision tables that can be told without data."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rochallor.core.definition.outline import RuleOutline, StepOutline
    from rochallor.core.definition.problems import Findings

HIT_POLICIES = ("U", "F", "A", "R", "C", "C+", "C#", "C>", "C<")
AGGREGATORS = "+#><"
SINGLE_HIT = ("U", "F")
FEW_CELLS = 6
"""Rules with more cells are compared with catch-alls, single cells and equals only: 2^6 look-ups are enough."""


def has_rules(step: StepOutline, findings: Findings) -> None:
    """DECISION_TABLE_HAS_RULES."""
    if step.table is None or not step.table.fields.get("rules"):
        message = f"{step.label} needs decisionTable.rules with at least one rule."
        findings.error("DECISION_TABLE_HAS_RULES", step.part.where("decisionTable"), message)


def hit_policy(step: StepOutline, findings: Findings) -> None:
    """DECISION_TABLE_AGGREGATOR_ON_NON_C and DECISION_TABLE_HIT_POLICY_UNKNOWN."""
    policy, at = step.part.text("hitPolicy"), step.part.where("hitPolicy")
    if not policy or policy in HIT_POLICIES:
        return
    if policy[0] in "UFAR" and len(policy) > 1 and policy[1] in AGGREGATORS:
        message = f"{policy[1]} gathers what several rules give, so it goes with C only. Write C{policy[1]}."
        findings.error("DECISION_TABLE_AGGREGATOR_ON_NON_C", at, message)
    else:
        message = f"{policy!r} is no hit policy. Use one of {' '.join(HIT_POLICIES)}."
        findings.error("DECISION_TABLE_HIT_POLICY_UNKNOWN", at, message)


def legacy_fields(step: StepOutline, findings: Findings) -> None:
    """DECISION_TABLE_LEGACY_THEN and DECISION_TABLE_LEGACY_DEFAULT_NEXT_STEP."""
    if step.table and step.table.fields.get("defaultNextStep"):
        message = "Tables no longer route. Set an output in a last rule without `when`, and go on in nextStep."
        at = step.table.where("defaultNextStep")
        findings.error("DECISION_TABLE_LEGACY_DEFAULT_NEXT_STEP", at, message)
    for rule in step.rules:
        if rule.part.fields.get("then"):
            message = "Rules no longer route. Set an output, and let a DECISION after the table choose the step."
            findings.error("DECISION_TABLE_LEGACY_THEN", rule.part.where("then"), message)


def unreachable_rules(step: StepOutline, findings: Findings) -> None:
    """DECISION_TABLE_UNREACHABLE_RULE under U and F: a rule that matches only when another does.

    Under F the other stands earlier and always wins; under U the two together always fail. The other policies use every
    match, so there a rule is useful even when it repeats another's condition.
    """
    policy = step.part.text("hitPolicy") or "U"
    if policy not in SINGLE_HIT:
        return
    known: dict[frozenset[str], int] = {}
    if policy == "U":  # a later rule collides as well as an earlier one
        known = {_cells(rule): index for index, rule in reversed([*enumerate(step.rules)])}
    for index, rule in enumerate(step.rules):
        covering = next((known[cells] for cells in _weaker(rule) if known.get(cells, index) != index), None)
        if covering is not None:
            what = "is never tried" if policy == "F" else "always collides with it"
            message = f"Whenever this rule matches, rule {covering} does too, so it {what}. Move or remove it."
            findings.warn("DECISION_TABLE_UNREACHABLE_RULE", rule.part.at, message)
        known.setdefault(_cells(rule), index)


def _cells(rule: RuleOutline) -> frozenset[str]:
    return frozenset(cell.value.strip() for cell in rule.when)


def _weaker(rule: RuleOutline) -> Iterator[frozenset[str]]:
    """Conditions that hold whenever the rule's does: what is left when cells are taken away."""
    cells = _cells(rule)
    sizes = range(len(cells)) if len(cells) <= FEW_CELLS else range(2)
    for size in sizes:
        yield from map(frozenset, combinations(sorted(cells), size))
    yield cells
