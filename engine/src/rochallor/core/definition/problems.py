"""What can be wrong with a definition: one table of codes, and the list a parse fills.

Every problem names a code of `CODES`, the JSON pointer (RFC 6901) of the place, and a sentence saying what
is wrong and what to do. A code that is not in the table cannot be reported, so the table is the whole
truth; the reference page for authors is compared with it by a test.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct


class Problem(Struct, frozen=True):
    """One thing wrong: `code` is a key of `CODES`, `pointer` an RFC 6901 pointer into the uploaded JSON."""

    code: str
    pointer: str
    message: str


class Code(NamedTuple):
    """How serious a code is, and the rule it stands for."""

    severity: str  # "error": the upload is refused; "warning": returned, never refused; "either": see the rule
    rule: str


CODES: dict[str, Code] = {
    # The bytes.
    "DEFINITION_TOO_LARGE": Code("error", "The JSON text is at most 1 MiB and has at most 2,000 steps."),
    "JSON_SYNTAX": Code("error", "The text is one JSON object in UTF-8: no NaN, at most 100 levels deep."),
    "DUPLICATE_KEY": Code("error", "An object names each key once; so does `orderedConditions`."),
    "UNKNOWN_FIELD": Code("error", "Only the fields of this page may appear; free data goes in `metadata`."),
    "FIELD_TYPE": Code("error", "Each field has the JSON type this page gives it."),
    # The definition.
    "ID_FORMAT": Code(
        "error", "`id` is 1 to 256 of `A-Z a-z 0-9 _ : -`; a step id or `jobType` is at most 256 characters."
    ),
    "NAME_REQUIRED": Code("error", "The definition and every step have a name that is not empty."),
    "STEPS_NONEMPTY": Code("error", "There is at least one step; the first is where an instance begins."),
    "NEXT_WORKFLOW_CONSISTENCY": Code("error", "`autoStartNextWorkflow: true` needs a `nextWorkflowId`."),
    "NEXT_WORKFLOW_UNKNOWN": Code("warning", "`nextWorkflowId` should name a definition that is uploaded."),
    # Any step.
    "STEP_ID_REQUIRED": Code("error", "Every step has an `id` that is not empty."),
    "STEP_ID_UNIQUE": Code("error", "No two steps share an `id`."),
    "STEP_TYPE_VALID": Code("error", "`type` is one of the nine step types."),
    "STEP_FIELD_INVALID": Code(
        "either",
        "A field belongs to the step's type. An error for any foreign field on a DECISION_TABLE and for "
        "`decisionTable` or `hitPolicy` elsewhere; otherwise a warning, and the field is ignored.",
    ),
    "EXPR_SYNTAX": Code("error", "Conditions, table cells and `${…}` values are valid expressions."),
    "SCHEMA_INVALID": Code("error", "A schema has `properties` of known types; `required` names some of them."),
    # The steps one by one.
    "JOB_TYPE_REQUIRED": Code("error", "`jobType` of a SERVICE_TASK is absent (then the step id) or not empty."),
    "RETRY_COUNT_RANGE": Code("error", "`retryCount` is between 0 and 100."),
    "RETRY_POLICY_INVALID": Code(
        "error", "`retryPolicy` has positive ISO 8601 durations, `multiplier` 1..100, `jitter` 0..1."
    ),
    "DECISION_HAS_BRANCHES": Code("error", "A DECISION has at least one entry in `conditionalNextSteps`."),
    "TRANSFORMATION_HAS_NEXT": Code("error", "A TRANSFORMATION has a `nextStep`."),
    "TRANSFORMATION_HAS_ENTRIES": Code("error", "A TRANSFORMATION has at least one entry."),
    "WAIT_HAS_NEXT": Code("error", "A WAIT has a `nextStep`."),
    "PARALLEL_MIN_BRANCHES": Code("error", "A PARALLEL_GATEWAY has at least two branches."),
    "PARALLEL_HAS_JOIN": Code("error", "A PARALLEL_GATEWAY names a JOIN_GATEWAY as its `joinStep`."),
    "JOIN_HAS_NEXT": Code("error", "A JOIN_GATEWAY has a `nextStep`."),
    "JOIN_HAS_GATEWAY": Code("error", "A JOIN_GATEWAY is the `joinStep` of some PARALLEL_GATEWAY."),
    "DECISION_TABLE_HAS_RULES": Code("error", "A DECISION_TABLE has at least one rule."),
    "DECISION_TABLE_HAS_NEXT": Code("error", "A DECISION_TABLE has a `nextStep`."),
    "DECISION_TABLE_HIT_POLICY_UNKNOWN": Code("error", "`hitPolicy` is one of U F A R C C+ C# C> C<."),
    "DECISION_TABLE_AGGREGATOR_ON_NON_C": Code("error", "The suffixes + # > < go with C only."),
    "DECISION_TABLE_LEGACY_THEN": Code("error", "Rules do not route: no `then`; use `outputs` and a DECISION."),
    "DECISION_TABLE_LEGACY_DEFAULT_NEXT_STEP": Code(
        "error", "No `defaultNextStep`; use a last rule with an empty `when`, and `nextStep`."
    ),
    "DECISION_TABLE_UNREACHABLE_RULE": Code("warning", "Each rule should be able to decide something."),
    "BOUNDARY_TYPE": Code("error", "A boundary event is of type TIMER."),
    "BOUNDARY_DURATION": Code("error", "`duration` is an ISO 8601 duration longer than nothing."),
    "BOUNDARY_TARGET_RESOLVES": Code("error", "`targetStepId` names a step of this definition."),
    "BOUNDARY_PARENT_SUPPORTS": Code("error", "Timers sit on SERVICE_TASK, USER_TASK or WAIT steps only."),
    # The graph.
    "REF_RESOLVES": Code("error", "Every reference names a step of this definition."),
    "ALL_REACHABLE": Code("error", "Every step can be reached from the first."),
    "END_REACHABLE": Code("error", "At least one END can be reached from the first step."),
    "GRAPH_CYCLE": Code("warning", "A loop is allowed; make sure that something ends it."),
    "BRANCH_MAY_MISS_JOIN": Code("warning", "Every path of a parallel branch should lead to the join."),
    # The answer.
    "MORE_PROBLEMS": Code("either", "Only the first 500 problems and 500 warnings are listed."),
}

LISTED_AT_MOST = 500


class Findings:
    """Collects problems and warnings in the order they are found."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []

    def error(self, code: str, pointer: str, message: str) -> None:
        """Note something that refuses the upload."""
        assert CODES[code].severity != "warning", code
        self._problems.append(Problem(code, pointer, message))

    def warn(self, code: str, pointer: str, message: str) -> None:
        """Note something the author should know and may ignore."""
        assert CODES[code].severity != "error", code
        self._warnings.append(Problem(code, pointer, message))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What refuses the upload, at most `LISTED_AT_MOST` entries and one that counts the rest."""
        return _capped(self._problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What the author should know, capped in the same way."""
        return _capped(self._warnings)


def _capped(found: list[Problem]) -> tuple[Problem, ...]:
    # A hostile upload of 1 MiB can contain some 300,000 problems; the answer must not be larger than the question.
    rest = len(found) - LISTED_AT_MOST
    if rest <= 0:
        return tuple(found)
    more = Problem("MORE_PROBLEMS", "", f"{rest} more are not listed; correct these first and upload again.")
    return (*found[:LISTED_AT_MOST], more)


def pointer(*parts: str | int) -> str:
    """Build an RFC 6901 pointer from keys and indices."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def next_workflow_unknown(next_workflow_id: str) -> Problem:
    """Build the warning only a caller who knows the stored definitions can give."""
    message = (
        f"No definition {next_workflow_id!r} is uploaded yet. The chain waits until it is; "
        "upload it, or correct nextWorkflowId."
    )
    return Problem("NEXT_WORKFLOW_UNKNOWN", "/nextWorkflowId", message)
