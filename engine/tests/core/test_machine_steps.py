"""What each type of step does with a token, and what becomes of the instance when definition and data do not fit."""

# Long because: one sentence per rule of the nine step types, side by side.

import pytest
from rochallor.core import events as ev
from rochallor.core.context import Rules
from rochallor.core.variables import View

ENDED = """
    task a -> end
    end end
"""


def entered(driver, step_id):
    """Return the events of entering a step."""
    return [event for event in driver.happened(ev.StepEntered) if event.step_id == step_id]


def closed(driver, step_id):
    """Return the last event of closing a step."""
    return [event for event in driver.happened(ev.StepClosed) if event.step_id == step_id][-1]


def test_service_task_queues_one_job(run):
    """Entering a service task queues one job of its type with its full budget, ready at once."""
    driver = run("""
        task a -> end :: {"jobType": "pay", "retryCount": 3}
        end end
    """)
    (created,) = driver.happened(ev.JobCreated)
    assert (created.seq, created.step_id, created.job_type, created.retries_remaining) == (1, "a", "pay", 3)
    assert (created.delivery, created.ready_at_ms) == (1, driver.now_ms)
    assert driver.status == "ACTIVE"


def test_service_task_leaves_when_its_job_completes(run):
    """A completed job merges its result and moves the token on."""
    driver = run(ENDED, {"x": 1, "y": 2})
    driver.complete("a", {"y": None, "z": [1]})
    assert driver.variables == {"x": 1, "y": None, "z": [1]}
    assert driver.status == "COMPLETED"
    assert closed(driver, "a").output.keys() == {"y", "z"}
    assert closed(driver, "a").by == "ann"


def test_results_are_merged_at_the_top_only(run):
    """A result replaces a variable as a whole: objects are not merged inside."""
    driver = run(ENDED, {"x": {"old": 1}})
    driver.complete("a", {"x": {"new": 2}})
    assert driver.variables == {"x": {"new": 2}}


def test_user_task_and_wait_make_the_instance_wait(run):
    """An instance is WAITING while a user task or a wait is open, else ACTIVE."""
    driver = run("""
        task a -> u
        user u -> w
        wait w -> b
        task b -> end
        end end
    """)
    seen = [driver.status]
    driver.complete("a")
    seen.append(driver.status)
    driver.task("u")
    seen.append(driver.status)
    driver.signal("w")
    seen.append(driver.status)
    driver.complete("b")
    seen.append(driver.status)
    assert seen == ["ACTIVE", "WAITING", "WAITING", "ACTIVE", "COMPLETED"]


def test_waiting_until_the_last_of_them_closes(run):
    """Beside a job, an instance stays WAITING until its last user task or wait closes."""
    driver = run("""
        fork split -> u, w, a => both
        user u -> both
        wait w -> both
        task a -> both
        join both -> end
        end end
    """)
    driver.task("u")
    assert driver.status == "WAITING"
    driver.signal("w")
    assert driver.status == "ACTIVE"


def test_user_task_opens(run):
    """Entering a user task opens it for people, once."""
    driver = run("""
        user u -> end
        end end
    """)
    (opened,) = driver.happened(ev.UserTaskOpened)
    assert (opened.seq, opened.step_id) == (1, "u")
    assert driver.happened(ev.JobCreated) == []


@pytest.mark.parametrize(("x", "target"), [(9, "first"), (6, "second"), (1, "third")])
def test_decision_takes_the_first_true_branch(run, x, target):
    """A decision tries its conditions in the author's order; the first true one wins."""
    driver = run(
        """
        decide d ? x > 8 -> first ; x > 5 -> second ; true -> third
        task first -> end
        task second -> end
        task third -> end
        end end
        """,
        {"x": x},
    )
    assert driver.at == [target]


def test_decision_does_not_read_conditions_after_the_true_one(run):
    """A condition after the first true one is not evaluated: it may not even be possible."""
    driver = run(
        """
        decide d ? true -> end ; nothing > 1 -> end
        end end
        """
    )
    assert driver.status == "COMPLETED"


def test_decision_without_a_true_branch(run):
    """No true condition fails the instance with DecisionNoBranchMatched, on the decision."""
    driver = run(
        """
        decide d ? x > 8 -> end
        end end
        """,
        {"x": 1},
    )
    assert driver.status == "FAILED"
    assert driver.reason.startswith("DecisionNoBranchMatched: no condition of step 'd' is true")
    assert driver.history == [("d", "FAILED")]
    assert closed(driver, "d").reason == driver.reason


