"""Manual retry: a failed instance goes on where it failed, with everything that was open at that moment."""

import pytest
from rochallor.core import events as ev
from rochallor.core.context import Rules
from rochallor.core.errors import BusinessKeyInUse, Conflict, PayloadTooLarge
from rochallor.core.reports import Verdict
from rochallor.core.variables import View

ONE = """
    task a -> end :: {"retryCount": 1}
    end end
"""


def failed(run, text, step_id, *args, **fields):
    """Return an instance that a worker failed for good."""
    driver = run(text, *args, **fields)
    driver.fail(step_id, retryable=False)
    assert driver.status == "FAILED"
    return driver


def test_retry_of_a_service_task(run):
    """The failed step is entered anew: a new execution, a new first delivery, the full budget; old rows stay."""
    driver = run(ONE)
    driver.fail("a")
    driver.fail("a")
    driver.wait(1000)
    driver.retry("a")
    assert driver.at == ["a"]
    job = driver.instance.open[2].job
    assert (job.delivery, job.retries_remaining, job.failures, job.ready_at_ms) == (1, 1, 0, driver.now_ms)
    assert driver.instance.open[2].attempt == 2
    assert driver.history == [("a", "FAILED")]
    driver.complete("a")
    assert driver.status == "COMPLETED"


def test_retry_clears_the_failure(run):
    """After a retry the instance is in flight again: no reason, no end time, no snapshot."""
    driver = failed(run, ONE, "a")
    driver.retry("a")
    instance = driver.instance
    assert driver.status == "ACTIVE"
    assert (instance.failure_reason, instance.completed_at_ms, instance.frozen) == (None, None, None)


def test_retry_merges_variables(run):
    """Variables given with a retry are merged before anything runs, and are the new execution's input."""
    driver = failed(run, ONE, "a", {"x": 1, "y": 2})
    driver.retry("a", {"x": 9})
    assert driver.variables == {"x": 9, "y": 2}
    entered = driver.happened(ev.StepEntered)[-1]
    assert dict(View(entered.input)) == {"x": 9}


def test_report_about_the_job_before_a_retry(run):
    """A worker that comes back with the job from before the retry is late."""
    driver = run(ONE)
    job = driver.job("a")
    driver.fail("a", retryable=False)
    driver.retry("a")
    assert driver.complete(job).verdict is Verdict.CLOSED
    assert driver.at == ["a"]


def test_retry_of_an_automatic_step(run):
    """An automatic step that failed runs again with the corrected variables."""
    driver = run(
        """
        decide d ? x == 1 -> a
        task a -> end
        end end
    """,
        {"x": 0},
    )
    driver.retry("d", {"x": 1})
    assert driver.at == ["a"]
    assert driver.history == [("d", "FAILED"), ("d", "COMPLETED")]


def test_retry_that_fails_again(run):
    """A retry that fails at once leaves a failed instance that can be retried again."""
    driver = run(
        """
        decide d ? x == 1 -> end
        end end
    """,
        {"x": 0},
    )
    driver.retry("d")
    assert driver.status == "FAILED"
    driver.retry("d", {"x": 1})
    assert driver.status == "COMPLETED"
    assert [event.attempt for event in driver.happened(ev.StepEntered) if event.step_id == "d"] == [1, 2, 3]


def test_retry_of_a_user_task(run):
    """A user task whose routing failed is opened again."""
    driver = run("""
        user u -> end ? x > 1 -> end
        end end
    """)
    driver.task("u")
    assert driver.status == "FAILED"
    driver.retry("u", {"x": 2})
    assert driver.status == "WAITING"
    driver.task("u")
    assert driver.status == "COMPLETED"


def test_retry_of_the_wrong_step(run):
    """Only the step that failed the instance can be retried; the refusal names it."""
    driver = failed(
        run,
        """
        fork split -> a, b => both
        task a -> both
        task b -> both
        join both -> end
        end end
        """,
        "a",
    )
    error = driver.refused(driver.retry, "b")
    assert isinstance(error, Conflict)
    assert error.message.startswith("step 'b' did not fail instance")
    assert error.message.endswith("retry 'a'")


@pytest.mark.parametrize("how", ["active", "cancel", "complete"])
def test_retry_of_an_instance_that_did_not_fail(run, how):
    """Only a FAILED instance can be retried."""
    driver = run(ONE)
    if how == "cancel":
        driver.cancel()
    if how == "complete":
        driver.complete("a")
    error = driver.refused(driver.retry, "a")
    assert isinstance(error, Conflict)
    assert f"is {driver.status}; only a FAILED instance can be retried" in error.message


def test_retry_when_the_key_is_in_use(run):
    """A failed instance whose business key was taken meanwhile cannot come back."""
    driver = failed(run, ONE, "a", key="K")
    error = driver.refused(driver.retry, "a", key_holder="OTHER")
    assert isinstance(error, BusinessKeyInUse)
    assert "'K' of 'flow' is held by instance OTHER" in error.message
    driver.retry("a")
    assert driver.instance.business_key == "K"


def test_retry_with_too_many_variables(run):
    """Variables that would take the instance over the limit are refused; it stays as it was."""
    driver = failed(run, ONE, "a", {"x": "x" * 50}, rules=Rules(max_variables_bytes=100))
    error = driver.refused(driver.retry, "a", {"y": "y" * 50})
    assert isinstance(error, PayloadTooLarge)
    driver.retry("a", {"x": "y" * 60})
    assert driver.status == "ACTIVE"


