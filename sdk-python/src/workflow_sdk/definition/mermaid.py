"""A definition as a Mermaid flowchart: one node for each step, one arrow for each way a token can go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workflow_sdk.definition.steps import Step

_SHAPES: Mapping[str, tuple[str, str]] = {
    "SERVICE_TASK": ("[", "]"),
    "USER_TASK": ("[/", "/]"),
    "WAIT": ("([", "])"),
    "DECISION": ("{", "}"),
    "DECISION_TABLE": ("[[", "]]"),
    "TRANSFORMATION": (">", "]"),
    "PARALLEL_GATEWAY": ("{{", "}}"),
    "JOIN_GATEWAY": ("{{", "}}"),
    "END": ("((", "))"),
}


def to_mermaid(steps: Sequence[Step]) -> str:
    """Return the chart's text. A step that is named and missing is drawn too, so that a slip can be seen."""
    arrows = [(step.id, *arrow) for step in steps for arrow in _arrows(step)]
    named = dict.fromkeys([*(step.id for step in steps), *(target for _, _, _, target in arrows)])
    node = {name: f"s{index}" for index, name in enumerate(named)}
    known = {step.id: step for step in steps}
    lines = ["flowchart TD"]
    for name in named:
        opening, closing = _SHAPES.get(known[name].type, ("[", "]")) if name in known else ("[", "]")
        label = str(known[name].fields.get("name") or name) if name in known else f"{name}?"
        lines.append(f'    {node[name]}{opening}"{_text(label)}"{closing}')
    for source, line, label, target in arrows:
        lines.append(f"    {node[source]} {line}{_label(label)} {node[target]}")
    return "\n".join(lines) + "\n"


def _arrows(step: Step) -> Iterator[tuple[str, str, str]]:
    """Yield (line, label, target) of every way out of a step."""
    fields = step.fields
    for expression, target in _items(fields.get("conditionalNextSteps")):
        yield "-->", expression, str(target)
    if fields.get("nextStep"):
        yield "-->", "", str(fields["nextStep"])
    for target in fields.get("parallelNextSteps") or ():
        yield "-->", "", str(target)
    for timer in fields.get("boundaryEvents") or ():
        yield "-.->", str(timer.get("duration", "")), str(timer.get("targetStepId", ""))


def _items(conditions: Any) -> Iterator[tuple[str, Any]]:
    yield from (conditions or {}).items()


def _label(text: str) -> str:
    return f'|"{_text(text)}"|' if text else ""


def _text(text: str) -> str:
    # Inside quotes Mermaid ends at a quote, and reads entities written with # instead of &.
    escaped = text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
    return " ".join(escaped.split())
