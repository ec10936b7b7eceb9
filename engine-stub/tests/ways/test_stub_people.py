"""Scripted people answer before time can move."""

from __future__ import annotations

from typing import Any

import pytest

END = {"id": "end", "type": "END"}
LATE = {"id": "late", "type": "END"}
DAY = [{"type": "TIMER", "duration": "P1D", "interrupting": True, "targetStepId": "late"}]


@pytest.mark.parametrize(("kind", "script"), [("USER_TASK", "user_tasks"), ("WAIT", "signals")])
def test_an_answer_comes_before_a_timer(stubs: Any, kind: str, script: str) -> None:
    """With a clock that moves by itself, the day of the timer does not pass."""
    user = stubs(auto=True, quiet_s=0.005)
    getattr(user.stub.people, script)["ask"] = lambda place: {"said": place["variables"]["n"] + 1}
    user.upload({"id": "ask", "type": kind, "nextStep": "end", "boundaryEvents": DAY}, END, LATE)
    instance = user.start(variables={"n": 1})
    assert user.stub.finish(10)
    assert (user.get(instance)["variables"], user.stub.now.day) == ({"n": 1, "said": 2}, 1)


def test_a_function_may_leave_a_task_open(stubs: Any) -> None:
    """None is no answer, so the timer has its day."""
    user = stubs(auto=True, quiet_s=0.005)
    user.stub.people.user_tasks["ask"] = lambda _place: None
    user.upload({"id": "ask", "type": "USER_TASK", "nextStep": "end", "boundaryEvents": DAY}, END, LATE)
    user.start()
    assert user.stub.finish(10)
    assert user.stub.now.day == 2


def test_a_step_that_is_reached_again_is_answered_again(user: Any) -> None:
    """Each visit is a task of its own."""
    user.stub.people.user_tasks["ask"] = lambda place: {"n": place["variables"]["n"] + 1}
    again = {"id": "enough", "type": "DECISION", "conditionalNextSteps": {"n < 3": "ask", "n >= 3": "end"}}
    user.upload({"id": "ask", "type": "USER_TASK", "nextStep": "enough"}, again, END)
    instance = user.start(variables={"n": 0})
    assert user.stub.finish(10)
    assert user.get(instance)["variables"] == {"n": 3}


def test_what_a_function_raises_is_kept(user: Any) -> None:
    """The test can see why nothing was answered."""

    def broken(_place: Any) -> Any:
        raise LookupError("nobody home")

    user.stub.people.user_tasks["ask"] = broken
    user.upload({"id": "ask", "type": "USER_TASK", "nextStep": "end"}, END)
    user.start()
    assert user.stub.finish(10)
    assert [str(error) for error in user.stub.people.errors] == ["nobody home"]
