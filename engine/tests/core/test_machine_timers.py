"""Boundary timers: when they are due, what they interrupt, what they add, and what has overtaken them."""

import pytest
from rochallor.core import commands as cmd
from rochallor.core import events as ev

TIMED = """
    {kind} a -> end !PT2M -> late +PT1M -> remind
    task late -> end
    task remind ? false -> end
    end end
"""
KINDS = pytest.mark.parametrize("kind", ["task", "user", "wait"])


@KINDS
def test_timers_are_scheduled_on_entry(run, kind):
    """A task, a user task and a wait schedule their timers when they are entered."""
    driver = run(TIMED.format(kind=kind))
    scheduled = [(event.seq, event.index, event.due_ms - driver.now_ms) for event in driver.happened(ev.TimerScheduled)]
    assert scheduled == [(1, 0, 120_000), (1, 1, 60_000)]
    assert [timer.index for timer in driver.instance.open[1].timers] == [0, 1]


@KINDS
def test_interrupting_timer(run, kind):
    """An interrupting timer closes its step as FAILED and moves the token to the timer's target."""
    driver = run(TIMED.format(kind=kind))
    driver.fire("a", 0)
    assert driver.at == ["late"]
    assert driver.status == "ACTIVE"
    (closed,) = driver.happened(ev.StepClosed)
    assert (closed.outcome, closed.reason) == ("FAILED", "interrupted by boundary timer")
    (fired,) = driver.happened(ev.TimerFired)
    assert (fired.seq, fired.index, fired.step_id, fired.interrupting) == (1, 0, "a", True)
    assert fired.activation is None
    assert driver.reason is None


@KINDS
def test_other_timer(run, kind):
    """A timer that does not interrupt adds a token beside the running step, which keeps its job and other timers."""
    driver = run(TIMED.format(kind=kind))
    job = driver.instance.open[1].job
    driver.fire("a", 1)
    assert driver.at == ["a", "remind"]
    assert driver.instance.open[1].job == job
    assert [timer.index for timer in driver.instance.open[1].timers] == [0]
    (fired,) = driver.happened(ev.TimerFired)
    assert not fired.interrupting


def test_both_timers(run):
    """A step may be reminded first and interrupted later."""
    driver = run(TIMED.format(kind="user"))
    driver.fire("a", 1)
    driver.fire("a", 0)
    assert driver.at == ["remind", "late"]


def test_job_of_an_interrupted_step(run):
    """The job of an interrupted step is over: its worker's report is late."""
    driver = run(TIMED.format(kind="task"))
    job = driver.job("a")
    driver.fire("a", 0)
    assert driver.complete(job).events == ()
    assert driver.at == ["late"]


def test_timer_before_its_time(run):
    """A timer does not fire a millisecond early."""
    driver = run(TIMED.format(kind="task"))
    assert driver.fire("a", 0, early=True).events == ()
    assert driver.fire("a", 0).events != ()


def test_timer_fires_once(run):
    """A timer that has fired does not fire again."""
    driver = run(TIMED.format(kind="task"))
    driver.fire("a", 1)
    assert driver.fire("a", 1).events == ()
    assert driver.at == ["a", "remind"]


def test_timer_of_a_closed_step(run):
    """A timer whose step has closed is overtaken, and so is one of a step that never was."""
    driver = run(TIMED.format(kind="task"))
    driver.complete("a")
    driver.wait(600_000)
    for seq in (1, 9):
        assert driver.do(cmd.FireTimer(instance_id=driver.instance.id, seq=seq, index=0)).events == ()


def test_timer_of_another_index(run):
    """A step fires only timers that it has."""
    driver = run(TIMED.format(kind="task"))
    driver.wait(600_000)
    assert driver.fire("a", 2).events == ()


def test_timers_belong_to_one_execution(run):
    """Each execution of a step has its own timers, from its own entry on."""
    driver = run(
        """
        task a -> a ? done -> end !PT1M -> end
        end end
    """,
        {"done": False},
    )
    driver.wait(50_000)
    driver.complete("a")
    assert driver.instance.open[2].timers[0].due_ms == driver.now_ms + 60_000


def test_retries_do_not_restart_timers(run):
    """A job's retry leaves the timers of its step as they are."""
    driver = run("""
        task a -> end !PT1M -> end :: {"retryCount": 1}
        end end
    """)
    due_ms = driver.instance.open[1].timers[0].due_ms
    driver.wait(50_000)
    driver.fail("a")
    assert [timer.due_ms for timer in driver.instance.open[1].timers] == [due_ms]


def test_timer_to_an_end(run):
    """A timer may end the whole instance."""
    driver = run("""
        user u -> end +PT1M -> end
        end end
    """)
    driver.fire("u")
    assert driver.status == "COMPLETED"
    assert driver.history == [("u", "ABANDONED"), ("end", "COMPLETED")]


def test_interrupted_wait_moves_on_when_the_timer_fires(run):
    """What follows a timer runs at once, and the status follows the open steps."""
    driver = run("""
        wait w -> end !PT1M -> s
        set s -> u :: {"transformations": {"late": true}}
        user u -> end
        end end
    """)
    driver.fire("w")
    assert driver.variables == {"late": True}
    assert (driver.status, driver.at) == ("WAITING", ["u"])


def test_timer_says_for_when_it_was_and_a_step_how_many_it_had(run):
    """What fires carries the time it was due at, however late; what closes tells how many timers go with it."""
    driver = run(TIMED.format(kind="task"))
    due_ms = driver.instance.open[1].timers[0].due_ms
    driver.wait(3_600_000)
    events = driver.fire("a", 0).events
    (fired,) = [event for event in events if isinstance(event, ev.TimerFired)]
    (closed,) = [event for event in events if isinstance(event, ev.StepClosed) and event.step_id == "a"]
    assert (fired.due_ms, closed.timers) == (due_ms, 1)
