"""Rules about one step, and the table that says which type keeps which."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from workflow_sdk.definition.problems import Problem, warning
from workflow_sdk.definition.rules import tables
from workflow_sdk.definition.rules.fields import NEUTRAL, STEP
from workflow_sdk.definition.rules.outline import STEP_TYPES, TIMED, StepOutline

Rule = Callable[[StepOutline], Iterator[Problem]]

_ID_LENGTH = 256
_MAX_RETRIES = 100
_PARALLEL = 2
_CONDITIONS = {"conditionalNextSteps", "orderedConditions"}
_ROUTED = {"nextStep", *_CONDITIONS}
_COMMON = {"id", "name", "type", "description", "boundaryEvents"}
_TABLE_ONLY = {"decisionTable", "hitPolicy"}
_OWN_FIELDS: Mapping[str, set[str]] = {
    "SERVICE_TASK": _ROUTED | {"jobType", "delegateClass", "retryCount", "retryPolicy", "outputs_schema"},
    "USER_TASK": _ROUTED,
    "WAIT": _ROUTED,
    "DECISION": _CONDITIONS,
    "DECISION_TABLE": {"nextStep", *_TABLE_ONLY},
    "TRANSFORMATION": {"nextStep", "transformations"},
    "PARALLEL_GATEWAY": {"parallelNextSteps", "joinStep"},
    "JOIN_GATEWAY": {"nextStep"},
    "END": set(),
}


def step_problems(step: StepOutline) -> Iterator[Problem]:
    """Yield what is wrong with a step, leaving out what its values say."""
    for rule in (_id, _name, _type, _foreign_fields, _boundaries, *_TYPE_RULES.get(step.type, ())):
        yield from rule(step)


def _id(step: StepOutline) -> Iterator[Problem]:
    at = step.part.where("id")
    if not step.id:
        yield Problem("STEP_ID_REQUIRED", at, f"Step {step.index} has no id. Give it one; other steps refer to it.")
    elif len(step.id) > _ID_LENGTH or not step.id.isprintable():
        message = f"A step id has at most {_ID_LENGTH} characters and none that cannot be seen. Shorten it."
        yield Problem("ID_FORMAT", at, message)


def _name(step: StepOutline) -> Iterator[Problem]:
    if not step.part.text("name"):
        yield Problem("NAME_REQUIRED", step.part.where("name"), f"{step.label} has no name. Give it one.")


def _type(step: StepOutline) -> Iterator[Problem]:
    if not step.type:
        message = f"{step.part.text('type')!r} is no step type. Use one of {', '.join(STEP_TYPES)}."
        yield Problem("STEP_TYPE_VALID", step.part.where("type"), message)


def _foreign_fields(step: StepOutline) -> Iterator[Problem]:
    for name in STEP if step.type else ():
        foreign = name not in _OWN_FIELDS[step.type] | _COMMON
        if foreign and step.part.fields.get(name, "") not in NEUTRAL:
            refused = step.type == "DECISION_TABLE" or name in _TABLE_ONLY
            report = Problem if refused else warning
            message = f"{name} has no meaning on a {step.type}. Remove it."
            yield report("STEP_FIELD_INVALID", step.part.where(name), message)


def _boundaries(step: StepOutline) -> Iterator[Problem]:
    if step.boundaries and step.type and step.type not in TIMED:
        message = f"{step.label} is left at once or waits for branches; put timers on a task or a WAIT instead."
        yield Problem("BOUNDARY_PARENT_SUPPORTS", step.part.where("boundaryEvents"), message)
    for part in step.boundaries:
        if part.text("type") != "TIMER":
            message = f"{part.text('type')!r} is no boundary event. Write TIMER, the only type there is."
            yield Problem("BOUNDARY_TYPE", part.where("type"), message)


def _job_type(step: StepOutline) -> Iterator[Problem]:
    job_type = step.part.fields.get("jobType")
    if job_type is not None and len(job_type) > _ID_LENGTH:
        message = f"jobType has {len(job_type)} characters, the most is {_ID_LENGTH}. Shorten it."
        yield Problem("ID_FORMAT", step.part.where("jobType"), message)
    if job_type == "":
        message = "jobType is empty, so no worker could take the job. Name it, or leave it out to use the step id."
        yield Problem("JOB_TYPE_REQUIRED", step.part.where("jobType"), message)


def _retry_count(step: StepOutline) -> Iterator[Problem]:
    if not 0 <= step.part.fields.get("retryCount", 0) <= _MAX_RETRIES:
        message = f"retryCount must be between 0 and {_MAX_RETRIES}. Use a retryPolicy to try for longer."
        yield Problem("RETRY_COUNT_RANGE", step.part.where("retryCount"), message)


def _needs_next(code: str) -> Rule:
    def rule(step: StepOutline) -> Iterator[Problem]:
        if step.next_step is None:
            message = f"{step.label} must say in nextStep where to go when it is done."
            yield Problem(code, step.part.where("nextStep"), message)

    return rule


def _has_branches(step: StepOutline) -> Iterator[Problem]:
    if not step.branches:
        message = f"{step.label} needs at least one condition with the step it leads to."
        yield Problem("DECISION_HAS_BRANCHES", step.part.where("conditionalNextSteps"), message)


def _has_entries(step: StepOutline) -> Iterator[Problem]:
    if not step.entries:
        message = f"{step.label} sets nothing. Add a variable, or remove the step."
        yield Problem("TRANSFORMATION_HAS_ENTRIES", step.part.where("transformations"), message)


def _is_parallel(step: StepOutline) -> Iterator[Problem]:
    if len(step.part.items("parallelNextSteps")) < _PARALLEL:
        message = f"{step.label} needs at least two branches. With one, link the steps with nextStep."
        yield Problem("PARALLEL_MIN_BRANCHES", step.part.where("parallelNextSteps"), message)


_TYPE_RULES: Mapping[str, tuple[Rule, ...]] = {
    "SERVICE_TASK": (_job_type, _retry_count),
    "WAIT": (_needs_next("WAIT_HAS_NEXT"),),
    "DECISION": (_has_branches,),
    "DECISION_TABLE": (_needs_next("DECISION_TABLE_HAS_NEXT"), tables.table_problems),
    "TRANSFORMATION": (_needs_next("TRANSFORMATION_HAS_NEXT"), _has_entries),
    "PARALLEL_GATEWAY": (_is_parallel,),
    "JOIN_GATEWAY": (_needs_next("JOIN_HAS_NEXT"),),
}
