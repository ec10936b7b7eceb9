"""What each type of step does when a token enters it: one behaviour a module, and the table that names them.

A behaviour gets the run, the step's definition and its open execution. It either leaves the execution open (a task
waits) or finishes it. What the definition and the data get wrong is raised as `RoutingFailure`, which fails the
instance. Gateways and joins are in `rochallor.core.tokens`; a join is not opened per token, so it is not in the table.
"""

from __future__ import annotations

from collections.abc import Callable

from rochallor.core.definition.model import Step, StepType
from rochallor.core.model import OpenStep
from rochallor.core.run import Run
from rochallor.core.steps.decision import enter_decision
from rochallor.core.steps.decision_table import enter_decision_table
from rochallor.core.steps.end import enter_end
from rochallor.core.steps.gateway import enter_gateway
from rochallor.core.steps.service_task import enter_service_task
from rochallor.core.steps.transformation import enter_transformation
from rochallor.core.steps.user_task import enter_user_task
from rochallor.core.steps.wait import enter_wait

ENTER: dict[StepType, Callable[[Run, Step, OpenStep], None]] = {
    StepType.SERVICE_TASK: enter_service_task,
    StepType.USER_TASK: enter_user_task,
    StepType.WAIT: enter_wait,
    StepType.DECISION: enter_decision,
    StepType.DECISION_TABLE: enter_decision_table,
    StepType.TRANSFORMATION: enter_transformation,
    StepType.PARALLEL_GATEWAY: enter_gateway,
    StepType.END: enter_end,
}

READS = frozenset({StepType.DECISION, StepType.DECISION_TABLE})
"""Steps whose history shows what they read: the variables their expressions name."""
