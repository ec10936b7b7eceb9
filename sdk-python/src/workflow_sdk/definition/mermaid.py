"""A definition as a Mermaid flowchart: one node for each step, one arrow for each way a token can go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from workflow_sdk.definition.rules.outline import Outline, StepOutline

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


def to_mermaid(outline: Outline) -> str:
    """Return the chart's text. A step that is named and missing is drawn too, so that a slip can be seen."""
    arrows = [(step.id, *arrow) for step in outline.steps for arrow in _arrows(step)]
    known = {step.id: step for step in outline.steps}
    nodes = {name: f"s{place}" for place, name in enumerate(dict.fromkeys([*known, *(each[-1] for each in arrows)]))}
    drawn = [f"    {node}{_shape(known.get(name), name)}" for name, node in nodes.items()]
    drawn += [f"    {nodes[source]} {line}{_label(label)} {nodes[target]}" for source, line, label, target in arrows]
    return "\n".join(["flowchart TD", *drawn, ""])


def _shape(step: StepOutline | None, name: str) -> str:
    if step is None:
        return f'["{_text(name)}?"]'
    opening, closing = _SHAPES.get(step.type, ("[", "]"))
    return f'{opening}"{_text(step.part.text("name") or name)}"{closing}'


def _arrows(step: StepOutline) -> Iterator[tuple[str, str, str]]:
    """Yield (line, label, target) of every way out of a step."""
    for branch in step.branches:
        yield "-->", branch.expression, branch.to.target
    for ref in (step.next_step, *step.parallel):
        if ref:
            yield "-->", "", ref.target
    for ref, part in zip(step.timers, step.boundaries, strict=True):
        beside = "" if part.fields.get("interrupting") else " (and goes on)"
        yield "-.->", part.text("duration") + beside, ref.target


def _label(text: str) -> str:
    return f'|"{_text(text)}"|' if text else ""


def _text(text: str) -> str:
    # Inside quotes Mermaid ends at a quote, and reads entities written with # instead of &.
    escaped = text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
    return " ".join(escaped.split())
