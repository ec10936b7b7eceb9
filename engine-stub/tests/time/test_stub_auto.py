"""By itself the clock moves only when nothing else can happen."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from rochallor_stub import AsyncEngineStub

TASK = {"id": "work", "type": "SERVICE_TASK", "jobType": "work", "retryCount": 1, "nextStep": "end"}
END = {"id": "end", "type": "END"}
ASK = {
    "id": "ask",
    "type": "USER_TASK",
    "nextStep": "end",
    "boundaryEvents": [{"type": "TIMER", "duration": "P1D", "interrupting": True, "targetStepId": "end"}],
}


@pytest.fixture
def auto(stubs: Any) -> Any:
    """A user of a stub whose clock moves by itself."""
    return stubs(auto=True, quiet_s=0.005)


def test_an_idle_engine_goes_to_its_next_timer(auto: Any) -> None:
    """A day passes as soon as nothing else is left to do."""
    auto.upload(ASK, END)
    instance = auto.start()
    answer = auto.call("GET", f"/v1/instances/{instance}/await?waitMs=20000")
    assert answer["instance"]["completedAt"] == "2026-01-02T00:00:00.000Z"


def test_a_retry_with_backoff_costs_no_real_time(auto: Any) -> None:
    """A worker that polls gets a job whose retry is due in an hour."""
    auto.upload(TASK, END)
    auto.start()
    [job] = auto.poll()
    failed = {"workerId": "w", "errorMessage": "no", "retryable": True, "retryAfterMs": 10_000}
    auto.call("POST", f"/v1/jobs/{job['id']}/fail", failed)
    [again] = auto.poll(waitMs=20_000)
    assert (again["attempt"], auto.stub.now.second) == (2, 10)


DAY = 24 * 3600


def seconds_later(auto: Any) -> float:
    """Let real time pass in which the clock would move if it could, and return how far it did."""
    auto.poll("nothing", waitMs=50)
    return auto.stub.now.timestamp() - 1_767_225_600


def test_a_worker_with_a_job_holds_the_clock(auto: Any) -> None:
    """Its report may come any moment, so neither its lease nor any timer runs out."""
    auto.upload(TASK, END)
    auto.upload(ASK, END, id="other")
    auto.start()
    auto.poll()
    auto.start("other")
    assert seconds_later(auto) == 0


def test_a_job_of_a_type_that_is_served_holds_the_clock(auto: Any) -> None:
    """The worker that asked for this type before will ask again."""
    auto.poll()
    auto.upload(TASK, END)
    auto.upload(ASK, END, id="other")
    auto.start()
    auto.start("other")
    assert seconds_later(auto) == 0


def test_a_worker_that_is_expected_holds_the_clock_for_its_jobs(auto: Any) -> None:
    """It has not asked yet; nothing overtakes it."""
    auto.stub.expect("work")
    auto.upload({**TASK, "boundaryEvents": ASK["boundaryEvents"]}, END)
    auto.start()
    assert seconds_later(auto) == 0


def test_a_reset_forgets_who_has_asked(auto: Any) -> None:
    """The worker of the test before holds nothing in this one."""
    auto.poll()
    auto.stub.reset()
    auto.upload({**TASK, "boundaryEvents": ASK["boundaryEvents"]}, END)
    auto.start()
    assert seconds_later(auto) == DAY


def test_a_job_that_nobody_serves_holds_nothing(auto: Any) -> None:
    """A timer on a step that no worker takes fires by itself."""
    auto.upload({**TASK, "boundaryEvents": ASK["boundaryEvents"]}, END)
    auto.start()
    assert seconds_later(auto) == DAY


def test_whoever_holds_the_clock_keeps_it(auto: Any) -> None:
    """Nothing moves inside `hold`, and it moves on afterwards."""
    with auto.stub.hold():
        auto.upload(ASK, END)
        auto.start()
        held = seconds_later(auto)
    assert (held, seconds_later(auto)) == (0, DAY)


def test_a_scripted_delay_ends_by_itself(auto: Any) -> None:
    """A worker that waits for a delayed acknowledgement is not at work, so its lease does not hold the clock."""
    auto.upload(TASK, END)
    instance = auto.start()
    [job] = auto.poll()
    auto.stub.faults.delay("completeJob", seconds=5)
    auto.complete(job["id"])
    assert auto.get(instance)["completedAt"] == "2026-01-01T00:00:05.000Z"


def test_the_clock_stands_when_auto_is_switched_off(auto: Any) -> None:
    """Afterwards it moves by `advance` only."""
    auto.stub.set_auto(on=False)
    auto.upload(ASK, END)
    auto.start()
    assert seconds_later(auto) == 0


async def test_in_the_middle_of_a_move_nothing_is_over() -> None:
    """The clock has come to the moment of a timer that has not fired yet, so nothing is planned and nobody at work."""
    steps = [{"name": step["id"], **step} for step in (ASK, END)]
    async with AsyncEngineStub() as stub:
        await stub.engine.upload_definition(json.dumps({"id": "flow", "name": "flow", "steps": steps}).encode())
        instance = await stub.engine.start_instance("flow")
        keeper = stub._timekeeper
        async with keeper._turn:
            stub._clock.leap_to(await keeper.next_due_ms() or 0)
            over = asyncio.create_task(keeper.idle_for_good(0))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not over.done()
            await keeper._settle()
        assert await over
        assert (await stub.engine.get_instance(instance.id)).status == "COMPLETED"
