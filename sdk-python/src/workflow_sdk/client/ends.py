"""How an instance ends, read from what the engine says of it. Pure, for the blocking and the asynchronous handle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflow_sdk.errors import WorkflowSDKError

COMPLETED, FAILED, CANCELLED = "COMPLETED", "FAILED", "CANCELLED"
TERMINAL = frozenset({COMPLETED, FAILED, CANCELLED})
HOLD_SECONDS = 20.0
"""For how long an engine is asked to hold one question for the end; it grants up to 30 s."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0
"""Pauses between questions to an engine that cannot hold one."""


class InstanceEnded(WorkflowSDKError):
    """An instance ended in another way than by completing.

    Args:
        instance: the instance as the engine shows it, with `status`, `failureReason` and `variables`.

    """

    def __init__(self, instance: Mapping[str, Any]) -> None:
        self.instance = dict(instance)
        reason = instance.get("failureReason") or "no reason was given"
        super().__init__(f"instance {instance.get('id')} is {instance.get('status')}: {reason}")

    @property
    def status(self) -> str:
        """`FAILED` or `CANCELLED`."""
        return str(self.instance.get("status"))


class InstanceFailed(InstanceEnded):
    """The instance failed; `retry` on its handle runs the failed step again."""


class InstanceCancelled(InstanceEnded):
    """The instance was cancelled."""


class StillRunning(WorkflowSDKError, TimeoutError):
    """The time given to `result` ran out; the instance goes on, and can be waited for again."""

    def __init__(self, instance: Mapping[str, Any], timeout: float) -> None:
        self.instance = dict(instance)
        at = ", ".join(instance.get("currentStepIds") or ()) or "no step"
        super().__init__(f"instance {instance.get('id')} is {instance.get('status')} at {at} after {timeout:g} s")


def result_of(instance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of a completed instance.

    Raises:
        InstanceFailed, InstanceCancelled: it ended otherwise.

    """
    if instance["status"] == COMPLETED:
        return dict(instance.get("variables") or {})
    raise (InstanceFailed if instance["status"] == FAILED else InstanceCancelled)(instance)


def longer(pause: float) -> float:
    """Return the pause after this one."""
    return min(pause * 2, LONGEST_PAUSE_SECONDS)
