"""A workflow runs to its end on the engine's own machine, in virtual time."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from workflow_sdk import HandlerRegistry, JobContext
from workflow_sdk.errors import BadRequest, NonRetryableError

if TYPE_CHECKING:
    from workflow_sdk.testing import Engine


END = {"id": "end", "name": "End", "type": "END"}
LATE = {"id": "late", "name": "Late", "type": "END"}


def flow(*steps: dict[str, Any], id: str = "flow", **fields: Any) -> dict[str, Any]:  # noqa: A002 - the contract's name
    return {"id": id, "name": id, "steps": [{"name": step["id"], **step} for step in steps], **fields}


def task(**fields: Any) -> dict[str, Any]:
    return {"id": "work", "type": "SERVICE_TASK", "jobType": "work", "nextStep": "end", **fields}


def timer(duration: str = "P1D") -> list[dict[str, Any]]:
    return [{"type": "TIMER", "duration": duration, "interrupting": True, "targetStepId": "late"}]


def test_a_run_tells_how_it_went(kit: Engine, registry: HandlerRegistry) -> None:
    """Status, variables, END, path, and how often each handler was given a job."""
    registry.register("work", lambda ctx: {"n": ctx["variables"]["n"] + 1})
    result = kit.run_sync(flow(task(), END), {"n": 1}, registry=registry)
    assert (result.status, result.variables, result.end) == ("COMPLETED", {"n": 2}, "end")
    assert (result.path, result.jobs, result.seconds) == (["work", "end"], {"work": 1}, 0)


async def test_a_run_can_be_awaited(kit: Engine, registry: HandlerRegistry) -> None:
    """An async test gets the same, and an async handler is run to its end."""

    async def handler(_ctx: JobContext) -> dict[str, Any]:
        return {"done": True}

    registry.register("work", handler)
    result = await kit.run(flow(task(), END), registry=registry)
    assert result.variables == {"done": True}


def test_retries_with_backoff_cost_no_real_time(kit: Engine, registry: HandlerRegistry) -> None:
    """Three minutes of waiting are virtual."""
    attempts: list[int] = []

    def handler(ctx: JobContext) -> None:
        attempts.append(ctx["attempt"])
        if len(attempts) < 3:
            raise RuntimeError("not yet")

    registry.register("work", handler)
    policy = {"initialDelay": "PT1M"}
    result = kit.run_sync(flow(task(retryCount=2, retryPolicy=policy), END), registry=registry)
    assert (result.status, attempts, result.seconds, result.jobs) == ("COMPLETED", [1, 2, 3], 180, {"work": 3})


def test_a_timer_costs_no_real_time(kit: Engine, registry: HandlerRegistry) -> None:
    """A step that nobody answers ends with its timer, a day later."""
    ask = {"id": "ask", "type": "USER_TASK", "nextStep": "end", "boundaryEvents": timer()}
    result = kit.run_sync(flow(ask, END, LATE), registry=registry)
    assert (result.end, result.seconds) == ("late", 86_400)


def test_a_busy_handler_is_not_overtaken_by_a_timer(kit: Engine, registry: HandlerRegistry) -> None:
    """While a handler works for real, no virtual time passes."""
    registry.register("work", lambda _ctx: sum(range(2_000_000)) and None)
    result = kit.run_sync(flow(task(boundaryEvents=timer("PT1S")), END, LATE), registry=registry)
    assert (result.end, result.seconds) == ("end", 0)


def test_user_tasks_and_signals_are_answered_by_the_script(kit: Engine, registry: HandlerRegistry) -> None:
    """Maps, and functions of the variables so far."""
    ask = {"id": "ask", "type": "USER_TASK", "nextStep": "wait"}
    wait = {"id": "wait", "type": "WAIT", "nextStep": "end"}
    result = kit.run_sync(
        flow(ask, wait, END),
        {"n": 1},
        registry=registry,
        on_user_task={"ask": {"n": 5}},
        on_signal={"wait": lambda place: {"n": place["variables"]["n"] + 1}},
    )
    assert (result.status, result.variables) == ("COMPLETED", {"n": 6})


def test_a_run_that_cannot_get_on_says_why(kit: Engine, registry: HandlerRegistry) -> None:
    """It comes back at once, waiting."""
    ask = {"id": "ask", "type": "USER_TASK", "nextStep": "end"}
    result = kit.run_sync(flow(ask, END), registry=registry)
    assert (result.status, result.end) == ("WAITING", None)
    assert "user task 'ask'" in result.waiting_for[0]


def test_a_failed_run_says_why(kit: Engine, registry: HandlerRegistry) -> None:
    """The handler's message is the reason."""

    def handler(_ctx: JobContext) -> None:
        raise NonRetryableError("card refused")

    registry.register("work", handler)
    result = kit.run_sync(flow(task(), END), registry=registry)
    assert (result.status, "card refused" in (result.failure_reason or "")) == ("FAILED", True)


