"""The rules a definition must keep, one function per code, and the table that says which apply where.

A rule gets the outline of a step (or of the whole definition) and reports; it never stops the others, so an
author learns everything in one upload. Rules about the graph as a whole are in `graph.py`, about tables in
`tables.py`; syntax inside values (expressions, durations, schemas) is found while compiling.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from rochallor.core.definition import graph, tables
from rochallor.core.definition.fields import NEUTRAL, STEP_FIELDS
from rochallor.core.definition.model import StepType
from rochallor.core.definition.outline import Outline, StepOutline
from rochallor.core.definition.problems import Findings

ID = re.compile(r"[A-Za-z0-9_:\-]{1,256}")
ID_LENGTH = 256
MAX_RETRIES = 100
"""Automatic retries of one job; beyond this a retry policy or a person is the right answer."""

S = StepType
ROUTED = {"nextStep", "conditionalNextSteps", "orderedConditions"}
COMMON = {"id", "name", "type", "description", "boundaryEvents"}  # boundary events have their own rule
OWN_FIELDS: Mapping[StepType, set[str]] = {
    S.SERVICE_TASK: ROUTED | {"jobType", "delegateClass", "retryCount", "retryPolicy", "outputs_schema"},
    S.USER_TASK: ROUTED,
    S.WAIT: ROUTED,
    S.DECISION: ROUTED - {"nextStep"},
    S.DECISION_TABLE: {"nextStep", "decisionTable", "hitPolicy"},
    S.TRANSFORMATION: {"nextStep", "transformations"},
    S.PARALLEL_GATEWAY: {"parallelNextSteps", "joinStep"},
    S.JOIN_GATEWAY: {"nextStep"},
    S.END: set(),
}
TABLE_ONLY = {"decisionTable", "hitPolicy"}
TIMED = {S.SERVICE_TASK, S.USER_TASK, S.WAIT}

Rule = Callable[[StepOutline, Findings], None]
WholeRule = Callable[[Outline, Findings], None]


def validate(definition: Outline, findings: Findings) -> None:
    """Apply every rule; what is wrong ends up among the findings."""
    for rule in WHOLE_RULES:
        rule(definition, findings)
    for step in definition.steps:
        for check in STEP_RULES:
            check(step, findings)
        for check in () if step.type is None else TYPE_RULES[step.type]:
            check(step, findings)


def definition_id(definition: Outline, findings: Findings) -> None:
    """ID_FORMAT of the definition and of what it chains to."""
    if not ID.fullmatch(definition.part.text("id")):
        message = "The id must be 1 to 256 characters out of A-Z a-z 0-9 _ : - such as 'LOS::loan'. Rename it."
        findings.error("ID_FORMAT", "/id", message)


def definition_name(definition: Outline, findings: Findings) -> None:
    """NAME_REQUIRED of the definition."""
    if not definition.part.text("name"):
        findings.error("NAME_REQUIRED", "/name", "The definition needs a name people will read. Give it one.")


def has_steps(definition: Outline, findings: Findings) -> None:
    """STEPS_NONEMPTY."""
    if not definition.part.fields.get("steps"):
        findings.error("STEPS_NONEMPTY", "/steps", "There are no steps. Add at least one, ending in an END.")


def chain_has_target(definition: Outline, findings: Findings) -> None:
    """NEXT_WORKFLOW_CONSISTENCY: a target without the switch is allowed, it waits to be switched on."""
    if definition.part.fields.get("autoStartNextWorkflow") and not definition.part.text("nextWorkflowId"):
        message = "autoStartNextWorkflow is true and nextWorkflowId is missing. Name the workflow to start."
        findings.error("NEXT_WORKFLOW_CONSISTENCY", "/nextWorkflowId", message)


def step_ids_unique(definition: Outline, findings: Findings) -> None:
    """STEP_ID_UNIQUE."""
    first: dict[str, StepOutline] = {}
    for step in definition.steps:
        other = first.setdefault(step.id, step)
        if step.id and other is not step:
            message = f"{other.at} has the id {step.id!r} too. Rename one of them and what refers to it."
            findings.error("STEP_ID_UNIQUE", step.part.where("id"), message)


def references_resolve(definition: Outline, findings: Findings) -> None:
    """REF_RESOLVES for what the step's type reads; BOUNDARY_TARGET_RESOLVES for timers."""
    known = {step.id for step in definition.steps}
    for step in definition.steps:
        for ref in graph.references(step):
            if ref.target not in known:
                message = f"{step.label} refers to {ref.target!r}, which is no step. Correct it or add the step."
                findings.error("REF_RESOLVES", ref.at, message)
        for ref in step.timers:
            if ref.target not in known:
                message = f"The timer of {step.label} leads to {ref.target!r}, which is no step. Name a step."
                findings.error("BOUNDARY_TARGET_RESOLVES", ref.at, message)


