"""Tokens and joins: an activation is one firing of a gateway; its join fires once, whatever the branches do."""

# Long because: every shape of gateways and joins, drawn once each and compared with its neighbours.

import pytest
from rochallor.core import events as ev
from rochallor.core.context import Rules

SIMPLE = """
    fork split -> a, b => both
    task a -> both
    task b -> both
    join both -> last
    task last -> end
    end end
"""


def joins(driver, step_id="both"):
    """Return how often a join has been entered, and how often it has fired."""
    entered = [event for event in driver.happened(ev.StepEntered) if event.step_id == step_id]
    return len(entered), driver.ended(step_id).count("COMPLETED")


def test_gateway_opens_every_branch(run):
    """A gateway puts one token on each branch, in the author's order."""
    driver = run(SIMPLE)
    assert driver.at == ["a", "b"]


def test_join_waits(run):
    """A join waits until the token of every branch has arrived, and is a current step meanwhile."""
    driver = run(SIMPLE)
    driver.complete("b")
    assert driver.at == ["a", "both"]
    assert driver.instance.current_step_ids == ["a", "both"]
    driver.complete("a")
    assert driver.at == ["last"]


def test_join_is_one_row(run):
    """A join is one execution per firing, entered when the first token arrives."""
    driver = run(SIMPLE)
    driver.complete("a")
    driver.wait(1000)
    driver.complete("b")
    assert joins(driver) == (1, 1)
    closed = next(event for event in driver.happened(ev.StepClosed) if event.step_id == "both")
    assert closed.entered_at_ms == driver.now_ms - 1000


def test_branches_are_entered_in_order_before_what_follows_them(run):
    """Parallel branches go on in turn: all first steps are entered before any second one."""
    driver = run("""
        fork split -> a, b => both
        set a -> a2 :: {"transformations": {"x": 1}}
        set b -> b2 :: {"transformations": {"y": 1}}
        set a2 -> both :: {"transformations": {"x": 2}}
        set b2 -> both :: {"transformations": {"y": 2}}
        join both -> end
        end end
    """)
    assert [name for name, _ in driver.history] == ["split", "a", "b", "a2", "b2", "both", "end"]


def test_branches_of_several_steps(run):
    """A branch may be of any length: a token counts when it arrives, not when its branch's first step is done."""
    driver = run("""
        fork split -> a1, b => both
        task a1 -> a2
        user a2 -> a3
        wait a3 -> both
        task b -> both
        join both -> end
        end end
    """)
    driver.complete("b")
    driver.complete("a1")
    driver.task("a2")
    assert driver.at == ["both", "a3"]
    driver.signal("a3")
    assert driver.status == "COMPLETED"


def test_branches_of_automatic_steps_only(run):
    """Branches without any waiting step join in the same breath."""
    driver = run("""
        fork split -> a, d, both => both
        set a -> both :: {"transformations": {"x": 1}}
        decide d ? true -> both
        join both -> end
        end end
    """)
    assert driver.status == "COMPLETED"
    assert joins(driver) == (1, 1)


def test_the_same_branch_twice(run):
    """A gateway that names a step twice opens it twice, and the join waits for both."""
    driver = run("""
        fork split -> a, a => both
        task a -> both
        join both -> end
        end end
    """)
    assert driver.at == ["a", "a"]
    driver.complete("a")
    assert driver.at == ["a", "both"]
    driver.complete("a")
    assert driver.status == "COMPLETED"


def test_decisions_inside_branches(run):
    """Alternative ways inside a branch are still one token."""
    text = """
        fork split -> d, b => both
        decide d ? x == 1 -> a1 ; true -> a2
        task a1 -> both
        task a2 -> both
        task b -> both
        join both -> end
        end end
    """
    driver = run(text, {"x": 2})
    driver.complete("a2")
    driver.complete("b")
    assert driver.status == "COMPLETED"


def test_retried_step_in_a_branch(run):
    """A branch whose job was retried arrives once."""
    driver = run("""
        fork split -> a, b => both
        task a -> both :: {"retryCount": 2}
        task b -> both
        join both -> last
        task last -> end
        end end
    """)
    driver.fail("a")
    driver.complete("a")
    assert driver.at == ["b", "both"]
    driver.complete("b")
    assert driver.at == ["last"]


