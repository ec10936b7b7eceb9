"""A definition as its author wrote it: typed parts in author order, every reference with its place.

It may be nonsense (steps without ids, references to nowhere); it is never of the wrong type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from workflow_sdk.definition.problems import Problem
from workflow_sdk.definition.rules import fields as f
from workflow_sdk.definition.rules.fields import Part, Reader

STEP_TYPES = (
    "SERVICE_TASK",
    "USER_TASK",
    "WAIT",
    "DECISION",
    "DECISION_TABLE",
    "TRANSFORMATION",
    "PARALLEL_GATEWAY",
    "JOIN_GATEWAY",
    "END",
)
TIMED = frozenset({"SERVICE_TASK", "USER_TASK", "WAIT"})
ROUTED = TIMED | {"DECISION"}
LINEAR = TIMED | {"DECISION_TABLE", "TRANSFORMATION", "JOIN_GATEWAY"}


class Ref(NamedTuple):
    """A step named by another step, and the place that names it."""

    target: str
    at: str


class Entry(NamedTuple):
    """One name and value of a map whose order counts, and its place."""

    name: str
    value: Any
    at: str


class Branch(NamedTuple):
    """One condition: its expression with its place, and where it leads."""

    expression: str
    at: str
    to: Ref


class RuleRow(NamedTuple):
    """A row of a decision table; wildcard cells are left out."""

    part: Part
    when: list[Entry]
    outputs: list[Entry]


@dataclass(frozen=True)
class StepOutline:
    """A step: its parts, and its outward references by meaning. `type` is "" when it is none of the nine."""

    part: Part
    index: int
    type: str
    next_step: Ref | None
    branches: list[Branch]
    parallel: list[Ref]
    join: Ref | None
    entries: list[Entry]
    boundaries: list[Part]
    table: Part | None
    rules: list[RuleRow]
    retry_policy: Part | None

    @property
    def id(self) -> str:
        """The step's id, "" when it has none."""
        return self.part.text("id")

    @property
    def label(self) -> str:
        """How messages call the step."""
        return f"{self.part.text('type') or 'Step'} {self.id or self.index!r}"

    @property
    def timers(self) -> list[Ref]:
        """The targets of its boundary events."""
        return [Ref(part.text("targetStepId"), part.where("targetStepId")) for part in self.boundaries]

    @property
    def references(self) -> Iterator[Ref]:
        """Where it leads by the fields of its own type, timers left out."""
        if self.type in ROUTED:
            yield from (branch.to for branch in self.branches)
        if self.type in LINEAR and self.next_step:
            yield self.next_step
        if self.type == "PARALLEL_GATEWAY":
            yield from (*self.parallel, *filter(None, [self.join]))

    @property
    def mentions(self) -> Iterator[str]:
        """Every step id it names anywhere, also in fields that its type ignores."""
        single = [ref for ref in (self.next_step, self.join) if ref]
        routed = [branch.to for branch in self.branches]
        yield from (ref.target for ref in (*single, *routed, *self.parallel, *self.timers))


@dataclass(frozen=True)
class Outline:
    """The definition's own fields, its steps, and what was wrong with the shape of either."""

    part: Part
    steps: list[StepOutline]
    problems: list[Problem]


def read_outline(document: Mapping[str, Any]) -> Outline:
    """Read a whole document."""
    reader = Reader()
    part = reader.part(document, "", f.DEFINITION) or Part("")
    steps = [_step(each, index, reader) for index, each in enumerate(reader.parts(part, "steps", f.STEP))]
    return Outline(part, steps, reader.problems)


def _step(part: Part, index: int, reader: Reader) -> StepOutline:
    kind = part.text("type")
    table = reader.inner(part, "decisionTable", f.TABLE)
    return StepOutline(
        part=part,
        index=index,
        type=kind if kind in STEP_TYPES else "",
        next_step=_ref(part, "nextStep"),
        branches=_branches(part, reader),
        parallel=[
            Ref(target, part.where("parallelNextSteps", place))
            for place, target in enumerate(part.items("parallelNextSteps"))
            if reader.is_a(f.TEXT, target, part.where("parallelNextSteps", place))
        ],
        join=_ref(part, "joinStep"),
        entries=_entries(part, "transformations"),
        boundaries=reader.parts(part, "boundaryEvents", f.BOUNDARY),
        table=table,
        rules=[_row(rule, reader) for rule in reader.parts(table, "rules", f.RULE)] if table else [],
        retry_policy=reader.inner(part, "retryPolicy", f.RETRY_POLICY),
    )


def _ref(part: Part, name: str) -> Ref | None:
    return Ref(part.text(name), part.where(name)) if part.text(name) else None


def _branches(part: Part, reader: Reader) -> list[Branch]:
    """Return conditions in the order they are tried: an explicit list wins over the map."""
    listed = reader.parts(part, "orderedConditions", f.CONDITION)
    mapped = [
        Branch(entry.name, entry.at, Ref(entry.value, entry.at))
        for entry in _entries(part, "conditionalNextSteps")
        if reader.is_a(f.TEXT, entry.value, entry.at)
    ]
    seen: set[str] = set()
    for each in listed:
        if each.text("expression") in seen:
            reader.repeated(each.where("expression"), each.text("expression"))
        seen.add(each.text("expression"))
    return [_listed(each) for each in listed] or mapped


def _listed(part: Part) -> Branch:
    to = Ref(part.text("nextStep"), part.where("nextStep"))
    return Branch(part.text("expression"), part.where("expression"), to)


def _row(part: Part, reader: Reader) -> RuleRow:
    for name in ("whenOrder", "outputsOrder"):
        for index, column in enumerate(part.items(name)):
            reader.is_a(f.TEXT, column, part.where(name, index))
    cells = [cell for cell in _entries(part, "when", part.items("whenOrder")) if cell.value is not None]
    stated = [cell for cell in cells if reader.is_a(f.TEXT, cell.value, cell.at)]
    outputs = _entries(part, "outputs", part.items("outputsOrder"))
    return RuleRow(part, [cell for cell in stated if cell.value.strip()], outputs)


def _entries(part: Part, name: str, order: list[Any] | None = None) -> list[Entry]:
    items = f.in_order(part.fields.get(name, {}), order or [])
    return [Entry(key, value, part.where(name, key)) for key, value in items]
