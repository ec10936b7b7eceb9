"""How a run went, as a test wants to ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Result:
    """A run that has ended, or cannot get on by itself.

    Args:
        status: COMPLETED, FAILED or CANCELLED; ACTIVE or WAITING when it cannot get on, and `waiting_for` says why.
        variables: the variables at the end.
        end: id of the END step that was reached, the last one if several were; None when none was.
        path: ids of the steps in the order in which they were entered.
        jobs: job type -> how many jobs of it workers were given; a retry counts again.
        history: the step executions as the engine tells them.
        failure_reason: why it failed, None when it did not.
        waiting_for: sentences about what its open steps wait for.
        seconds: virtual time that it took.
        instance_id: which instance it was.
        child: the run of the workflow that was chained to it, None when there is none.

    """

    status: str
    variables: dict[str, Any]
    end: str | None
    path: list[str]
    jobs: dict[str, int]
    history: list[dict[str, Any]] = field(repr=False)
    failure_reason: str | None = None
    waiting_for: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    instance_id: str = ""
    child: Result | None = None


def result_of(
    instance: Mapping[str, Any],
    history: list[dict[str, Any]],
    *,
    jobs: dict[str, int],
    seconds: float,
    child: Result | None,
) -> Result:
    """Return the result of an instance as the client reads it."""
    return Result(
        status=instance["status"],
        variables=instance.get("variables") or {},
        end=_end_of(history),
        path=[step["stepId"] for step in history],
        jobs=jobs,
        history=history,
        failure_reason=instance.get("failureReason"),
        waiting_for=[waiting["detail"] for waiting in instance.get("waitingFor") or ()],
        seconds=seconds,
        instance_id=instance["id"],
        child=child,
    )


def _end_of(history: list[dict[str, Any]]) -> str | None:
    ends = [step["stepId"] for step in history if step["stepType"] == "END" and step["status"] == "COMPLETED"]
    return ends[-1] if ends else None