@pytest.mark.parametrize(
    ("condition", "told"),
    [("missing > 1", "missing"), ("x", "must be a boolean, not a number"), ("x / 0 > 1", "zero")],
)
def test_decision_that_cannot_be_evaluated(run, condition, told):
    """A condition that cannot be evaluated, or is no boolean, fails the instance with ExpressionError."""
    driver = run(
        f"""
        decide d ? {condition} -> end
        end end
        """,
        {"x": 1},
    )
    assert driver.reason.startswith("ExpressionError: step 'd': ")
    assert told in driver.reason
    assert driver.reason.endswith(f"in: {condition}")


def test_decision_shows_what_it_read(run):
    """The history of a decision shows the variables that its conditions name, and no others."""
    driver = run(
        """
        decide d ? x > y -> end ; true -> end
        end end
        """,
        {"z": 3, "y": 1, "x": 2},
    )
    (event,) = entered(driver, "d")
    assert list(View(event.input).items()) == [("x", 2), ("y", 1)]
    assert entered(driver, "end")[0].input is None


def test_decision_input_leaves_out_what_is_not_there(run):
    """A variable that is named but absent does not show in a decision's input."""
    driver = run("""
        decide d ? (x ?? 1) == 1 -> end
        end end
    """)
    assert entered(driver, "d")[0].input == {}


def test_table_shows_what_it_read(run):
    """The history of a table shows what its cells and its outputs read."""
    driver = run(
        """
        table t -> end :: {"decisionTable": {"rules": [{"when": {"c": "x > 1"}, "outputs": {"o": "${y}", "p": 1}}]}}
        end end
        """,
        {"x": 2, "y": 1, "z": 3},
    )
    assert dict(View(entered(driver, "t")[0].input)) == {"x": 2, "y": 1}
    assert driver.variables["o"] == 1


def test_table_merges_its_outputs_and_goes_on(run):
    """A table sets the outputs of its rule and always goes to its next step."""
    driver = run(
        """
        table t -> a :: {"hitPolicy": "C+", "decisionTable": {"rules": [{"outputs": {"n": 1}}, {"outputs": {"n": 2}}]}}
        task a -> end
        end end
        """,
        {"n": 7},
    )
    assert driver.variables == {"n": 3}
    assert driver.at == ["a"]
    assert dict(View(closed(driver, "t").output)) == {"n": 3}


def test_table_that_fails(run):
    """A table that cannot decide fails the instance with its own word, on the table."""
    driver = run(
        """
        table t -> end :: {"decisionTable": {"rules": [{"when": {"c": "x > 1"}, "outputs": {"n": 1}}]}}
        end end
        """,
        {"x": 1},
    )
    assert driver.reason.startswith("DecisionTableNoRuleMatched")
    assert driver.history == [("t", "FAILED")]


def test_transformation_reads_what_was_before(run):
    """All entries of a transformation see the variables as they were before the step."""
    driver = run(
        """
        set s -> a :: {"transformations": {"x": "${y}", "y": "${x}", "literal": "${x} and more", "n": null}}
        task a -> end
        end end
        """,
        {"x": 1, "y": 2},
    )
    assert driver.variables == {"x": 2, "y": 1, "literal": "${x} and more", "n": None}
    assert driver.at == ["a"]


def test_transformation_that_cannot_be_evaluated(run):
    """An entry that cannot be evaluated fails the instance, naming step and variable; nothing is set."""
    driver = run("""
        set s -> end :: {"transformations": {"ok": 1, "x": "${missing + 1}"}}
        end end
    """)
    assert driver.reason.startswith("ExpressionError: step 's', variable 'x': ")
    assert driver.variables == {}


def test_now_is_the_time_of_the_command(run):
    """`${now()}` is the time the step ran, as text in whole seconds."""
    driver = run("""
        set s -> end :: {"transformations": {"at": "${now()}"}}
        end end
    """)
    assert driver.variables == {"at": "2027-01-15T08:00:00Z"}


@pytest.mark.parametrize(
    "text",
    [
        "decide d ? now() == '2027-01-15T08:00:00Z' -> end",
        """table t -> end :: {"decisionTable": {"rules": [{"when": {"c": "now() == '2027-01-15T08:00:00Z'"}}]}}""",
        """table t -> end :: {"decisionTable": {"rules": [{"outputs": {"c": "${now()}"}}]}}""",
    ],
)
def test_now_in_decisions(run, text):
    """Conditions, cells and outputs know the time of the command."""
    driver = run(f"{text}\nend end")
    assert driver.status == "COMPLETED"
    assert driver.variables in ({}, {"c": "2027-01-15T08:00:00Z"})


