"""Workflow definitions in Python: build, check, draw, and write them as the engine's JSON.

`Workflow` holds steps; one function makes each kind. `check` compares workflows with a worker's handlers.
"""

from workflow_sdk.definition.parts import RetryPolicy, Rule, Schema, Timer, expr
from workflow_sdk.definition.problems import Problem
from workflow_sdk.definition.steps import (
    Step,
    decision,
    decision_table,
    end,
    join,
    parallel,
    service_task,
    transformation,
    user_task,
    wait,
)
from workflow_sdk.definition.workflow import Workflow, check

__all__ = [
    "Problem",
    "RetryPolicy",
    "Rule",
    "Schema",
    "Step",
    "Timer",
    "Workflow",
    "check",
    "decision",
    "decision_table",
    "end",
    "expr",
    "join",
    "parallel",
    "service_task",
    "transformation",
    "user_task",
    "wait",
]
