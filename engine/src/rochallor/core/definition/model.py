"""What a workflow definition is once it has been accepted: values, compiled, frozen.

Only data and the look-ups the machine needs on its hot path belong here. Everything that can be computed
once is computed before a value of this module exists: expressions are closures, durations are parsed, job
types have their default. A rule about what is *allowed* belongs in `validate.py`; reading JSON belongs in
`parse.py`.

Author order is meaning: `Step.conditions`, `Rule.when` and `Rule.outputs` are tuples because the first true
condition wins and a table's columns are read left to right. Turning one of them into a dict that is
rebuilt, sorted or deduplicated would change what running workflows do.
"""

from __future__ import annotations

from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rochallor.core.durations import Duration
    from rochallor.core.expressions import Budget, Expression
    from rochallor.core.io_schema import IoSchema


class StepType(str, Enum):
    """The nine kinds of step; the value is the name used in JSON."""

    SERVICE_TASK = "SERVICE_TASK"
    USER_TASK = "USER_TASK"
    WAIT = "WAIT"
    DECISION = "DECISION"
    DECISION_TABLE = "DECISION_TABLE"
    TRANSFORMATION = "TRANSFORMATION"
    PARALLEL_GATEWAY = "PARALLEL_GATEWAY"
    JOIN_GATEWAY = "JOIN_GATEWAY"
    END = "END"

    __hash__ = str.__hash__  # an enum's own is written in Python, and the machine looks kinds up all the time


class Literal(Struct, frozen=True, tag=True):
    """A JSON value that stands for itself."""

    value: Any

    @property
    def names(self) -> frozenset[str]:
        """The variables it reads: none."""
        return frozenset()

    def evaluate(self, _variables: Mapping[str, object], _now_ms: int, _budget: Budget | None = None) -> object:
        """The value itself; callers must not change it in place."""
        return self.value


class Computed(Struct, frozen=True, tag=True):
    """A string that was wholly `${…}`: an expression evaluated when the step runs."""

    expression: Expression

    @property
    def names(self) -> frozenset[str]:
        """The root variables the expression reads."""
        return self.expression.names

    def evaluate(self, variables: Mapping[str, object], now_ms: int, budget: Budget | None = None) -> object:
        """What the expression gives; raises its `ExpressionError` (a ValueError)."""
        return self.expression.evaluate(variables, now_ms, budget)


Value = Literal | Computed


class Condition(Struct, frozen=True):
    """One branch of `conditionalNextSteps`: where to go when the expression is true."""

    expression: Expression
    source: str
    next_step: str


class BoundaryTimer(Struct, frozen=True):
    """A timer on a step: after `duration` a token appears at `target`, instead of or beside the step's own."""

    duration: Duration
    interrupting: bool
    target: str


class RetryPolicy(Struct, frozen=True):
    """How long to wait between retries of one job.

    The n-th retry (from 0) waits `initial_delay * multiplier**n`, at most `max_delay`, varied by ± `jitter`
    (a share of the delay, 0..1). No retry starts later than `give_up_after` after the step was entered.
    """

    initial_delay: Duration
    multiplier: float = 2.0
    max_delay: Duration | None = None
    jitter: float = 0.0
    give_up_after: Duration | None = None


class Cell(Struct, frozen=True):
    """One condition of a table rule; blank cells do not exist here (a wildcard needs no expression)."""

    column: str
    expression: Expression
    source: str


class Rule(Struct, frozen=True):
    """One row of a decision table. Empty `when` matches always."""

    when: tuple[Cell, ...]
    outputs: tuple[tuple[str, Value], ...]


class DecisionTable(Struct, frozen=True):
    """The rules of a DECISION_TABLE step and its output columns in order of first appearance."""

    rules: tuple[Rule, ...]
    output_columns: tuple[str, ...]


class Step(Struct, frozen=True, kw_only=True):
    """One step, with what it does and where it leads."""

    id: str
    type: StepType
    name: str = ""
    description: str = ""
    next_step: str | None = None
    parallel_next_steps: tuple[str, ...] = ()
    join_step: str | None = None
    conditions: tuple[Condition, ...] = ()
    transformations: tuple[tuple[str, Value], ...] = ()
    job_type: str = ""
    delegate_class: str = ""
    retry_count: int = 0
    retry_policy: RetryPolicy | None = None
    boundary_timers: tuple[BoundaryTimer, ...] = ()
    table: DecisionTable | None = None
    hit_policy: str = "U"
    outputs_schema: IoSchema | None = None


class Definition(Struct, frozen=True, kw_only=True, dict=True):
    """One accepted version of a workflow. `version` is 0 until a store has numbered it."""

    id: str
    version: int = 0
    name: str
    steps: tuple[Step, ...]
    description: str = ""
    auto_start_next_workflow: bool = False
    next_workflow_id: str | None = None
    input_schema: IoSchema | None = None
    metadata: Mapping[str, Any] | None = None
    source: bytes = b""

    @property
    def entry(self) -> Step:
        """Where an instance begins: the first step of the author's list."""
        return self.steps[0]

    @cached_property
    def _by_id(self) -> dict[str, Step]:
        return {step.id: step for step in self.steps}

    def step(self, step_id: str) -> Step | None:
        """The step with that id, or None."""
        return self._by_id.get(step_id)
