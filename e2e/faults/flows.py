"""The workflows of the load: one of each kind of step, and how often each step may be executed in one instance."""

from __future__ import annotations

from typing import Any, NamedTuple

RETRIES = 2
"""How often the job `flaky` fails before it succeeds."""


class Flow(NamedTuple):
    """A definition, and the least and most executions of each of its steps in an instance that has completed."""

    definition: dict[str, Any]
    executions: dict[str, tuple[int, int]]
    has_key: bool = False

    @property
    def id(self) -> str:
        """The definition's id."""
        identity: str = self.definition["id"]
        return identity


def _step(step_id: str, kind: str, next_step: str = "", **more: Any) -> dict[str, Any]:
    return {"id": step_id, "name": step_id, "type": kind, **({"nextStep": next_step} if next_step else {}), **more}


def _work(step_id: str, next_step: str = "", **more: Any) -> dict[str, Any]:
    return _step(step_id, "SERVICE_TASK", next_step, retryCount=3, **more)


def _timer(target: str, *, interrupting: bool, duration: str) -> list[dict[str, Any]]:
    return [{"type": "TIMER", "duration": duration, "interrupting": interrupting, "targetStepId": target}]


_END = _step("end", "END")
_ONCE, _MAYBE = (1, 1), (0, 1)


def _flow(name: str, *steps: dict[str, Any], maybe: tuple[str, ...] = (), key: bool = False, **more: Any) -> Flow:
    executions = {step["id"]: _MAYBE if step["id"] in maybe else _ONCE for step in (*steps, _END)}
    return Flow({"id": name, "name": name, "steps": [*steps, _END], **more}, executions, key)


_FAN: dict[str, Any] = {"parallelNextSteps": ["x", "y"], "joinStep": "join"}
_BACKOFF = {"initialDelay": "PT0.1S", "multiplier": 2}

FLOWS = (
    _flow("linear", _work("a", "b"), _work("b", "c"), _work("c", "end")),
    _flow(
        "fork",
        _step("fan", "PARALLEL_GATEWAY", **_FAN),
        _work("x", "join"),
        _work("y", "z"),
        _work("z", "join"),
        _step("join", "JOIN_GATEWAY", "after"),
        _work("after", "end"),
    ),
    _flow(
        "timer",
        _step("hold", "WAIT", "end", boundaryEvents=_timer("late", interrupting=True, duration="PT0.4S")),
        _work("late", "slow"),
        _work("slow", "end", boundaryEvents=_timer("remind", interrupting=False, duration="PT0.1S")),
        _work("remind"),
        maybe=("remind",),
    ),
    _flow("retry", _work("flaky", "end", retryPolicy=_BACKOFF)),
    _flow("human", _step("approve", "USER_TASK", "stamp"), _work("stamp", "end")),
    _flow("parent", _work("first", "end"), key=True, autoStartNextWorkflow=True, nextWorkflowId="child"),
    _flow("child", _work("second", "end"), key=True),
)

BY_ID = {flow.id: flow for flow in FLOWS}
STARTED = tuple(flow for flow in FLOWS if flow.id != "child")
JOB_TYPES = sorted(
    {step["id"] for flow in FLOWS for step in flow.definition["steps"] if step["type"] == "SERVICE_TASK"}
)
