"""What people and callers ask of an instance: start it, complete tasks, signal waits, cancel, chain."""

# Long because: user tasks, signals and cancels share their little definitions.

import pytest
from rochallor.core import commands as cmd
from rochallor.core import events as ev
from rochallor.core.context import Rules
from rochallor.core.errors import BadRequest, BusinessKeyInUse, Conflict, NotFound, PayloadTooLarge

ASK = """
    user u -> w
    wait w -> a
    task a -> end
    end end
"""


@pytest.fixture
def ask(run):
    """An instance at a user task."""
    return run(ASK)


def test_start_keeps_what_it_was_given(flow):
    """A start keeps variables, key, parent and time, and is revision 1."""
    driver = flow(ASK)
    driver.start({"x": 1}, key="K-1", parent="P")
    instance = driver.instance
    assert driver.variables == {"x": 1}
    assert (instance.business_key, instance.parent_instance_id) == ("K-1", "P")
    assert (instance.started_at_ms, instance.revision, instance.definition_id) == (driver.now_ms, 1, "flow")
    assert instance.definition_version == driver.definition.version
    assert (driver.outcome.verdict, driver.outcome.error) == (None, None)


def test_start_keeps_its_trace(flow):
    """The trace of a start belongs to the instance and to its record; without one there is none."""
    driver = flow(ASK)
    driver.do(cmd.StartInstance(instance_id="01JZZZZZZZZZZZZZZZZZZZZZZZ", traceparent="00-a-b-01"))
    assert driver.instance.traceparent == driver.committed[0].events[0].traceparent == "00-a-b-01"
    assert flow(ASK).start().instance.traceparent is None


def test_start_enters_the_first_step(flow):
    """An instance begins at the first step of the author's list."""
    driver = flow(ASK)
    driver.start()
    assert driver.latest == ["InstanceStarted", "StepEntered", "UserTaskOpened"]
    assert driver.at == ["u"]


CHECKED = {"input_schema": {"properties": {"n": {"type": "integer"}, "s": {"type": "string"}}, "required": ["n"]}}


def test_start_with_wrong_input(flow):
    """Variables that break the input schema are refused with every violation; nothing is stored."""
    driver = flow(ASK, **CHECKED)
    error = driver.refused(driver.start, {"s": 1})
    assert isinstance(error, BadRequest)
    first, second = error.details
    assert error.message == f"variables do not fit the input schema: {first.message}; {second.message}"
    assert (first.code, first.pointer) == ("SCHEMA_VIOLATION", "/variables")
    assert driver.committed == []


def test_start_with_right_input(flow):
    """Variables that fit the input schema start the instance; others beside them pass."""
    driver = flow(ASK, **CHECKED)
    driver.start({"n": 1, "more": None})
    assert driver.at == ["u"]


@pytest.mark.parametrize(("limit", "fits"), [(20, False), (60, True)])
def test_start_with_too_many_variables(flow, limit, fits):
    """Variables over the limit are refused at the start; nothing is stored."""
    driver = flow(ASK, rules=Rules(max_variables_bytes=limit))
    if fits:
        driver.start({"x": "x" * 40})
        return
    error = driver.refused(driver.start, {"x": "x" * 40})
    assert isinstance(error, PayloadTooLarge)
    assert error.message.startswith("VariablesTooLarge")


def test_start_with_a_key_in_use(flow):
    """A business key that another instance in flight holds is refused, naming the holder."""
    driver = flow(ASK)
    error = driver.refused(driver.start, key="K-1", key_holder="OTHER")
    assert isinstance(error, BusinessKeyInUse)
    assert "business key already in use: 'K-1' of 'flow' is held by instance OTHER" in error.message


def test_start_without_a_key(flow):
    """Without a business key nobody can be in the way."""
    driver = flow(ASK)
    driver.start(key_holder="OTHER")
    assert driver.at == ["u"]


def test_completing_a_user_task(ask):
    """A user task's result is merged, who completed it is kept, and the token goes on."""
    ask.task("u", {"ok": True}, by="eva")
    assert ask.variables == {"ok": True}
    assert ask.at == ["w"]
    (closed,) = ask.happened(ev.StepClosed)
    assert (closed.outcome, closed.by) == ("COMPLETED", "eva")


def test_completing_twice(ask):
    """Completing a user task again is fine and changes nothing: the first result stays."""
    ask.task("u", {"x": 1})
    outcome = ask.task("u", {"x": 2})
    assert outcome.events == ()
    assert ask.variables == {"x": 1}


def test_completing_again_with_the_revision_of_the_first_time(ask):
    """A repeat that names the revision of the first time is a repeat, not a conflict."""
    revision = ask.instance.revision
    ask.task("u", expected_revision=revision)
    assert ask.task("u", expected_revision=revision).events == ()