def test_loop_inside_a_branch(run):
    """A branch may go round before it arrives, and arrives once."""
    driver = run("""
        fork split -> a, b => both
        task a -> both ? again -> a
        task b -> both
        join both -> end
        end end
    """)
    driver.complete("b")
    for _ in range(3):
        driver.complete("a", {"again": True})
    assert driver.at == ["both", "a"]
    driver.complete("a", {"again": False})
    assert driver.status == "COMPLETED"


def test_loop_around_a_gateway(run):
    """Each round through a gateway is an activation of its own; its join fires once per round."""
    driver = run("""
        fork split -> a, b => both
        task a -> both
        task b -> both
        join both -> d
        decide d ? again -> split ; true -> end
        end end
    """)
    for again in (True, True, False):
        driver.complete("a", {"again": again})
        driver.complete("b")
    assert joins(driver) == (3, 3)
    assert driver.status == "COMPLETED"
    assert driver.instance.activations == {}


def test_loop_back_to_the_gateway_from_inside(run):
    """A branch that goes back to its own gateway is still one token of the first round, however many it becomes."""
    driver = run("""
        fork split -> a, b => both
        task a -> both ? again -> split
        task b -> both
        join both -> last
        task last -> end
        end end
    """)
    driver.complete("a", {"again": True})
    assert driver.at == ["b", "a", "b"]
    driver.complete("a", {"again": False})
    driver.complete("b")  # of the first round
    assert driver.at == ["b", "both", "both"]
    driver.complete("b")
    assert driver.at == ["last"]


def test_loop_back_to_an_outer_gateway(run):
    """A token that goes back from deep inside arrives, once it is through again, for the first round."""
    driver = run("""
        fork outer -> inner, c => all
        fork inner -> a, b => some
        task a -> some ? again -> outer
        task b -> some
        task c -> all
        join some -> all
        join all -> last
        task last -> end
        end end
    """)
    driver.complete("a", {"again": True})
    driver.complete("a", {"again": False})  # of the second round
    for step_id in ("b", "b", "c", "c"):
        assert "last" not in driver.at
        driver.complete(step_id)
    assert driver.at == ["last"]


def test_nested_gateways(run):
    """An inner gateway is one token of the outer one."""
    driver = run("""
        fork outer -> inner, c => all
        fork inner -> a, b => some
        task a -> some
        task b -> some
        join some -> d
        task d -> all
        task c -> all
        join all -> end
        end end
    """)
    driver.complete("c")
    driver.complete("a")
    assert driver.at == ["b", "all", "some"]
    driver.complete("b")
    assert driver.at == ["all", "d"]
    driver.complete("d")
    assert driver.status == "COMPLETED"
    assert (joins(driver, "all"), joins(driver, "some")) == ((1, 1), (1, 1))


SHARED = """
    fork outer -> inner, c => all
    fork inner -> a, b => all
    task a -> all
    task b -> all
    task c -> all
    join all -> last
    task last -> end
    end end
"""


@pytest.mark.parametrize("order", ["abc", "acb", "cab", "bca"])
def test_shared_join(run, order):
    """A join that two nested gateways share lets through one token, when all have arrived, in any order."""
    driver = run(SHARED)
    for step_id in order:
        assert "last" not in driver.at
        driver.complete(step_id)
    assert driver.at == ["last"]
    assert joins(driver, "all") == (2, 2)


def test_shared_join_across_another_gateway(run):
    """A join that a gateway shares with one two levels out gathers for that one when it has fired for the inner one."""
    driver = run("""
        fork outer -> middle, d => all
        fork middle -> inner, c => some
        fork inner -> a, b => all
        task a -> all
        task b -> all
        task c -> some
        task d -> all
        join some -> all
        join all -> last
        task last -> end
        end end
    """)
    for step_id in "abdc":
        assert "last" not in driver.at
        driver.complete(step_id)
    assert driver.at == ["last"]
    assert driver.instance.activations == {}


LEAVING = """
    fork outer -> inner, c => all
    fork inner -> a, b => some
    task a -> some ? leave -> all
    task b -> some ? leave -> all
    task c -> all
    join some -> all
    join all -> last
    task last -> end
    end end
"""


