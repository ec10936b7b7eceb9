"""A definition as a picture: a tree for a terminal, Mermaid and DOT for everything that draws.

Pure: from a compiled definition to lines of text. All three are drawn from one list of edges, so they show the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

from rochallor.core.definition.model import Definition, Step, StepType

CHAIN = "(next workflow)"


class Edge(NamedTuple):
    """A way from a step to another; `label` says when it is taken, `dashed` that a timer does."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False


def edges(step: Step) -> Iterator[Edge]:
    """Return the ways out of a step, in the order in which they are tried."""
    for condition in step.conditions:
        yield Edge(step.id, condition.next_step, condition.source)
    if step.next_step:
        yield Edge(step.id, step.next_step, "otherwise" if step.conditions else "")
    for branch in step.parallel_next_steps:
        yield Edge(step.id, branch)
    for timer in step.boundary_timers:
        when = "after" if timer.interrupting else "also after"
        yield Edge(step.id, timer.target, f"{when} {timer.duration}", dashed=True)


def tree(definition: Definition) -> str:
    """Return the steps from the first one on, each below what leads to it; a step seen before is only named."""
    lines = [f"{definition.id} v{definition.version}" if definition.version else definition.id]
    seen: set[str] = set()
    # A stack and no recursion: a definition may be two thousand steps deep.
    open_edges: list[tuple[Edge, str, bool]] = [(Edge("", definition.entry.id), "", True)]
    while open_edges:
        edge, indent, is_last = open_edges.pop()
        step = definition.step(edge.target)
        assert step is not None, "a definition that was accepted has no dangling step"
        label = f"{edge.label} → " if edge.label else ""
        known = step.id in seen
        lines.append(f"{indent}{'└─' if is_last else '├─'} {label}{step.id}{' ↑' if known else f'  {_kind(step)}'}")
        if not known:
            seen.add(step.id)
            below = list(edges(step))
            deeper = indent + ("   " if is_last else "│  ")
            open_edges += [(each, deeper, each is below[-1]) for each in reversed(below)]
    if definition.auto_start_next_workflow and definition.next_workflow_id:
        lines.append(f"⇒ then starts {definition.next_workflow_id}")
    return "\n".join(lines)


def mermaid(definition: Definition) -> str:
    """Return a Mermaid flowchart, as Markdown pages draw it."""
    names = {step.id: f"s{number}" for number, step in enumerate(definition.steps)}
    lines = ["flowchart TD"]
    for step in definition.steps:
        left, right = _MERMAID_SHAPES.get(step.type, ("[", "]"))
        lines.append(f"  {names[step.id]}{left}{_quoted(step.name or step.id)}{right}")
    for step in definition.steps:
        for edge in edges(step):
            arrow = "-.->" if edge.dashed else "-->"
            label = f"|{_quoted(edge.label)}|" if edge.label else ""
            lines.append(f"  {names[edge.source]} {arrow}{label} {names[edge.target]}")
    return "\n".join(lines)


def dot(definition: Definition) -> str:
    """Return a DOT graph, as Graphviz draws it."""
    lines = [f"digraph {json.dumps(definition.id)} {{", "  node [shape=box, style=rounded];"]
    for step in definition.steps:
        shape = _DOT_SHAPES.get(step.type, "box")
        lines.append(f"  {_text(step.id)} [label={_text(step.name or step.id)}, shape={shape}];")
    for step in definition.steps:
        for edge in edges(step):
            style = ", style=dashed" if edge.dashed else ""
            lines.append(f"  {_text(edge.source)} -> {_text(edge.target)} [label={_text(edge.label)}{style}];")
    return "\n".join([*lines, "}"])


PICTURES: dict[str, Callable[[Definition], str]] = {"tree": tree, "mermaid": mermaid, "dot": dot}

_MERMAID_SHAPES = {
    StepType.DECISION: ("{", "}"),
    StepType.DECISION_TABLE: ("{", "}"),
    StepType.PARALLEL_GATEWAY: ("{{", "}}"),
    StepType.JOIN_GATEWAY: ("{{", "}}"),
    StepType.USER_TASK: ("[/", "/]"),
    StepType.WAIT: ("([", "])"),
    StepType.END: ("((", "))"),
}
_DOT_SHAPES = {
    StepType.DECISION: "diamond",
    StepType.DECISION_TABLE: "diamond",
    StepType.PARALLEL_GATEWAY: "hexagon",
    StepType.JOIN_GATEWAY: "hexagon",
    StepType.USER_TASK: "parallelogram",
    StepType.WAIT: "oval",
    StepType.END: "doublecircle",
}


def _kind(step: Step) -> str:
    return f"{step.type.value} {step.job_type}" if step.type is StepType.SERVICE_TASK else step.type.value


def _quoted(text: str) -> str:
    """Return text that Mermaid takes as it is, whatever is in it."""
    escaped = text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
    return f'"{" ".join(escaped.split())}"'


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
