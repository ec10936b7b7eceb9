"""One function for each of the nine kinds of step. Each gives a `Step`, whose JSON is what the contract says.

Steps refer to each other by id (or by the step itself, when it is made already), so they can be written in the order
in which they are read. What is left out is left out of the JSON too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from workflow_sdk.definition.parts import Json, RetryPolicy, Rule, Schema, Timer, id_of


@dataclass(frozen=True)
class Step:
    """A step of a definition, as its JSON fields. Make one with the functions of this module."""

    fields: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The step's id, empty when it has none."""
        return str(self.fields.get("id") or "")

    @property
    def type(self) -> str:
        """The contract's name of its type, such as `SERVICE_TASK`."""
        return str(self.fields.get("type") or "")

    @property
    def job_type(self) -> str:
        """What its jobs are asked for by: of a SERVICE_TASK its jobType, or its id; empty for any other step."""
        return str(self.fields.get("jobType") or self.id) if self.type == "SERVICE_TASK" else ""

    def to_dict(self) -> Json:
        """Return the step's JSON; the caller's own."""
        return deepcopy(dict(self.fields))


Next = str | Step
Conditions = Mapping[str, Next]
"""Where to go by condition, the first true one wins: `{"amount > 1000": "review"}`."""


def service_task(
    id: str,  # noqa: A002 - the contract's word
    *,
    next_step: Next | None = None,
    conditions: Conditions | None = None,
    job_type: str | None = None,
    retry_count: int = 0,
    retry_policy: RetryPolicy | None = None,
    timers: Iterable[Timer] = (),
    outputs_schema: Schema | None = None,
    name: str = "",
    description: str = "",
) -> Step:
    """Return a step that a worker does.

    >>> service_task("score", job_type="credit-score", retry_count=3, next_step="decide").fields["name"]
    'Score'

    Args:
        id: names the step; also its job type when that is left out.
        next_step: where to go when the job is completed, if no condition is true. Without one the token ends here.
        conditions: where to go by condition.
        job_type: which handlers serve it.
        retry_count: how many retryable failures it survives, at most 100.
        retry_policy: how long to wait between them; at once without one.
        timers: what happens when it takes too long.
        outputs_schema: what the worker's result must look like.
        name: for people; made from the id when left out.
        description: for people.

    """
    return _step(
        "SERVICE_TASK",
        id,
        name,
        description,
        jobType=job_type,
        retryCount=retry_count or None,
        retryPolicy=retry_policy and retry_policy.to_dict(),
        outputs_schema=outputs_schema and outputs_schema.to_dict(),
        **_routes(next_step, conditions, timers),
    )


def user_task(
    id: str,  # noqa: A002
    *,
    next_step: Next | None = None,
    conditions: Conditions | None = None,
    timers: Iterable[Timer] = (),
    name: str = "",
    description: str = "",
) -> Step:
    """Return a step that a person completes; the arguments are those of `service_task`."""
    return _step("USER_TASK", id, name, description, **_routes(next_step, conditions, timers))


def wait(
    id: str,  # noqa: A002
    *,
    next_step: Next,
    conditions: Conditions | None = None,
    timers: Iterable[Timer] = (),
    name: str = "",
    description: str = "",
) -> Step:
    """Return a step that waits for a signal, or for an interrupting timer."""
    return _step("WAIT", id, name, description, **_routes(next_step, conditions, timers))


def decision(
    id: str,  # noqa: A002
    conditions: Conditions,
    *,
    name: str = "",
    description: str = "",
) -> Step:
    """Return a step that goes where the first true condition leads; none being true fails the instance.

    >>> decision("large?", {"amount > 1000": "review", "true": "pay"}).fields["conditionalNextSteps"]
    {'amount > 1000': 'review', 'true': 'pay'}
    """
    return _step("DECISION", id, name, description, **_routes(None, conditions, ()))


def decision_table(
    id: str,  # noqa: A002
    rules: Iterable[Rule],
    *,
    next_step: Next,
    hit_policy: str = "U",
    name: str = "",
    description: str = "",
) -> Step:
    """Return a step that sets variables by the rules that match.

    Args:
        id: names the step.
        rules: the rows.
        next_step: where to go then; a table does not route.
        hit_policy: `U` one rule must match, `F` the first, `A` any (all agree), `R` and `C` a list of all, `C+` their
            sum, `C>` the greatest, `C<` the least, `C#` how many.
        name: for people; made from the id when left out.
        description: for people.

    """
    return _step(
        "DECISION_TABLE",
        id,
        name,
        description,
        hitPolicy=hit_policy,
        decisionTable={"rules": [rule.to_dict() for rule in rules]},
        nextStep=id_of(next_step),
    )


def transformation(
    id: str,  # noqa: A002
    values: Mapping[str, Any],
    *,
    next_step: Next,
    name: str = "",
    description: str = "",
) -> Step:
    """Return a step that sets variables: JSON values, or expressions as `expr("amount * 2")`."""
    return _step("TRANSFORMATION", id, name, description, transformations=dict(values), nextStep=id_of(next_step))


def parallel(
    id: str,  # noqa: A002
    branches: Iterable[Next],
    *,
    join_step: Next,
    name: str = "",
    description: str = "",
) -> Step:
    """Return a gateway that starts all branches at once; `join_step` is the `join` where they meet."""
    targets = [id_of(branch) for branch in branches]
    return _step("PARALLEL_GATEWAY", id, name, description, parallelNextSteps=targets, joinStep=id_of(join_step))


def join(
    id: str,  # noqa: A002
    *,
    next_step: Next,
    name: str = "",
    description: str = "",
) -> Step:
    """Return the gateway where the branches of a `parallel` wait for each other."""
    return _step("JOIN_GATEWAY", id, name, description, nextStep=id_of(next_step))


def end(id: str = "end", *, name: str = "", description: str = "") -> Step:  # noqa: A002
    """Return a step that completes the instance, whatever else is still open."""
    return _step("END", id, name, description)


def _step(kind: str, step_id: str, name: str, description: str, **fields: Any) -> Step:
    texts = {"id": step_id, "name": name or title(step_id), "type": kind, "description": description or None}
    return Step({key: value for key, value in {**texts, **fields}.items() if value is not None})


def _routes(next_step: Next | None, conditions: Conditions | None, timers: Iterable[Timer]) -> Json:
    targets = {expression: id_of(step) for expression, step in (conditions or {}).items()}
    return {
        "conditionalNextSteps": targets or None,
        "nextStep": None if next_step is None else id_of(next_step),
        "boundaryEvents": [timer.to_dict() for timer in timers] or None,
    }


def title(name: str) -> str:
    """Return an id as people write it.

    >>> title("LOS::credit-check_2")
    'Credit check 2'
    """
    words = re.split(r"[^0-9A-Za-z?!]+", name.rsplit("::", 1)[-1])
    text = " ".join(word for word in words if word)
    return text[:1].upper() + text[1:] or name