@pytest.mark.parametrize("order", ["abc", "acb", "cab", "cba", "bca", "bac"])
@pytest.mark.parametrize("leavers", ["", "a", "b", "ab"])
def test_tokens_that_leave_an_inner_gateway(run, order, leavers):
    """A token may go straight to the outer join; the inner one no longer waits for it, and the outer one fires once."""
    driver = run(LEAVING)
    for step_id in order:
        assert "last" not in driver.at
        driver.complete(step_id, {"leave": step_id in leavers})
    assert driver.at == ["last"]
    assert driver.instance.activations == {}
    assert joins(driver, "all") == (1, 1)


def test_leaving_fires_the_inner_join(run):
    """When the last token that an inner join waits for leaves, it fires with those that have arrived."""
    driver = run(LEAVING)
    driver.complete("a", {"leave": False})
    assert driver.at == ["c", "b", "some"]
    driver.complete("b", {"leave": True})
    assert driver.ended("some") == ["COMPLETED"]
    assert driver.at == ["c", "all"]


def test_leaving_several_gateways_at_once(run):
    """A token that goes to a join three levels out leaves every gateway on the way."""
    driver = run("""
        fork one -> two, e => all
        fork two -> three, d => some
        fork three -> a, b => few
        task a -> all
        task b -> few
        join few -> some
        task d -> some
        join some -> all
        task e -> all
        join all -> last
        task last -> end
        end end
    """)
    for step_id in "aebd":
        assert "last" not in driver.at
        driver.complete(step_id)
    assert driver.at == ["last"]


def test_last_token_leaving_ends_every_gateway_it_was_alone_in(run):
    """When all tokens of nested gateways have left for the outermost join, nothing of them remains."""
    driver = run(
        """
        fork one -> two, e => all
        fork two -> three, d => some
        fork three -> a, b => few
        task a -> all
        task b -> all ? never -> few
        join few -> some
        task d -> all
        join some -> all
        task e -> all
        join all -> last
        task last -> end
        end end
    """,
        {"never": False},
    )
    for step_id in "dabe":
        assert "last" not in driver.at
        driver.complete(step_id)
    assert driver.at == ["last"]


def test_token_without_a_gateway_passes(run):
    """A token that belongs to no gateway of a join passes through it, and the pass is in the history."""
    driver = run("""
        task first -> split ? direct -> both
        fork split -> a, b => both
        task a -> both
        task b -> both
        join both -> last
        task last -> end
        end end
    """)
    driver.complete("first", {"direct": True})
    assert driver.at == ["last"]
    assert driver.ended("both") == ["COMPLETED"]


def test_token_of_another_gateway_passes(run):
    """A token inside one gateway passes through the join of another, and still counts for its own."""
    driver = run(
        """
        task first -> one ? other -> two
        fork one -> a, b => first-join
        task a -> second-join
        task b -> first-join
        fork two -> c, d => second-join
        task c -> second-join
        task d -> second-join
        join second-join -> first-join
        join first-join -> end
        end end
    """,
        {"other": False},
    )
    driver.complete("first")
    driver.complete("a")
    assert driver.at == ["b", "first-join"]
    assert driver.ended("second-join") == ["COMPLETED"]
    driver.complete("b")
    assert driver.status == "COMPLETED"


def test_end_inside_a_branch_ends_everything(run):
    """A branch that reaches END completes the instance normally; the join waits no more."""
    driver = run("""
        fork split -> a, b, c => both
        task a -> end
        task b -> both
        task c -> both
        join both -> end
        end end
    """)
    driver.complete("b")
    driver.complete("a")
    assert driver.status == "COMPLETED"
    assert driver.ended("both") == ["ABANDONED"]
    assert driver.ended("c") == ["ABANDONED"]
    assert driver.instance.open == {}


STARVING = """
    fork split -> a, b => both
    task a ? false -> both
    task b -> both
    join both -> end
    end end
"""


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_starved_join_fails_the_instance(run, order):
    """When only tokens that wait at joins remain, the instance fails with JoinStarved instead of hanging."""
    driver = run(STARVING)
    for step_id in order:
        driver.complete(step_id)
    assert driver.status == "FAILED"
    assert driver.reason.startswith("JoinStarved: join 'both'")
    assert driver.ended("both") == ["FAILED"]


