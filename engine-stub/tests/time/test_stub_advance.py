"""Time moves when it is told to, and everything happens at its own moment."""

from __future__ import annotations

from typing import Any

import pytest
from rochallor_stub import StubError

END = {"id": "end", "type": "END"}
LATE = {"id": "late", "type": "END"}
TASK = {"id": "work", "type": "SERVICE_TASK", "jobType": "work", "retryCount": 2, "nextStep": "end"}


def timed(**fields: Any) -> dict[str, Any]:
    timer = {"type": "TIMER", "duration": "PT1H", "interrupting": True, "targetStepId": "late"}
    return {"id": "ask", "type": "USER_TASK", "nextStep": "end", "boundaryEvents": [timer | fields]}


def test_a_timer_has_fired_when_advance_returns(user: Any) -> None:
    """Nothing is left to wait for after `advance`."""
    user.upload(timed(), END, LATE)
    instance = user.start()
    user.stub.advance(3600)
    assert user.get(instance)["status"] == "COMPLETED"


def test_a_timer_does_not_fire_before_its_moment(user: Any) -> None:
    """A millisecond early is too early."""
    user.upload(timed(), END, LATE)
    instance = user.start()
    user.stub.advance(3599.999)
    assert user.get(instance)["status"] == "WAITING"


def test_each_thing_happens_at_its_own_moment(user: Any) -> None:
    """A long advance stops at every due thing: histories show exact times, in order."""
    for name, hours in (("three", 3), ("one", 1), ("two", 2)):
        user.upload(timed(duration=f"PT{hours}H"), END, LATE, id=name)
    ids = [user.start(name) for name in ("three", "one", "two")]
    user.stub.advance(24 * 3600)
    assert [user.get(each)["completedAt"] for each in ids] == [
        "2026-01-01T03:00:00.000Z",
        "2026-01-01T01:00:00.000Z",
        "2026-01-01T02:00:00.000Z",
    ]


def test_what_follows_from_a_timer_gets_its_own_time_too(user: Any) -> None:
    """A timer that leads to a step with a timer is followed inside one advance."""
    second = {**timed(duration="PT30M"), "id": "again"}
    user.upload(timed(targetStepId="again"), second, END, LATE)
    instance = user.start()
    user.stub.advance(2 * 3600)
    assert user.get(instance)["completedAt"] == "2026-01-01T01:30:00.000Z"


def test_a_chain_is_started_before_advance_returns(user: Any) -> None:
    """The child of a workflow that a timer ended exists when `advance` is back."""
    user.upload(timed(), END, LATE, id="parent", autoStartNextWorkflow=True, nextWorkflowId="child")
    user.upload(timed(), END, LATE, id="child")
    user.start("parent")
    user.stub.advance(3600)
    listed = user.call("GET", "/v1/instances?definitionId=child")["items"]
    assert [child["startedAt"] for child in listed] == ["2026-01-01T01:00:00.000Z"]


def test_a_lease_ends_at_its_moment(user: Any) -> None:
    """A job whose worker says nothing can be had again when 30 s have passed, not before."""
    user.upload(TASK, END)
    user.start()
    first = user.poll()
    user.stub.advance(29.999)
    early = user.poll()
    user.stub.advance(0.001)
    again = user.poll()
    assert (len(first), early, [job["attempt"] for job in again]) == (1, [], [2])


def test_real_time_does_not_move_the_clock(user: Any) -> None:
    """However many requests are made, it stays the same moment."""
    before = user.stub.now
    user.upload(TASK, END)
    user.start()
    assert user.stub.now == before


def test_time_does_not_pass_backwards(stub: Any) -> None:
    """A negative advance is a mistake, and the sentence says what to use."""
    with pytest.raises(StubError, match="jump"):
        stub.advance(-1)


def test_a_jump_lands_in_one_go(user: Any) -> None:
    """After a jump all that was overslept happens at the moment of landing."""
    user.upload(timed(), END, LATE)
    instance = user.start()
    user.stub.jump(7200)
    assert user.get(instance)["completedAt"] == "2026-01-01T02:00:00.000Z"


def test_the_clock_can_be_set_back(user: Any) -> None:
    """A clock that jumps back makes a timer later, not lost."""
    user.upload(timed(), END, LATE)
    instance = user.start()
    user.stub.jump(-1800)
    user.stub.advance(3600)
    waiting = user.get(instance)["status"]
    user.stub.advance(1800)
    assert (waiting, user.get(instance)["status"]) == ("WAITING", "COMPLETED")