def test_a_chained_workflow_is_run_too(kit: Engine, registry: HandlerRegistry) -> None:
    """The child has a result of its own."""
    registry.register("work", lambda _ctx: {"by": "child"})
    parent = flow(END, id="parent", autoStartNextWorkflow=True, nextWorkflowId="child")
    result = kit.run_sync(parent, registry=registry, also=[flow(task(), END, id="child")])
    assert result.child is not None
    assert (result.jobs, result.child.variables, result.child.jobs) == ({}, {"by": "child"}, {"work": 1})


def test_a_lost_acknowledgement_does_not_run_a_handler_twice(kit: Engine, registry: HandlerRegistry) -> None:
    """Faults are planted before the run that they are for."""
    ran: list[str] = []
    registry.register("work", lambda ctx: ran.append(ctx["id"]))
    kit.faults.drop_after("completeJob")
    result = kit.run_sync(flow(task(), END), registry=registry)
    assert (result.status, len(ran)) == ("COMPLETED", 1)
    assert [entry.operation for entry in kit.journal if "drop_after" in entry.faults] == ["completeJob"]


def test_runs_do_not_see_each_other(kit: Engine, registry: HandlerRegistry) -> None:
    """Each run has a fresh engine, and the same seed gives it the same ids."""
    first, second = (kit.run_sync(flow(END), registry=registry, business_key="one") for _ in range(2))
    assert (first.instance_id, first.status) == (second.instance_id, second.status)


def test_a_definition_that_is_wrong_is_refused(kit: Engine, registry: HandlerRegistry) -> None:
    """The engine's own sentence comes back."""
    with pytest.raises(BadRequest, match="'end', which is no step"):
        kit.run_sync(flow(task()), registry=registry)


def test_a_script_that_raises_fails_the_test(kit: Engine, registry: HandlerRegistry) -> None:
    """A mistake in a function of the script is not swallowed."""
    from workflow_sdk.testing import TestingError  # noqa: PLC0415 - needs the stub, which the fixture has checked

    ask = {"id": "ask", "type": "USER_TASK", "nextStep": "end"}
    with pytest.raises(TestingError, match="oops"):
        kit.run_sync(flow(ask, END), registry=registry, on_user_task={"ask": lambda place: place["oops"]})


def test_a_handler_that_hangs_is_named(kit: Engine, registry: HandlerRegistry) -> None:
    """The run gives up in real time and says what it waited for."""
    import threading  # noqa: PLC0415 - used by this test only

    from workflow_sdk.testing import TestingError  # noqa: PLC0415 - as above

    registry.register("work", lambda _ctx: threading.Event().wait(0.3) and None)
    with pytest.raises(TestingError, match="'work'"):
        kit.run_sync(flow(task(), END), registry=registry, timeout=0.1)


def test_without_the_stub_the_error_says_what_to_install() -> None:
    """`workflow_sdk.testing` imports without it; only `Engine` needs it."""
    code = (
        "import sys; sys.modules['rochallor_stub'] = None\n"
        "from workflow_sdk.testing import Engine, TestingError, call\n"
        "try: Engine()\n"
        "except TestingError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'workflow-sdk[testing]'" in done.stdout


def test_the_kit_is_not_loaded_by_the_package() -> None:
    """A worker in production pays nothing for it."""
    code = "import sys, workflow_sdk; print([name for name in sys.modules if 'testing' in name or 'stub' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