def test_completing_what_was_interrupted(run):
    """A user task that a timer closed cannot be completed any more."""
    driver = run("""
        user u -> end !PT1M -> a
        task a -> end
        end end
    """)
    driver.fire("u")
    error = driver.refused(driver.task, "u")
    assert isinstance(error, Conflict)
    assert "'u' of instance" in error.message
    assert "closed before anybody completed it" in error.message


@pytest.mark.parametrize("how", ["complete", "cancel"])
def test_completing_after_the_end(ask, how):
    """A terminal instance takes no completion, not even a repeated one."""
    ask.task("u")
    ask.signal("w")
    if how == "cancel":
        ask.cancel()
    else:
        ask.complete("a")
    error = ask.refused(ask.task, "u")
    assert isinstance(error, Conflict)
    assert error.message.endswith(f"is {ask.status} and takes no more changes")


def test_completing_what_is_not_open_yet(run):
    """A user task that was never opened is not found."""
    driver = run("""
        task a -> u
        user u -> end
        end end
    """)
    error = driver.refused(driver.task, "u")
    assert isinstance(error, NotFound)
    assert error.message == f"user task 'u' of instance {driver.instance.id} has not been opened"


def test_completing_counts_the_latest_execution(run):
    """A task completed once and interrupted the next time is closed, not completed; and the other way round."""
    driver = run(
        """
        user u -> a !PT1M -> a
        task a -> u ? done -> end
        end end
        """,
        {"done": False},
    )
    driver.task("u")
    driver.complete("a")
    driver.fire("u")
    assert isinstance(driver.refused(driver.task, "u"), Conflict)
    driver.complete("a")
    driver.task("u")
    assert driver.task("u").events == ()


def test_completing_the_oldest_of_several(run):
    """With several executions of one user task open, the oldest is completed."""
    driver = run("""
        fork split -> u, u => both
        user u -> both
        join both -> end
        end end
    """)
    driver.task("u", by="eva")
    (closed,) = [event for event in driver.happened(ev.StepClosed) if event.step_id == "u"]
    assert closed.seq == 2
    driver.task("u")
    assert driver.status == "COMPLETED"


def test_open_again_beats_completed_before(run):
    """A task that is open once more is completed once more, and is no repeat."""
    driver = run(
        """
        user u -> u ? done -> end
        end end
    """,
        {"done": False},
    )
    driver.task("u", {"x": 1})
    driver.task("u", {"x": 2, "done": True})
    assert driver.variables["x"] == 2
    assert driver.status == "COMPLETED"


def test_open_again_needs_the_right_revision(run):
    """A task that is open once more is no repeat: another revision than the present one is a conflict."""
    driver = run(
        """
        user u -> u ? done -> end
        end end
        """,
        {"done": False},
    )
    driver.task("u")
    assert "is at revision 2, not 1" in driver.refused(driver.task, "u", expected_revision=1).message


def test_never_opened_with_another_revision(run):
    """Another revision is a conflict before anything else is looked at."""
    driver = run("""
        task a -> u
        user u -> end
        end end
    """)
    assert isinstance(driver.refused(driver.task, "u", expected_revision=7), Conflict)


def test_what_became_of_a_task_is_kept(run):
    """The state says how the latest execution of each user task ended."""
    driver = run("""
        fork split -> u, v => both
        user u -> both
        user v -> both !PT1M -> both
        join both -> a
        task a -> end
        end end
    """)
    driver.task("u")
    driver.fire("v")
    assert driver.instance.task_outcomes == {"u": "completed", "v": "closed"}


def test_result_of_a_user_task_over_the_limit(run):
    """A result over the variables' limit fails the instance for good and is refused as too large."""
    driver = run(ASK, rules=Rules(max_variables_bytes=50))
    outcome = driver.task("u", {"x": "x" * 50})
    assert isinstance(outcome.error, PayloadTooLarge)
    assert outcome.verdict is None
    assert driver.reason == outcome.error.message
    assert driver.reason.startswith("VariablesTooLarge: step 'u'")
    assert isinstance(driver.refused(driver.task, "u"), Conflict)


def test_variables_of_a_signal_over_the_limit(run):
    """A signal over the variables' limit fails the instance for good and is refused as too large."""
    driver = run(
        """
        wait w -> end
        end end
        """,
        rules=Rules(max_variables_bytes=50),
    )
    outcome = driver.signal("w", {"x": "x" * 50})
    assert isinstance(outcome.error, PayloadTooLarge)
    assert driver.reason == outcome.error.message
    assert driver.history == [("w", "FAILED")]


def test_signalling(ask):
    """A signal merges its variables, notes who sent it, and moves the token on."""
    ask.task("u")
    ask.signal("w", {"x": 1}, actor="bank")
    assert ask.variables == {"x": 1}
    assert ask.at == ["a"]
    assert ask.happened(ev.StepClosed)[-1].by == "bank"


def test_signalling_too_early_or_again(ask):
    """A signal to a wait that is not parked is a conflict, before it is entered and after it was signalled."""
    assert isinstance(ask.refused(ask.signal, "w"), Conflict)
    ask.task("u")
    ask.signal("w")
    error = ask.refused(ask.signal, "w")
    assert isinstance(error, Conflict)
    assert "is not parked at wait step 'w'" in error.message


