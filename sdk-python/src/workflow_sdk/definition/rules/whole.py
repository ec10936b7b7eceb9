"""Rules about a definition as a whole: its own fields, and whether what steps name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workflow_sdk.definition.problems import Problem
from workflow_sdk.definition.rules.outline import Outline

_ID = re.compile(r"[A-Za-z0-9_:\-]{1,256}")


def whole_problems(outline: Outline) -> Iterator[Problem]:
    """Yield what is wrong with the definition's own fields, its ids and its references."""
    yield from _own_fields(outline)
    yield from _unique_ids(outline)
    yield from _references(outline)
    yield from _gateways(outline)
    yield from _joins(outline)


def _own_fields(outline: Outline) -> Iterator[Problem]:
    part = outline.part
    if not _ID.fullmatch(part.text("id")):
        message = "The id must be 1 to 256 characters out of A-Z a-z 0-9 _ : - such as 'LOS::loan'. Rename it."
        yield Problem("ID_FORMAT", "/id", message)
    if not part.text("name"):
        yield Problem("NAME_REQUIRED", "/name", "The definition needs a name people will read. Give it one.")
    if not part.items("steps"):
        yield Problem("STEPS_NONEMPTY", "/steps", "There are no steps. Add at least one, ending in an END.")
    if part.fields.get("autoStartNextWorkflow") and not part.text("nextWorkflowId"):
        message = "autoStartNextWorkflow is true and nextWorkflowId is missing. Name the workflow to start."
        yield Problem("NEXT_WORKFLOW_CONSISTENCY", "/nextWorkflowId", message)


def _unique_ids(outline: Outline) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for step in outline.steps:
        other = first.setdefault(step.id, step.part.at)
        if step.id and other != step.part.at:
            message = f"{other} has the id {step.id!r} too. Rename one of them and what refers to it."
            yield Problem("STEP_ID_UNIQUE", step.part.where("id"), message)


def _references(outline: Outline) -> Iterator[Problem]:
    known = {step.id for step in outline.steps}
    for step in outline.steps:
        for code, refs in (("REF_RESOLVES", step.references), ("BOUNDARY_TARGET_RESOLVES", step.timers)):
            for ref in refs:
                if ref.target not in known:
                    message = f"{step.label} refers to {ref.target!r}, which is no step. Correct it or add the step."
                    yield Problem(code, ref.at, message)


def _gateways(outline: Outline) -> Iterator[Problem]:
    kinds = {step.id: step.type for step in outline.steps}
    for step in outline.steps:
        if step.type != "PARALLEL_GATEWAY":
            continue
        if step.join is None:
            message = f"{step.label} must say in joinStep which JOIN_GATEWAY collects its branches."
            yield Problem("PARALLEL_HAS_JOIN", step.part.where("joinStep"), message)
        elif kinds.get(step.join.target, "JOIN_GATEWAY") != "JOIN_GATEWAY":
            message = f"joinStep {step.join.target!r} is no JOIN_GATEWAY. Name one, or change that step's type."
            yield Problem("PARALLEL_HAS_JOIN", step.join.at, message)


def _joins(outline: Outline) -> Iterator[Problem]:
    joined = {step.join.target for step in outline.steps if step.type == "PARALLEL_GATEWAY" and step.join}
    for step in outline.steps:
        if step.type == "JOIN_GATEWAY" and step.id not in joined:
            message = f"No PARALLEL_GATEWAY has joinStep {step.id!r}. Name it there, or remove the join."
            yield Problem("JOIN_HAS_GATEWAY", step.part.at, message)
