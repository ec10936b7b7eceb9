"""A definition as its author wrote it: typed parts in author order, every reference with its place.

This is what the rules of `validate.py` and the graph look at, and what `compile.py` turns into a `Definition`.
It may be nonsense (steps without ids, references to nowhere); it is never of the wrong type.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import Struct

from rochallor.core.definition import fields as f
from rochallor.core.definition.document import Document
from rochallor.core.definition.fields import Part
from rochallor.core.definition.model import StepType
from rochallor.core.definition.problems import Findings

STEP_TYPES = {kind.value: kind for kind in StepType}


class Ref(NamedTuple):
    """A step named by another step, and the pointer of the place that names it."""

    target: str
    at: str


class Branch(NamedTuple):
    """One condition: the expression's text and place, and where it leads."""

    expression: str
    at: str
    to: Ref


class Entry(NamedTuple):
    """One name and value of a map whose order counts (cells, outputs, transformations)."""

    name: str
    value: Any
    at: str


class RuleOutline(Struct, frozen=True):
    """A row of a decision table; wildcard cells are left out."""

    part: Part
    when: tuple[Entry, ...]
    outputs: tuple[Entry, ...]


class StepOutline(Struct, frozen=True, kw_only=True):
    """A step: its parts, and its outward references by meaning."""

    part: Part
    index: int
    type: StepType | None
    next_step: Ref | None
    branches: tuple[Branch, ...]
    parallel: tuple[Ref, ...]
    join: Ref | None
    entries: tuple[Entry, ...]
    boundaries: tuple[Part, ...]
    rules: tuple[RuleOutline, ...]
    table: Part | None
    retry_policy: Part | None

    @property
    def id(self) -> str:
        """The step's id, "" when it has none."""
        return self.part.text("id")

    @property
    def at(self) -> str:
        """The pointer of the step."""
        return self.part.at

    @property
    def timers(self) -> tuple[Ref, ...]:
        """The targets of its boundary events."""
        return tuple(Ref(part.text("targetStepId"), part.where("targetStepId")) for part in self.boundaries)

    @property
    def label(self) -> str:
        """How messages call the step."""
        return f"{self.part.text('type') or 'Step'} {self.id or self.index!r}"


class Outline(Struct, frozen=True):
    """The definition's own fields and its steps."""

    part: Part
    steps: tuple[StepOutline, ...]


def outline(document: Document, findings: Findings) -> Outline:
    """Read the whole document; reports unknown fields and wrong types."""
    part = f.read_part(document, "", f.DEFINITION_FIELDS, findings)
    assert part is not None, "a document is an object"
    steps = f.read_parts(part, "steps", f.STEP_FIELDS, findings)
    return Outline(part, tuple(_step(step, index, findings) for index, step in enumerate(steps)))


def _step(part: Part, index: int, findings: Findings) -> StepOutline:
    table = _sub_part(part, "decisionTable", f.TABLE_FIELDS, findings)
    rules = () if table is None else f.read_parts(table, "rules", f.RULE_FIELDS, findings)
    return StepOutline(
        part=part,
        index=index,
        type=STEP_TYPES.get(part.text("type")),
        next_step=_ref(part, "nextStep"),
        branches=_branches(part, findings),
        parallel=_parallel(part, findings),
        join=_ref(part, "joinStep"),
        entries=_entries(part, "transformations", []),
        boundaries=f.read_parts(part, "boundaryEvents", f.BOUNDARY_FIELDS, findings),
        rules=tuple(_rule(rule, findings) for rule in rules),
        table=table,
        retry_policy=_sub_part(part, "retryPolicy", f.RETRY_POLICY_FIELDS, findings),
    )


def _sub_part(part: Part, name: str, table: Any, findings: Findings) -> Part | None:
    if name not in part.fields:
        return None
    return f.read_part(part.fields[name], part.where(name), table, findings)


def _ref(part: Part, name: str) -> Ref | None:
    target = part.text(name)
    return Ref(target, part.where(name)) if target else None


def _parallel(part: Part, findings: Findings) -> tuple[Ref, ...]:
    name = "parallelNextSteps"
    places = ((target, f"{part.where(name)}/{i}") for i, target in enumerate(part.fields.get(name, ())))
    return tuple(Ref(target, at) for target, at in places if f.is_a(f.TEXT, target, at, findings))


def _branches(part: Part, findings: Findings) -> tuple[Branch, ...]:
    """Conditions in the order they are tried: the explicit list wins over the map."""
    listed = f.read_parts(part, "orderedConditions", f.CONDITION_FIELDS, findings)
    mapped = [
        Branch(entry.name, entry.at, Ref(entry.value, entry.at))
        for entry in _entries(part, "conditionalNextSteps", [])
        if f.is_a(f.TEXT, entry.value, entry.at, findings)
    ]
    if not listed:
        return tuple(mapped)
    return tuple(_listed_branch(condition) for condition in _distinct(listed, findings))


def _listed_branch(condition: Part) -> Branch:
    target = Ref(condition.text("nextStep"), condition.where("nextStep"))
    return Branch(condition.text("expression"), condition.where("expression"), target)


def _distinct(conditions: tuple[Part, ...], findings: Findings) -> tuple[Part, ...]:
    seen: dict[str, Part] = {}
    for condition in conditions:
        expression = condition.text("expression")
        if seen.setdefault(expression, condition) is not condition:
            message = f"The condition {expression!r} is listed twice; the second can never win. Remove it."
            findings.error("DUPLICATE_KEY", condition.where("expression"), message)
    return conditions


def _rule(part: Part, findings: Findings) -> RuleOutline:
    for name in ("whenOrder", "outputsOrder"):
        for index, column in enumerate(part.fields.get(name, ())):
            f.is_a(f.TEXT, column, f"{part.where(name)}/{index}", findings)
    cells = _entries(part, "when", part.fields.get("whenOrder", []))
    stated = [cell for cell in cells if cell.value is not None and f.is_a(f.TEXT, cell.value, cell.at, findings)]
    return RuleOutline(
        part,
        tuple(cell for cell in stated if cell.value.strip()),
        _entries(part, "outputs", part.fields.get("outputsOrder", [])),
    )


def _entries(part: Part, name: str, order: list[Any]) -> tuple[Entry, ...]:
    items = f.in_order(part.fields.get(name, {}), order)
    return tuple(Entry(key, value, f"{part.where(name)}/{f.escape(key)}") for key, value in items)