def test_join_is_not_starved_while_anything_else_is_open(run):
    """A join that waits in vain does not fail the instance as long as another token lives."""
    driver = run("""
        fork outer -> split, c => all
        fork split -> a, b => both
        task a ? false -> both
        task b -> both
        task c -> end
        join both -> all
        join all -> end
        end end
    """)
    driver.complete("a")
    driver.complete("b")
    assert driver.status == "ACTIVE"
    driver.complete("c")
    assert driver.status == "COMPLETED"


def test_starved_instance_retried_starves_again(run):
    """A manual retry of a starved join cannot hang either: nothing new can arrive."""
    driver = run(STARVING)
    driver.complete("a")
    driver.complete("b")
    driver.retry("both")
    assert driver.status == "FAILED"
    assert driver.ended("both") == ["FAILED", "FAILED"]


def test_all_branches_at_dead_ends(run):
    """When every branch stops and nobody waits, the last token is gone and the instance is complete."""
    driver = run("""
        fork split -> a, b => both
        task a ? false -> both
        task b ? false -> both
        join both -> end
        end end
    """)
    driver.complete("a")
    assert driver.status == "ACTIVE"
    driver.complete("b")
    assert driver.status == "COMPLETED"


EXTRA = """
    fork split -> a, b => both
    task a -> both +PT1M -> more
    task b -> both
    task more -> both ? stop -> less
    decide less ? false -> both ; true -> gone
    task gone
    join both -> last
    task last -> end
    end end
"""


def test_timer_adds_a_token_to_the_join(run):
    """A non-interrupting timer's token belongs to its step's gateway, and the join waits for it too."""
    driver = run(EXTRA)
    driver.fire("a")
    driver.complete("a")
    driver.complete("b")
    assert driver.at == ["more", "both"]
    driver.complete("more", {"stop": False})
    assert driver.at == ["last"]
    assert joins(driver) == (1, 1)


@pytest.mark.parametrize("order", [("a", "b", "gone"), ("a", "gone", "b"), ("gone", "a", "b")])
def test_extra_token_that_dies_is_not_awaited(run, order):
    """A timer's token that ends at a dead end takes back what it added to the join."""
    driver = run(EXTRA)
    driver.fire("a")
    driver.complete("more", {"stop": True})
    for step_id in order:
        assert "last" not in driver.at
        driver.complete(step_id)
    assert driver.at == ["last"]


def test_own_token_that_dies_starves_in_spite_of_an_extra_one(run):
    """An extra token does not stand in for a branch's own token that died."""
    driver = run("""
        fork split -> a, b => both
        task a +PT1M -> more
        task b -> both
        task more -> both
        join both -> end
        end end
    """)
    driver.fire("a")
    for step_id in ("more", "a", "b"):
        driver.complete(step_id)
    assert driver.reason.startswith("JoinStarved")


def test_extra_token_outside_any_gateway(run):
    """A timer's token outside any gateway is on its own; the instance is complete when the last one is gone."""
    driver = run("""
        task a ? false -> end +PT1M -> more
        task more
        end end
    """)
    driver.fire("a")
    driver.complete("a")
    assert driver.at == ["more"]
    driver.complete("more")
    assert driver.status == "COMPLETED"


def test_extra_token_outside_any_gateway_is_owed_to_its_own_forks(run):
    """A timer's token outside any gateway forks like any other: a branch of it that dies starves its join."""
    driver = run("""
        task a ? false -> end +PT1M -> split
        fork split -> b, c => both
        task b -> both
        task c
        join both -> end
        end end
    """)
    driver.fire("a")
    for step_id in "abc":
        driver.complete(step_id)
    assert driver.reason.startswith("JoinStarved")


FORKED_EXTRA = """
    fork split -> a, b => both
    task a -> both +PT1M -> more
    task b -> both
    fork more -> c, d => some
    task c -> some ? stop -> gone
    task d -> some ? stop -> gone
    task gone
    join some -> both
    join both -> last
    task last -> end
    end end
"""


@pytest.mark.parametrize("stops", ["", "c", "d", "cd"])
@pytest.mark.parametrize("order", ["abcd", "cdab", "acbd"])
def test_extra_token_that_forks(run, stops, order):
    """Branches of an extra token may die one by one; what is left of them is one token for the join, or none."""
    driver = run(FORKED_EXTRA)
    driver.fire("a")
    for step_id in order:
        assert "last" not in driver.at
        driver.complete(step_id, {"stop": step_id in stops})
        if step_id in stops:
            driver.complete("gone")
    assert driver.at == ["last"]
    assert driver.instance.activations == {}


