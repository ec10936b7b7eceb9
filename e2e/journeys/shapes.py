"""One journey for each thing a definition can do: gateways, timers, waits, retries, tables, chains, keys, cancelling.

None depends on how long anything takes, so that each may be killed anywhere: what a timer ends would otherwise never
end.
"""

from __future__ import annotations

from typing import Any

from e2e.journeys.journey import Act, Journey, Json, Outcome

SOON = "PT0.2S"
_END: Json = {"id": "end", "name": "end", "type": "END"}


def _step(step_id: str, kind: str, next_step: str = "", **more: Any) -> Json:
    return {"id": step_id, "name": step_id, "type": kind, **({"nextStep": next_step} if next_step else {}), **more}


def _work(step_id: str, next_step: str = "", job_type: str = "work", **more: Any) -> Json:
    return _step(step_id, "SERVICE_TASK", next_step, jobType=job_type, **more)


def _timer(target: str, *, interrupting: bool) -> list[Json]:
    return [{"type": "TIMER", "duration": SOON, "interrupting": interrupting, "targetStepId": target}]


def _flow(name: str, *steps: Json, **more: Any) -> Json:
    return {"id": f"e2e:{name}", "name": name, "steps": [*steps, _END], **more}


_FAN: Json = {"parallelNextSteps": ["x", "y"], "joinStep": "both"}
_BACKOFF: Json = {"initialDelay": "PT0.1S", "multiplier": 2}
_RULES: list[Json] = [
    {"when": {"score": "score < 500"}, "outputs": {"tier": "HIGH", "rate": 0}},
    {"when": {"score": "score < 650", "amount": "amount > 50000"}, "outputs": {"tier": "MEDIUM", "rate": 12.5}},
    {"when": {}, "outputs": {"tier": "LOW", "rate": "${base + 1}"}},
]
_SUMS: Json = {
    "sum": "${price * count}",
    "label": "goods",
    "nothing": None,
    "large": "${price * count > 100}",
    "list": [1, "two"],
}

SHAPES = (
    Journey(
        "parallel",
        [
            _flow(
                "parallel",
                _step("fan", "PARALLEL_GATEWAY", **_FAN),
                _work("x", "x2"),
                _work("x2", "both"),
                _work("y", "both"),
                _step("both", "JOIN_GATEWAY", "after"),
                _work("after", "end"),
            )
        ],
        Outcome("end", "fan x x2 y both after end", {"x_done": 1, "x2_done": 1, "y_done": 1, "after_done": 1}),
        {"work": 4},
    ),
    Journey(
        "parallel with a user task",
        [
            _flow(
                "parallel-user",
                _step("fan", "PARALLEL_GATEWAY", **_FAN),
                _work("x", "both"),
                _step("y", "USER_TASK", "both"),
                _step("both", "JOIN_GATEWAY", "end"),
            )
        ],
        Outcome("end", "fan x y both end", {"x_done": 1, "agreed": True}),
        {"work": 1},
        acts=[Act("answer", "y", {"agreed": True})],
    ),
    Journey(
        "timer, interrupting",
        [
            _flow(
                "interrupting",
                _work("unserved", "end", "nobody-does-this", boundaryEvents=_timer("hold", interrupting=True)),
                _step("hold", "WAIT", "end", boundaryEvents=_timer("late", interrupting=True)),
                _work("late", "too-late"),
                _step("too-late", "END"),
            )
        ],
        Outcome("too-late", "unserved/FAILED hold/FAILED late too-late", {"late_done": 1}),
        {"work": 1},
    ),
    Journey(
        "timer, not interrupting",
        [
            _flow(
                "reminding",
                _step("approve", "USER_TASK", "end", boundaryEvents=_timer("remind", interrupting=False)),
                _work("remind"),
            )
        ],
        Outcome("end", "approve remind end", {"remind_done": 1, "approved": True}),
        {"work": 1},
        acts=[Act("answer", "approve", {"approved": True}, needs="remind_done")],
    ),
    Journey(
        "wait and signal",
        [
            _flow(
                "waiting",
                _work("order", "hold"),
                _step("hold", "WAIT", "end", conditionalNextSteps={"paid == true": "ship"}),
                _work("ship", "shipped"),
                _step("shipped", "END"),
            )
        ],
        Outcome("shipped", "order hold ship shipped", {"paid": True, "cents": 1250}),
        {"work": 2},
        acts=[Act("signal", "hold", {"paid": True, "cents": 1250})],
    ),
    Journey(
        "retry",
        [_flow("retry", _work("try", "end", "flaky", retryCount=3, retryPolicy=_BACKOFF))],
        Outcome("end", "try end", {"try_done": 1}),
        {"flaky": 1},
        {"until": 1},
        repeats=2,
    ),
    Journey(
        "retries exhausted",
        [_flow("exhausted", _work("try", "end", "flaky", retryCount=2))],
        Outcome("", "try/FAILED", {"until": -1}, status="FAILED"),
        {"flaky": 1},
        {"until": -1},
        repeats=2,
    ),
    Journey(
        "manual retry",
        [_flow("manual-retry", _work("before", "try"), _work("try", "end", "flaky", retryCount=1))],
        Outcome("end", "before try/FAILED try end", {"until": 9, "try_done": 1}),
        {"work": 1, "flaky": 2},
        {"until": -1},
        [Act("retry", "try", {"until": 9})],
        repeats=1,
    ),
    Journey(
        "transformation",
        [_flow("transformation", _step("sums", "TRANSFORMATION", "bill", transformations=_SUMS), _work("bill", "end"))],
        Outcome(
            "end",
            "sums bill end",
            {"sum": 120, "label": "goods", "nothing": None, "large": True, "list": [1, "two"], "bill_done": 1},
        ),
        {"work": 1},
        {"price": 40, "count": 3},
    ),
    Journey(
        "decision table",
        [
            _flow(
                "table",
                _step("tier", "DECISION_TABLE", "route", hitPolicy="F", decisionTable={"rules": _RULES}),
                _step("route", "DECISION", conditionalNextSteps={"tier == 'MEDIUM'": "note", "true": "end"}),
                _work("note", "noted"),
                _step("noted", "END"),
            )
        ],
        Outcome("noted", "tier route note noted", {"tier": "MEDIUM", "rate": 12.5}),
        {"work": 1},
        {"score": 600, "amount": 60_000, "base": 7},
    ),
    Journey(
        "chaining",
        [
            _flow("parent", _work("first", "end"), autoStartNextWorkflow=True, nextWorkflowId="e2e:child"),
            _flow("child", _work("second", "end")),
        ],
        Outcome("end", "first end", {"order": 7, "first_done": 1}),
        {"work": 2},
        {"order": 7},
        child=Outcome("end", "second end", {"order": 7, "first_done": 1, "second_done": 1}),
    ),
    Journey(
        "business key",
        [_flow("key", _work("take", "hold"), _step("hold", "WAIT", "end"))],
        Outcome("end", "take hold end", {"take_done": 1, "go": True}),
        {"work": 1},
        acts=[Act("start again"), Act("signal", "hold", {"go": True})],
    ),
    Journey(
        "cancel",
        [_flow("cancel", _work("take", "hold"), _step("hold", "WAIT", "end"))],
        Outcome("", "take hold/CANCELLED", {"take_done": 1}, status="CANCELLED"),
        {"work": 1},
        acts=[Act("cancel", data={"reason": "changed their mind"})],
    ),
)
