"""From an outline to a `Definition`: expressions, durations and schemas are compiled once, here.

Text inside values is judged here because judging it is compiling it: EXPR_SYNTAX, BOUNDARY_DURATION,
RETRY_POLICY_INVALID and SCHEMA_INVALID. Every function returns what it could make, so that all such problems are
found in one pass; the result is a definition only when nothing was reported by anybody.
"""

from __future__ import annotations

from msgspec import Struct

from rochallor.core.definition.fields import Part
from rochallor.core.definition.graph import LINEAR, ROUTED
from rochallor.core.definition.model import (
    BoundaryTimer,
    Cell,
    Computed,
    Condition,
    DecisionTable,
    Definition,
    Literal,
    RetryPolicy,
    Rule,
    Step,
    StepType,
    Value,
)
from rochallor.core.definition.outline import Entry, Outline, StepOutline
from rochallor.core.definition.problems import Findings, pointer
from rochallor.core.durations import Duration, parse_duration
from rochallor.core.expressions import Expression, ExpressionSyntaxError, compile_expression, template_of
from rochallor.core.io_schema import IoSchema, parse_io_schema

MULTIPLIER = (1, 100)
JITTER = (0, 1)


class Compiler(Struct, frozen=True):
    """What all parts of one definition share: where problems go, and the dialect of expressions."""

    findings: Findings
    coercion: bool

    def definition(self, outlined: Outline) -> Definition:
        """Compile everything; worth having only when nothing was reported, for what fails is left out."""
        part = outlined.part
        return Definition(
            id=part.text("id"),
            name=part.text("name"),
            description=part.text("description"),
            steps=tuple(self.step(step, step.type) for step in outlined.steps if step.type is not None),
            auto_start_next_workflow=part.fields.get("autoStartNextWorkflow", False),
            next_workflow_id=part.text("nextWorkflowId") or None,
            input_schema=self.schema(part, "input_schema"),
            metadata=part.fields.get("metadata"),
        )

    def step(self, outlined: StepOutline, kind: StepType) -> Step:
        """Compile one step; fields foreign to its type are left out, so that nothing can act on them."""
        part, is_job = outlined.part, kind is StepType.SERVICE_TASK
        return Step(
            id=outlined.id,
            type=kind,
            name=part.text("name"),
            description=part.text("description"),
            next_step=outlined.next_step.target if outlined.next_step and kind in LINEAR else None,
            parallel_next_steps=tuple(ref.target for ref in outlined.parallel),
            join_step=outlined.join.target if outlined.join else None,
            conditions=self.conditions(outlined) if kind in ROUTED else (),
            transformations=self.entries(outlined.entries) if kind is StepType.TRANSFORMATION else (),
            job_type=part.text("jobType") or (outlined.id if is_job else ""),
            delegate_class=part.text("delegateClass"),
            retry_count=part.fields.get("retryCount", 0) if is_job else 0,
            retry_policy=self.retry_policy(outlined.retry_policy) if is_job else None,
            boundary_timers=self.timers(outlined),
            table=self.table(outlined) if kind is StepType.DECISION_TABLE else None,
            hit_policy=part.text("hitPolicy") or "U",
            outputs_schema=self.schema(part, "outputs_schema") if is_job else None,
        )

    def conditions(self, outlined: StepOutline) -> tuple[Condition, ...]:
        """Compile `conditionalNextSteps`, in author order."""
        compiled = ((self.expression(branch.expression, branch.at), branch) for branch in outlined.branches)
        return tuple(
            Condition(expression, branch.expression, branch.to.target)
            for expression, branch in compiled
            if expression is not None
        )

    def entries(self, entries: tuple[Entry, ...]) -> tuple[tuple[str, Value], ...]:
        """Compile transformations or outputs, in author order."""
        compiled = ((entry.name, self.value(entry)) for entry in entries)
        return tuple((name, value) for name, value in compiled if value is not None)

    def table(self, outlined: StepOutline) -> DecisionTable:
        """Compile the rules of a table."""
        columns = dict.fromkeys(entry.name for rule in outlined.rules for entry in rule.outputs)
        rules = tuple(Rule(self.cells(rule.when), self.entries(rule.outputs)) for rule in outlined.rules)
        return DecisionTable(rules, tuple(columns))

    def cells(self, entries: tuple[Entry, ...]) -> tuple[Cell, ...]:
        """Compile the cells of a rule that are not blank."""
        compiled = ((entry, self.expression(entry.value, entry.at)) for entry in entries)
        return tuple(
            Cell(entry.name, expression, entry.value) for entry, expression in compiled if expression is not None
        )

    def value(self, entry: Entry) -> Value | None:
        """Compile a value: an expression when it is wholly `${…}`, else a literal."""
        try:
            expression = template_of(entry.value, coercion=self.coercion)
        except ExpressionSyntaxError as error:
            self.findings.error("EXPR_SYNTAX", entry.at, str(error))
            return None
        return Literal(entry.value) if expression is None else Computed(expression)

    def expression(self, source: str, at: str) -> Expression | None:
        """Compile one expression, or report why it is none."""
        try:
            return compile_expression(source, coercion=self.coercion)
        except ExpressionSyntaxError as error:
            self.findings.error("EXPR_SYNTAX", at, str(error))
            return None

    def timers(self, outlined: StepOutline) -> tuple[BoundaryTimer, ...]:
        """Compile boundary events."""
        durations = [self.duration(part, "duration", "BOUNDARY_DURATION") for part in outlined.boundaries]
        return tuple(
            BoundaryTimer(duration, part.fields.get("interrupting", False), part.text("targetStepId"))
            for duration, part in zip(durations, outlined.boundaries, strict=True)
            if duration is not None
        )

    def retry_policy(self, part: Part | None) -> RetryPolicy | None:
        """Compile `retryPolicy`; only `initialDelay` must be there."""
        if part is None:
            return None
        code = "RETRY_POLICY_INVALID"
        initial = self.duration(part, "initialDelay", code)
        maximum = self.duration(part, "maxDelay", code) if "maxDelay" in part.fields else None
        give_up = self.duration(part, "giveUpAfter", code) if "giveUpAfter" in part.fields else None
        multiplier = self.figure(part, "multiplier", 2, MULTIPLIER)
        jitter = self.figure(part, "jitter", 0, JITTER)
        return None if initial is None else RetryPolicy(initial, multiplier, maximum, jitter, give_up)

    def duration(self, part: Part, name: str, code: str) -> Duration | None:
        """Compile an ISO 8601 duration."""
        try:
            return parse_duration(part.text(name))
        except ValueError as error:
            self.findings.error(code, part.where(name), f"{error}. Correct {name}.")
            return None

    def figure(self, part: Part, name: str, default: float, limits: tuple[int, int]) -> float:
        """Read a number of a retry policy, within its limits."""
        value, (low, high) = part.fields.get(name, default), limits
        if not low <= value <= high:
            message = f"{name} must be between {low} and {high}. Change it."
            self.findings.error("RETRY_POLICY_INVALID", part.where(name), message)
            return default
        return float(value)

    def schema(self, part: Part, name: str) -> IoSchema | None:
        """Compile `input_schema` or `outputs_schema`."""
        if name not in part.fields:
            return None
        schema, problems = parse_io_schema(part.fields[name])
        for problem in problems:
            code = "UNKNOWN_FIELD" if problem.unknown_field else "SCHEMA_INVALID"
            self.findings.error(code, part.where(name) + pointer(*problem.path), problem.message)
        return schema