def joins_have_gateways(definition: Outline, findings: Findings) -> None:
    """JOIN_HAS_GATEWAY."""
    joined = {step.join.target for step in definition.steps if step.type is S.PARALLEL_GATEWAY and step.join}
    for step in definition.steps:
        if step.type is S.JOIN_GATEWAY and step.id not in joined:
            message = f"No PARALLEL_GATEWAY has joinStep {step.id!r}. Name it there, or remove the join."
            findings.error("JOIN_HAS_GATEWAY", step.at, message)


def gateways_name_joins(definition: Outline, findings: Findings) -> None:
    """PARALLEL_HAS_JOIN."""
    kinds = {step.id: step.type for step in definition.steps}
    for step in definition.steps:
        if step.type is not S.PARALLEL_GATEWAY:
            continue
        if step.join is None:
            message = f"{step.label} must say in joinStep which JOIN_GATEWAY collects its branches."
            findings.error("PARALLEL_HAS_JOIN", step.part.where("joinStep"), message)
        elif kinds.get(step.join.target, S.JOIN_GATEWAY) is not S.JOIN_GATEWAY:
            message = f"joinStep {step.join.target!r} is no JOIN_GATEWAY. Name one, or change that step's type."
            findings.error("PARALLEL_HAS_JOIN", step.join.at, message)


def step_id(step: StepOutline, findings: Findings) -> None:
    """STEP_ID_REQUIRED, and ID_FORMAT for ids nobody could type or address."""
    if not step.id:
        message = f"Step {step.index} has no id. Give it one; it is what other steps and people refer to."
        findings.error("STEP_ID_REQUIRED", step.part.where("id"), message)
    elif len(step.id) > ID_LENGTH or not step.id.isprintable():
        message = f"A step id has at most {ID_LENGTH} characters and none that cannot be seen. Shorten it."
        findings.error("ID_FORMAT", step.part.where("id"), message)


def step_name(step: StepOutline, findings: Findings) -> None:
    """NAME_REQUIRED of a step."""
    if not step.part.text("name"):
        findings.error("NAME_REQUIRED", step.part.where("name"), f"{step.label} has no name. Give it one.")


def step_type(step: StepOutline, findings: Findings) -> None:
    """STEP_TYPE_VALID."""
    if step.type is None:
        given = step.part.text("type")
        message = f"{given!r} is no step type. Use one of {', '.join(kind.value for kind in S)}."
        findings.error("STEP_TYPE_VALID", step.part.where("type"), message)


def own_fields(step: StepOutline, findings: Findings) -> None:
    """STEP_FIELD_INVALID: refused where a reader would be misled about routing, else a warning."""
    if step.type is None:
        return
    foreign = [name for name in STEP_FIELDS if name not in OWN_FIELDS[step.type] | COMMON]
    for name in foreign:
        if step.part.fields.get(name, "") in NEUTRAL:
            continue
        refused = step.type is S.DECISION_TABLE or name in TABLE_ONLY
        report = findings.error if refused else findings.warn
        ending = "Remove it." if refused else "It is ignored; remove it."
        message = f"{name} has no meaning on a {step.type.value}. {ending}"
        report("STEP_FIELD_INVALID", step.part.where(name), message)