@pytest.mark.parametrize("order", ["xabc", "axbc", "abxc", "abcx"])
def test_extra_token_alone_in_a_gateway_that_all_others_left(run, order):
    """When the last token inside a gateway is a timer's and dies, the outer join waits for nothing more of it."""
    driver = run(
        """
        fork outer -> inner, c => all
        fork inner -> a, b => some
        task a -> all +PT1M -> x
        task b -> all ? never -> some
        task x
        task c -> all
        join some -> all
        join all -> last
        task last -> end
        end end
    """,
        {"never": False},
    )
    driver.fire("a")
    for step_id in order:
        assert "last" not in driver.at
        driver.complete(step_id)
    assert driver.at == ["last"]
    assert driver.instance.activations == {}


def test_interrupting_timer_keeps_the_token_in_its_gateway(run):
    """An interrupting timer moves the token; where it goes, it still counts for its join."""
    driver = run("""
        fork split -> a, b => both
        task a -> both !PT1M -> late
        task b -> both
        task late -> both
        join both -> last
        task last -> end
        end end
    """)
    driver.complete("b")
    driver.fire("a")
    assert driver.at == ["both", "late"]
    driver.complete("late")
    assert driver.at == ["last"]


def test_interrupting_timer_straight_to_the_join(run):
    """A timer may lead to the join itself."""
    driver = run("""
        fork split -> a, b => both
        task a -> both !PT1M -> both
        task b -> both
        join both -> last
        task last -> end
        end end
    """)
    driver.fire("a")
    driver.complete("b")
    assert driver.at == ["last"]


def test_interrupted_extra_token_stays_extra(run):
    """A timer's token that is interrupted on its way is still one that may die without starving the join."""
    driver = run("""
        fork split -> a, b => both
        task a -> both +PT1M -> more
        task b -> both
        user more -> both !PT1M -> gone
        task gone
        join both -> last
        task last -> end
        end end
    """)
    driver.fire("a")
    driver.fire("more")
    for step_id in ("a", "b", "gone"):
        driver.complete(step_id)
    assert driver.at == ["last"]


def test_timer_on_an_extra_token(run):
    """Timers of a timer's token add tokens to the same gateway."""
    driver = run("""
        fork split -> a, b => both
        task a -> both +PT1M -> more
        task b -> both
        task more -> both +PT1M -> most
        task most -> both
        join both -> last
        task last -> end
        end end
    """)
    driver.fire("a")
    driver.fire("more")
    for step_id in ("a", "most", "b", "more"):
        assert "last" not in driver.at
        driver.complete(step_id)
    assert driver.at == ["last"]


def test_join_loops_are_bounded(run):
    """A loop of joins and gateways without a task fails with StepBudgetExceeded, as any other automatic loop."""
    driver = run(
        """
        fork split -> a, b => both
        decide a ? false -> end ; true -> both
        decide b ? true -> both
        join both -> split
        end end
        """,
        rules=Rules(step_budget=50),
    )
    assert driver.reason.startswith("StepBudgetExceeded: more than 50 automatic steps")


def test_gateway_that_grows_is_bounded(run):
    """A branch that goes back to its own gateway at once fails with StepBudgetExceeded."""
    driver = run(
        """
        fork split -> split, a => both
        task a -> both
        join both -> end
        end end
        """,
        rules=Rules(step_budget=50),
    )
    assert driver.reason.startswith("StepBudgetExceeded")
    assert driver.instance.open == {}


def test_over_budget_at_a_join(run):
    """The budget may run out at a join; that join is then the failed step, and a retry goes on from there."""
    driver = run(
        """
        fork split -> a, b => both
        decide a ? true -> both
        decide b ? true -> both
        join both -> end
        end end
        """,
        rules=Rules(step_budget=4),
    )
    assert driver.history[-2:] == [("both", "CANCELLED"), ("both", "FAILED")]
    driver.retry("both")
    assert driver.status == "COMPLETED"


def test_activation_is_remembered_by_its_gateway(run):
    """The event of a gateway says how many tokens it made, for which join, and whose token it was."""
    driver = run(SIMPLE)
    (fired,) = driver.happened(ev.GatewayFired)
    assert (fired.activation, fired.join, fired.branches) == (1, "both", 2)