def test_now_in_conditions_of_a_task(run):
    """Conditions after a task know the time at which it was completed."""
    driver = run("""
        task a ? now() == '2027-01-15T08:00:01Z' -> b
        task b -> end
        end end
    """)
    driver.wait(1000)
    driver.complete("a")
    assert driver.at == ["b"]


def test_closed_steps_say_what_they_were(run):
    """A closing step names its attempt and its job's last delivery; automatic steps have neither job nor worker."""
    driver = run(
        """
        set s -> a :: {"transformations": {"x": 1}}
        task a -> u :: {"retryCount": 1}
        user u -> s ? done -> end
        end end
    """,
        {"done": False},
    )
    for _ in range(2):
        driver.fail("a")
        driver.complete("a")
        driver.task("u", by="eva")
    told = [(event.step_id, event.attempt, event.delivery, event.by) for event in driver.happened(ev.StepClosed)]
    assert told[3:] == [("s", 2, 0, ""), ("a", 2, 2, "ann"), ("u", 2, 0, "eva"), ("s", 3, 0, "")]


def test_an_end_is_reached_by_nobody(run):
    """Steps that close by themselves, or with the instance, name nobody."""
    driver = run(BUSY)
    driver.complete("a")
    assert [event.by for event in driver.happened(ev.StepClosed)] == ["", "ann", *[""] * 5]


@pytest.mark.parametrize("kind", ["task", "user", "wait"])
@pytest.mark.parametrize(("x", "target"), [(9, "high"), (6, "middle"), (1, "low")])
def test_conditions_of_a_task_come_before_its_next_step(run, kind, x, target):
    """Conditions on a task are tried after it is done, with its result, before `nextStep`."""
    driver = run(
        f"""
        {kind} a -> low ? x > 8 -> high ; x > 5 -> middle
        task high -> end
        task middle -> end
        task low -> end
        end end
        """,
        {"x": 0},
    )
    {"task": driver.complete, "user": driver.task, "wait": driver.signal}[kind]("a", {"x": x})
    assert driver.at == [target]


def test_condition_of_a_task_that_cannot_be_evaluated(run):
    """A condition that fails after a task fails the instance, never the worker's call; the result is kept."""
    driver = run("""
        task a -> end ? missing > 1 -> end
        end end
    """)
    outcome = driver.complete("a", {"x": 1})
    assert outcome.error is None
    assert driver.status == "FAILED"
    assert driver.reason.startswith("ExpressionError: step 'a': the variable `missing` is not defined")
    assert driver.history == [("a", "FAILED")]
    assert driver.variables == {"x": 1}


def test_dead_end_completes_when_the_last_token_is_gone(run):
    """A task that leads nowhere takes its token out; without any other the instance is complete."""
    driver = run("""
        task a ? false -> end
        end end
    """)
    driver.complete("a")
    assert driver.status == "COMPLETED"
    assert driver.history == [("a", "COMPLETED")]
    (completed,) = driver.happened(ev.InstanceCompleted)
    assert completed.end_step_id is None


def test_start_may_return_a_completed_instance(flow):
    """An instance whose steps are all automatic is complete when its start returns, with the time it ended."""
    driver = flow("""
        set s -> end :: {"transformations": {"x": 1}}
        end end
    """)
    driver.start()
    assert driver.status == "COMPLETED"
    assert driver.instance.completed_at_ms == driver.now_ms
    assert driver.history == [("s", "COMPLETED"), ("end", "COMPLETED")]
    assert driver.happened(ev.InstanceCompleted)[0].end_step_id == "end"


def test_start_may_return_a_failed_instance(run):
    """A definition that fails at once still starts: the instance tells why it failed."""
    driver = run("""
        decide d ? false -> end
        end end
    """)
    assert driver.status == "FAILED"
    assert driver.instance.completed_at_ms == driver.now_ms
    assert driver.instance.revision == 1


BUSY = """
    fork split -> a, u, w, x, y => both
    task a -> end
    user u -> both !PT1M -> end
    wait w -> both
    task x -> both
    task y -> both
    join both -> end
    end end
"""


@pytest.fixture
def busy(run):
    """An instance with a job, a user task with a timer, a wait and a waiting join open."""
    driver = run(BUSY)
    driver.complete("y")
    assert driver.at == ["a", "u", "w", "x", "both"]
    return driver