def boundaries(step: StepOutline, findings: Findings) -> None:
    """BOUNDARY_PARENT_SUPPORTS and BOUNDARY_TYPE."""
    if step.boundaries and step.type is not None and step.type not in TIMED:
        message = f"{step.label} is left at once or waits for branches; put timers on a task or a WAIT instead."
        findings.error("BOUNDARY_PARENT_SUPPORTS", step.part.where("boundaryEvents"), message)
    for part in step.boundaries:
        if part.text("type") != "TIMER":
            message = f"{part.text('type')!r} is no boundary event. Write TIMER, the only type there is."
            findings.error("BOUNDARY_TYPE", part.where("type"), message)


def job_type(step: StepOutline, findings: Findings) -> None:
    """JOB_TYPE_REQUIRED and ID_FORMAT: an absent job type is the step id, an empty one is a mistake."""
    job_type = step.part.fields.get("jobType")
    if job_type is not None and len(job_type) > ID_LENGTH:
        message = f"jobType has {len(job_type)} characters, the most is {ID_LENGTH}. Shorten it."
        findings.error("ID_FORMAT", step.part.where("jobType"), message)
    if job_type == "":
        message = "jobType is empty, so no worker could take the job. Name it, or leave it out to use the step id."
        findings.error("JOB_TYPE_REQUIRED", step.part.where("jobType"), message)


def retry_count(step: StepOutline, findings: Findings) -> None:
    """RETRY_COUNT_RANGE."""
    if not 0 <= step.part.fields.get("retryCount", 0) <= MAX_RETRIES:
        message = f"retryCount must be between 0 and {MAX_RETRIES}. Use a retryPolicy to try for longer."
        findings.error("RETRY_COUNT_RANGE", step.part.where("retryCount"), message)


def needs_next(code: str) -> Rule:
    """Make the rule that a step must say where it goes, reported as `code`."""

    def check(step: StepOutline, findings: Findings) -> None:
        if step.next_step is None:
            message = f"{step.label} must say in nextStep where to go when it is done."
            findings.error(code, step.part.where("nextStep"), message)

    return check


def decision_branches(step: StepOutline, findings: Findings) -> None:
    """DECISION_HAS_BRANCHES."""
    if not step.branches:
        message = f"{step.label} needs at least one condition with the step it leads to."
        findings.error("DECISION_HAS_BRANCHES", step.part.where("conditionalNextSteps"), message)


def transformation_entries(step: StepOutline, findings: Findings) -> None:
    """TRANSFORMATION_HAS_ENTRIES."""
    if not step.entries:
        message = f"{step.label} sets nothing. Add a variable, or remove the step."
        findings.error("TRANSFORMATION_HAS_ENTRIES", step.part.where("transformations"), message)


def parallel_branches(step: StepOutline, findings: Findings) -> None:
    """PARALLEL_MIN_BRANCHES."""
    if len(step.part.fields.get("parallelNextSteps", ())) < 2:  # noqa: PLR2004 - two is what parallel means
        message = f"{step.label} needs at least two branches. With one, link the steps with nextStep."
        findings.error("PARALLEL_MIN_BRANCHES", step.part.where("parallelNextSteps"), message)


WHOLE_RULES: tuple[WholeRule, ...] = (
    definition_id,
    definition_name,
    has_steps,
    chain_has_target,
    step_ids_unique,
    references_resolve,
    gateways_name_joins,
    joins_have_gateways,
    graph.all_reachable,
    graph.end_reachable,
    graph.cycles,
    graph.branches_meet,
)
STEP_RULES: tuple[Rule, ...] = (step_id, step_name, step_type, own_fields, boundaries)
TYPE_RULES: Mapping[StepType, tuple[Rule, ...]] = {
    S.SERVICE_TASK: (job_type, retry_count),
    S.USER_TASK: (),
    S.WAIT: (needs_next("WAIT_HAS_NEXT"),),
    S.DECISION: (decision_branches,),
    S.DECISION_TABLE: (
        needs_next("DECISION_TABLE_HAS_NEXT"),
        tables.has_rules,
        tables.hit_policy,
        tables.legacy_fields,
        tables.unreachable_rules,
    ),
    S.TRANSFORMATION: (needs_next("TRANSFORMATION_HAS_NEXT"), transformation_entries),
    S.PARALLEL_GATEWAY: (parallel_branches,),
    S.JOIN_GATEWAY: (needs_next("JOIN_HAS_NEXT"),),
    S.END: (),
}