SIBLINGS = """
    fork split -> a, b, u, w, c => both
    task a -> both
    task b -> both :: {"retryCount": 2}
    user u -> both !PT1M -> both
    wait w -> both
    task c -> both
    join both -> end
    end end
"""


def test_siblings_are_opened_anew(run):
    """Everything that was open when the instance failed is opened again: fresh jobs, full timers, waiting joins."""
    driver = run(SIBLINGS)
    driver.complete("c")
    driver.fail("b")
    driver.wait(30_000)
    driver.fail("a", retryable=False)
    driver.retry("a")
    assert sorted(driver.at) == ["a", "b", "both", "u", "w"]
    assert driver.status == "WAITING"
    job = driver.execution("b").job
    assert (job.delivery, job.retries_remaining) == (1, 2)
    assert driver.execution("u").timers[0].due_ms == driver.now_ms + 60_000
    assert {driver.execution(name).attempt for name in ("a", "b", "u", "w", "both")} == {2}


def test_arrived_tokens_are_restored(run):
    """Tokens that had arrived at a join are still there after a retry, and it fires once with them."""
    driver = run(SIBLINGS)
    driver.complete("c")
    driver.fail("a", retryable=False)
    driver.retry("a")
    driver.task("u")
    driver.signal("w")
    driver.complete("b")
    assert driver.status == "ACTIVE"
    driver.complete("a")
    assert driver.status == "COMPLETED"
    assert driver.ended("both") == ["CANCELLED", "COMPLETED"]


def test_siblings_have_no_input_of_the_retry(run):
    """What a retry gives is the input of the failed step only."""
    driver = run(SIBLINGS)
    driver.fail("a", retryable=False)
    driver.retry("a", {"x": 1})
    again = {event.step_id: event.input for event in driver.happened(ev.StepEntered)[-5:]}
    assert again.pop("a") is not None
    assert set(again.values()) == {None}


def test_pending_tokens_are_restored(run):
    """Branches that had not even been entered when a sibling failed are entered after a retry."""
    driver = run(
        """
        fork split -> d, a, b => both
        decide d ? x == 1 -> both
        task a -> both
        task b -> both
        join both -> end
        end end
    """,
        {"x": 0},
    )
    assert driver.history == [("split", "COMPLETED"), ("d", "FAILED")]
    driver.retry("d", {"x": 1})
    assert driver.at == ["a", "b", "both"]
    driver.complete("a")
    driver.complete("b")
    assert driver.status == "COMPLETED"


def test_pending_tokens_outlive_a_second_failure(run):
    """A retry that fails at once still knows the tokens that were pending, and what was open."""
    driver = run(
        """
        fork split -> first, d, a => both
        task first -> both
        decide d ? x == 1 -> both
        task a -> both
        join both -> end
        end end
    """,
        {"x": 0},
    )
    driver.retry("d")
    assert driver.status == "FAILED"
    driver.retry("d", {"x": 1})
    assert sorted(driver.at) == ["a", "both", "first"]


def test_extra_tokens_are_restored(run):
    """A timer's token that was open at the failure counts for its join after a retry as before."""
    driver = run("""
        fork split -> a, b => both
        task a -> both +PT1M -> more
        task b -> both
        task more
        join both -> end
        end end
    """)
    driver.fire("a")
    driver.fail("b", retryable=False)
    driver.retry("b")
    for step_id in ("more", "a", "b"):
        assert driver.status == "ACTIVE"
        driver.complete(step_id)
    assert driver.status == "COMPLETED"


def test_nested_activations_are_restored(run):
    """After a retry inner and outer joins each wait for exactly what they waited for before."""
    driver = run("""
        fork outer -> inner, c => all
        fork inner -> a, b => some
        task a -> some
        task b -> some
        task c -> all
        join some -> all
        join all -> end
        end end
    """)
    driver.complete("a")
    driver.complete("c")
    driver.fail("b", retryable=False)
    driver.retry("b")
    assert sorted(driver.at) == ["all", "b", "some"]
    driver.complete("b")
    assert driver.status == "COMPLETED"


def test_retry_twice(run):
    """An instance may fail and be retried again and again; attempts go on counting."""
    driver = run(SIBLINGS)
    for attempt in (2, 3):
        driver.fail("a", retryable=False)
        driver.retry("a")
        assert driver.execution("a").attempt == attempt
    for _ in range(2):
        driver.task("u") if "u" in driver.at else driver.signal("w")
    for step_id in ("a", "b", "c"):
        driver.complete(step_id)
    assert driver.status == "COMPLETED"


def test_retry_after_the_budget_ran_out(run):
    """An instance that ran out of its step budget goes on from the step it had reached."""
    driver = run(
        """
        set s -> d :: {"transformations": {"n": "${n + 1}"}}
        decide d ? n > 4 -> end ; true -> s
        end end
        """,
        {"n": 0},
        rules=Rules(step_budget=5),
    )
    assert driver.reason.startswith("StepBudgetExceeded")
    driver.retry(driver.history[-1][0])
    assert driver.variables["n"] > 3


def test_retry_after_cancel(run):
    """A cancelled instance keeps no snapshot: it stays cancelled."""
    driver = failed(run, ONE, "a")
    driver.retry("a")
    driver.cancel()
    assert driver.instance.frozen is None
    assert isinstance(driver.refused(driver.retry, "a"), Conflict)