@pytest.mark.parametrize(
    ("how", "status", "others"),
    [("end", "COMPLETED", "ABANDONED"), ("fail", "FAILED", "CANCELLED"), ("cancel", "CANCELLED", "CANCELLED")],
)
def test_one_way_to_end(busy, how, status, others):
    """END, failure and cancel close all that is open in the same change: steps, jobs, tasks, timers."""
    if how == "cancel":
        busy.cancel()
    else:
        {"end": busy.complete, "fail": busy.fail}[how]("a")
    assert busy.status == status
    assert busy.instance.open == {}
    assert busy.instance.activations == {}
    assert busy.instance.current_step_ids == []
    assert busy.instance.completed_at_ms == busy.now_ms
    assert [dict(busy.history)[name] for name in ("u", "w", "x", "both")] == [others] * 4


def test_steps_abandoned_by_an_end_name_no_reason(busy):
    """What an END abandons did not fail: it has no reason."""
    busy.complete("a")
    assert closed(busy, "u").reason is None
    assert busy.reason is None


@pytest.mark.parametrize(("count", "status"), [(10, "COMPLETED"), (11, "FAILED")])
def test_step_budget(run, count, status):
    """So many automatic steps in one go are allowed, one more fails the instance with StepBudgetExceeded."""
    sets = [f'set s{i} -> s{i + 1} :: {{"transformations": {{"x": {i}}}}}' for i in range(count - 1)]
    text = "\n".join([*sets, f"end s{count - 1}"])
    driver = run(text, rules=Rules(step_budget=10))
    assert driver.status == status
    if status == "FAILED":
        assert driver.reason.startswith("StepBudgetExceeded: more than 10 automatic steps in one go, last 's10'")
        assert driver.history[-1] == ("s10", "FAILED")


def test_step_budget_is_a_thousand_by_default():
    """Without any setting a command takes at most 1,000 automatic steps."""
    assert Rules().step_budget == 1000


def test_automatic_loop_does_not_hang(run):
    """A loop of automatic steps ends in failure, not in a hang."""
    driver = run("""
        set s -> d :: {"transformations": {"x": 1}}
        decide d ? x == 2 -> end ; true -> s
        end end
    """)
    assert driver.reason.startswith("StepBudgetExceeded: more than 1000")


def test_step_budget_is_per_command(run):
    """Tasks interrupt the count: every command has the full budget, and tasks do not count."""
    driver = run(
        """
        set s -> a :: {"transformations": {"x": 1}}
        task a -> s ? done -> end
        end end
        """,
        {"done": False},
        rules=Rules(step_budget=1),
    )
    for _ in range(3):
        driver.complete("a")
    assert driver.status == "ACTIVE"


def test_attempts_count_executions_of_a_step(run):
    """The attempt number counts earlier executions of the step in the instance; automatic retries do not count."""
    driver = run("""
        task a -> b :: {"retryCount": 3}
        task b -> a ? done -> end
        end end
    """)
    driver.fail("a")
    for _ in range(2):
        driver.complete("a")
        driver.complete("b", {"done": False})
    assert [event.attempt for event in entered(driver, "a")] == [1, 2, 3]
    assert [event.seq for event in driver.happened(ev.StepEntered)] == [1, 2, 3, 4, 5]


def test_variables_over_the_limit_by_a_transformation(run):
    """Outputs that take the variables over their limit fail the instance with VariablesTooLarge."""
    driver = run(
        """
        set s -> end :: {"transformations": {"y": "${x + x}"}}
        end end
        """,
        {"x": "12345678901234567890"},
        rules=Rules(max_variables_bytes=60),
    )
    assert driver.reason == "VariablesTooLarge: step 's' would take the variables over 60 bytes"
    assert "y" not in driver.variables


@pytest.mark.parametrize(("rounds", "status"), [(198, "COMPLETED"), (199, "FAILED")])
def test_variables_nest_as_deep_as_they_may_come(run, rounds, status):
    """Steps that nest a value ever deeper end where a caller's variables would: 200 levels, with the map's."""
    driver = run(
        f"""
        set s -> again :: {{"transformations": {{"x": "${{[x]}}", "n": "${{n + 1}}"}}}}
        decide again ? n == {rounds} -> end ; true -> s
        end end
        """,
        {"x": [], "n": 0},
    )
    assert driver.instance.status.value == status
    assert (driver.reason or "").startswith("VariablesTooDeep: step 's'" if status == "FAILED" else "")


def test_variables_at_the_limit(run):
    """Variables may take exactly as many bytes as the limit says."""
    driver = run(ENDED, {"x": "0"}, rules=Rules(max_variables_bytes=len('{"x":"0","y":"0"}') + 1))
    driver.complete("a", {"y": "0"})
    assert driver.status == "COMPLETED"