def test_signalling_after_the_end(ask):
    """A terminal instance takes no signal."""
    ask.cancel()
    assert "takes no more changes" in ask.refused(ask.signal, "w").message


@pytest.mark.parametrize(
    ("way", "step_id", "error", "message"),
    [
        ("task", "w", BadRequest, "step 'w' is a WAIT, not a USER_TASK; use the route of its type"),
        ("signal", "u", BadRequest, "step 'u' is a USER_TASK, not a WAIT; use the route of its type"),
        ("task", "x", NotFound, "definition 'flow' has no user task 'x'"),
        ("signal", "x", NotFound, "definition 'flow' has no wait step 'x'"),
        ("retry", "x", NotFound, "definition 'flow' has no step 'x'"),
    ],
)
def test_wrong_steps(ask, way, step_id, error, message):
    """Asking a step for what its type does not do is a bad request; a step that is not there is not found."""
    refusal = ask.refused(getattr(ask, way), step_id)
    assert type(refusal) is error
    assert refusal.message == message


@pytest.mark.parametrize("way", ["task", "signal", "cancel", "retry"])
def test_expected_revision(run, way):
    """A change that expects another revision is refused and names the present one; with the right one it is made."""
    start, target = {
        "task": ("user u -> end", ["u"]),
        "signal": ("wait u -> end", ["u"]),
        "cancel": ("task u -> end", []),
        "retry": ("decide u ? false -> end", ["u"]),
    }[way]
    driver = run(f"{start}\nend end")
    error = driver.refused(getattr(driver, way), *target, expected_revision=7)
    assert isinstance(error, Conflict)
    assert "is at revision 1, not 7; read it again" in error.message
    getattr(driver, way)(*target, expected_revision=1)
    assert driver.instance.revision == 2


@pytest.mark.parametrize(
    ("given", "kept"), [("", "cancelled"), ("too late", "too late"), ("a\x00b", "ab"), ("\x00", "cancelled")]
)
def test_cancelling(ask, given, kept):
    """Cancel ends the instance with the reason given, `cancelled` without one; NUL is dropped."""
    ask.wait(5)
    ask.cancel(given)
    assert (ask.status, ask.reason) == ("CANCELLED", kept)
    assert ask.instance.completed_at_ms == ask.now_ms
    assert ask.history == [("u", "CANCELLED")]


def test_cancelling_twice(ask):
    """A terminal instance cannot be cancelled."""
    ask.cancel()
    assert isinstance(ask.refused(ask.cancel), Conflict)


CHAIN = {"autoStartNextWorkflow": True, "nextWorkflowId": "next"}


@pytest.mark.parametrize("x", [1, 2])
def test_any_end_chains(run, x):
    """Reaching any END asks for the next workflow, after all else is closed."""
    driver = run(
        """
        decide d ? x == 1 -> one ; true -> two
        end one
        end two
        """,
        {"x": x},
        **CHAIN,
    )
    (asked,) = driver.happened(ev.ChainRequested)
    assert asked.next_workflow_id == "next"
    assert driver.latest[-1] == "ChainRequested"


def test_dead_end_does_not_chain(run):
    """A completion by dead end asks for no next workflow."""
    driver = run("task a ? false -> end\nend end", **CHAIN)
    driver.complete("a")
    assert driver.status == "COMPLETED"
    assert driver.happened(ev.ChainRequested) == []


@pytest.mark.parametrize("how", ["cancel", "fail"])
def test_only_completion_chains(run, how):
    """An instance that fails or is cancelled asks for no next workflow."""
    driver = run("task a -> end\nend end", **CHAIN)
    driver.cancel() if how == "cancel" else driver.fail("a")
    assert driver.happened(ev.ChainRequested) == []


@pytest.mark.parametrize("fields", [{}, {"nextWorkflowId": "next"}])
def test_no_chain_unless_switched_on(run, fields):
    """Without `autoStartNextWorkflow` nothing is asked for."""
    driver = run("task a -> end\nend end", **fields)
    driver.complete("a")
    assert driver.happened(ev.ChainRequested) == []


def test_child_is_linked_once(run):
    """A parent notes its child, once; noting it again changes nothing."""
    driver = run("end end", **CHAIN)
    link = cmd.LinkChild(instance_id=driver.instance.id, child_instance_id="C1")
    driver.do(link)
    assert (driver.instance.child_instance_id, driver.status) == ("C1", "COMPLETED")
    assert driver.instance.revision == 2
    assert driver.do(cmd.LinkChild(instance_id=driver.instance.id, child_instance_id="C2")).events == ()
    assert driver.instance.child_instance_id == "C1"


def test_commands_know_their_name():
    """A command's kind is its name, as the audit shows it."""
    assert cmd.CancelInstance(instance_id="i").kind == "CancelInstance"
