"""Rules about decision tables that can be told without data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from workflow_sdk.definition.problems import Problem, warning
from workflow_sdk.definition.rules.outline import RuleRow, StepOutline

HIT_POLICIES = ("U", "F", "A", "R", "C", "C+", "C#", "C>", "C<")
_AGGREGATORS = "+#><"
_SINGLE_HIT = ("U", "F")
_FEW_CELLS = 6
"""Rules with more cells are compared with catch-alls, single cells and equals only, as the engine does."""


def table_problems(step: StepOutline) -> Iterator[Problem]:
    """Yield what is wrong with a DECISION_TABLE step's table."""
    yield from _has_rules(step)
    yield from _hit_policy(step)
    yield from _routing_of_old(step)
    yield from _unreachable_rules(step)


def _has_rules(step: StepOutline) -> Iterator[Problem]:
    if step.table is None or not step.table.items("rules"):
        message = f"{step.label} needs decisionTable.rules with at least one rule."
        yield Problem("DECISION_TABLE_HAS_RULES", step.part.where("decisionTable"), message)


def _hit_policy(step: StepOutline) -> Iterator[Problem]:
    policy, at = step.part.text("hitPolicy"), step.part.where("hitPolicy")
    if not policy or policy in HIT_POLICIES:
        return
    if policy[0] in "UFAR" and policy[1:2] and policy[1] in _AGGREGATORS:
        message = f"{policy[1]} gathers what several rules give, so it goes with C only. Write C{policy[1]}."
        yield Problem("DECISION_TABLE_AGGREGATOR_ON_NON_C", at, message)
    else:
        message = f"{policy!r} is no hit policy. Use one of {' '.join(HIT_POLICIES)}."
        yield Problem("DECISION_TABLE_HIT_POLICY_UNKNOWN", at, message)


def _routing_of_old(step: StepOutline) -> Iterator[Problem]:
    if step.table and step.table.fields.get("defaultNextStep"):
        message = "Tables do not route. Set an output in a last rule without `when`, and go on in nextStep."
        yield Problem("DECISION_TABLE_LEGACY_DEFAULT_NEXT_STEP", step.table.where("defaultNextStep"), message)
    for rule in step.rules:
        if rule.part.fields.get("then"):
            message = "Rules do not route. Set an output, and let a DECISION after the table choose the step."
            yield Problem("DECISION_TABLE_LEGACY_THEN", rule.part.where("then"), message)


def _unreachable_rules(step: StepOutline) -> Iterator[Problem]:
    """Yield DECISION_TABLE_UNREACHABLE_RULE, under U and F, for a rule that matches only when another does.

    Under F the other stands earlier and always wins; under U the two together always fail.
    """
    policy = step.part.text("hitPolicy") or "U"
    if policy not in _SINGLE_HIT:
        return
    known: dict[frozenset[str], int] = {}
    if policy == "U":
        known = {_cells(rule): index for index, rule in reversed([*enumerate(step.rules)])}
    for index, rule in enumerate(step.rules):
        covering = next((known[cells] for cells in _weaker(_cells(rule)) if known.get(cells, index) != index), None)
        if covering is not None:
            what = "is never tried" if policy == "F" else "always collides with it"
            message = f"Whenever this rule matches, rule {covering} does too, so it {what}. Move or remove it."
            yield warning("DECISION_TABLE_UNREACHABLE_RULE", rule.part.at, message)
        known.setdefault(_cells(rule), index)


def _cells(rule: RuleRow) -> frozenset[str]:
    return frozenset(cell.value.strip() for cell in rule.when)


def _weaker(cells: frozenset[str]) -> Iterator[frozenset[str]]:
    """Yield the conditions that hold whenever these do: what is left when cells are taken away, and all of them."""
    for size in range(len(cells) if len(cells) <= _FEW_CELLS else 2):
        yield from map(frozenset, combinations(sorted(cells), size))
    yield cells
