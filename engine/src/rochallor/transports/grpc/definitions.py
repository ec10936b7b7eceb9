"""A definition as a message and as the JSON the engine keeps: one table per message, read in both directions.

Order is the point. A proto map has none, so `ordered_conditions`, `when_order` and `outputs_order` carry the author's
order beside it: they win when they are set, and answers set both. What comes as a bare map is read in lexicographic
order, and `read_definition` says so, because such an upload must equal the version that has an order.
"""

from __future__ import annotations

from typing import Any

import msgspec
from rochallor_proto import engine_pb2 as pb

from rochallor.shell.views import DefinitionSummary, UploadView
from rochallor.transports.grpc.enums import STEP_TYPES, TIMER_TYPES
from rochallor.transports.grpc.fields import (
    Field,
    Json,
    Table,
    cells,
    double,
    flag,
    many,
    one,
    read_object,
    scalar,
    struct,
    texts,
    values,
    word,
    write_object,
)
from rochallor.transports.grpc.moments import timestamp

_decode = msgspec.json.Decoder(Json).decode


def _read_conditions(step: pb.WorkflowStep, _at: str) -> Json | None:
    if step.ordered_conditions:
        return {each.expression: each.next_step for each in step.ordered_conditions}
    return dict(sorted(step.conditional_next_steps.items())) or None


def _read_repeated_conditions(step: pb.WorkflowStep, _at: str) -> list[Json] | None:
    listed = step.ordered_conditions
    if len({each.expression for each in listed}) == len(listed):
        return None
    return [{"expression": each.expression, "nextStep": each.next_step} for each in listed]


def _write_conditions(step: pb.WorkflowStep, conditions: Json) -> None:
    for expression, target in conditions.items():
        step.conditional_next_steps[expression] = target
        step.ordered_conditions.add(expression=expression, next_step=target)


def _no_writer(_message: Any, _value: Any) -> None:
    """Kept definitions do not have this spelling."""


CONDITIONS = Field("conditionalNextSteps", _read_conditions, _write_conditions)
REPEATED_CONDITIONS = Field("orderedConditions", _read_repeated_conditions, _no_writer)
"""An expression listed twice cannot be an object; the list goes to the engine, which reports it."""

BOUNDARY_EVENT: Table = (
    word("type", TIMER_TYPES),
    scalar("duration"),
    flag("interrupting"),
    scalar("target_step_id", "targetStepId"),
)
RETRY_POLICY: Table = (
    scalar("initial_delay", "initialDelay"),
    double("multiplier"),
    scalar("max_delay", "maxDelay"),
    double("jitter"),
    scalar("give_up_after", "giveUpAfter"),
)
RULE: Table = (
    cells("when", "when_order"),
    scalar("then"),
    values("outputs", "outputs_order"),
)
DECISION_TABLE: Table = (
    many("rules", "rules", RULE),
    scalar("default_next_step", "defaultNextStep"),
)
STEP: Table = (
    scalar("id"),
    scalar("name"),
    word("type", STEP_TYPES),
    scalar("description"),
    scalar("job_type", "jobType"),
    scalar("delegate_class", "delegateClass"),
    scalar("retry_count", "retryCount"),
    one("retry_policy", "retryPolicy", RETRY_POLICY),
    values("transformations"),
    scalar("hit_policy", "hitPolicy"),
    one("decision_table", "decisionTable", DECISION_TABLE),
    CONDITIONS,
    REPEATED_CONDITIONS,
    scalar("next_step", "nextStep"),
    texts("parallel_next_steps", "parallelNextSteps"),
    scalar("join_step", "joinStep"),
    many("boundary_events", "boundaryEvents", BOUNDARY_EVENT),
    struct("outputs_schema"),
)
DEFINITION: Table = (
    scalar("id"),
    scalar("name"),
    scalar("description"),
    scalar("auto_start_next_workflow", "autoStartNextWorkflow"),
    scalar("next_workflow_id", "nextWorkflowId"),
    struct("input_schema"),
    many("steps", "steps", STEP),
    struct("metadata"),
)


def read_definition(message: pb.WorkflowDefinition) -> tuple[bytes, bool]:
    """Return the JSON of an upload, and whether the order of its maps is the author's.

    Raises `BadRequest` for what JSON or this engine cannot carry: NaN, unknown enum numbers. Everything else is the
    engine's to judge.
    """
    return msgspec.json.encode(read_object(DEFINITION, message, "")), is_ordered(message)


def write_definition(message: pb.WorkflowDefinition, raw: bytes) -> None:
    """Fill a message from an accepted definition's JSON."""
    document = _decode(raw)
    message.version = document.get("version") or 0
    write_object(DEFINITION, message, document)


def is_ordered(message: pb.WorkflowDefinition) -> bool:
    """Tell whether the maps of a message have the author's order: some order is given, or none is needed.

    A message that orders some maps and not others counts as ordered. The other answer would take a deliberate
    reordering for no change; this one at worst makes a version more.
    """
    maps = [pair for step in message.steps for pair in _maps(step)]
    return any(order for _, order in maps) or all(size < 2 for size, _ in maps)  # noqa: PLR2004 two have an order


def _maps(step: pb.WorkflowStep) -> list[tuple[int, bool]]:
    """Return for each map whose order matters its size, and whether an order was given."""
    rules = step.decision_table.rules
    return [
        (len(step.conditional_next_steps), bool(step.ordered_conditions)),
        *((len(rule.when), bool(rule.when_order)) for rule in rules),
        *((len(rule.outputs), bool(rule.outputs_order)) for rule in rules),
    ]


def upload_response(view: UploadView) -> pb.UploadDefinitionResponse:
    """Return the answer to an upload."""
    warnings = [pb.Problem(code=each.code, pointer=each.pointer, message=each.message) for each in view.warnings]
    uploaded_at = timestamp(view.uploaded_at)
    return pb.UploadDefinitionResponse(id=view.id, version=view.version, uploaded_at=uploaded_at, warnings=warnings)


def summary(view: DefinitionSummary) -> pb.WorkflowDefinition:
    """Return a definition of a list; like REST, lists leave the steps out, for a page of them may be huge."""
    return pb.WorkflowDefinition(id=view.id, version=view.version, name=view.name, description=view.description or "")
