"""What can be told from the shape of a workflow alone."""

import json
import time

import pytest
from rochallor.core.definition import parse_definition


def warnings_of(steps, code):
    shown = [{"name": "S", **step} for step in steps]
    parsed = parse_definition(json.dumps({"id": "wf", "name": "W", "steps": shown}).encode())
    assert parsed.problems == ()
    return [warning for warning in parsed.warnings if warning.code == code]


def wait(name, to, **fields):
    return {"id": name, "type": "WAIT", "nextStep": to, **fields}


def task(name, to=None, **fields):
    return {"id": name, "type": "SERVICE_TASK", **({"nextStep": to} if to else {}), **fields}


def fork(name, branches, join):
    return {"id": name, "type": "PARALLEL_GATEWAY", "parallelNextSteps": branches, "joinStep": join}


def join(name, to):
    return {"id": name, "type": "JOIN_GATEWAY", "nextStep": to}


END = {"id": "end", "type": "END"}


def test_two_separate_loops_are_two_warnings():
    """Each knot of steps is reported once, at its first step."""
    steps = [
        task("a", "b"),
        task("b", "c", conditionalNextSteps={"x": "a"}),
        task("c", "d", conditionalNextSteps={"x": "c"}),
        task("d", "end"),
        END,
    ]
    found = warnings_of(steps, "GRAPH_CYCLE")
    assert [warning.pointer for warning in found] == ["/steps/0", "/steps/2"]
    assert "a, b" in found[0].message


def test_a_large_loop_is_named_by_its_first_steps():
    """The message stays short however long the loop is."""
    ring = [task(f"s{i}", f"s{(i + 1) % 8}", conditionalNextSteps={"x": "end"}) for i in range(8)]
    (found,) = warnings_of([*ring, END], "GRAPH_CYCLE")
    assert "s4, …" in found.message
    assert "s5" not in found.message


def test_steps_that_meet_again_are_no_loop():
    """Two ways to one step are not a cycle."""
    steps = [task("a", "c", conditionalNextSteps={"x": "b"}), task("b", "c"), task("c", "end"), END]
    assert warnings_of(steps, "GRAPH_CYCLE") == []


def test_nested_gateways_whose_branches_meet_are_in_order():
    """An inner fork and join inside a branch raise no doubt."""
    steps = [
        fork("outer", ["inner", "x"], "outer-join"),
        fork("inner", ["y", "z"], "inner-join"),
        wait("x", "outer-join"),
        wait("y", "inner-join"),
        wait("z", "inner-join"),
        join("inner-join", "outer-join"),
        join("outer-join", "end"),
        END,
    ]
    assert warnings_of(steps, "BRANCH_MAY_MISS_JOIN") == []


def test_a_branch_that_stops_is_reported():
    """A branch whose task leads nowhere never reaches the join."""
    steps = [fork("f", ["a", "b"], "j"), task("a"), wait("b", "j"), join("j", "end"), END]
    (found,) = warnings_of(steps, "BRANCH_MAY_MISS_JOIN")
    assert found.pointer == "/steps/0/parallelNextSteps/0"


def test_an_interrupting_timer_can_lead_past_the_join():
    """The token an interrupting timer moves is the branch's own."""
    timer = {"type": "TIMER", "duration": "PT1S", "interrupting": True, "targetStepId": "end"}
    steps = [fork("f", ["a", "b"], "j"), wait("a", "j", boundaryEvents=[timer]), wait("b", "j"), join("j", "end"), END]
    (found,) = warnings_of(steps, "BRANCH_MAY_MISS_JOIN")
    assert found.pointer == "/steps/0/parallelNextSteps/0"


def test_an_escalation_beside_a_branch_is_in_order():
    """A non-interrupting timer adds a token; the branch still reaches the join."""
    timer = {"type": "TIMER", "duration": "PT1S", "interrupting": False, "targetStepId": "end"}
    steps = [fork("f", ["a", "b"], "j"), wait("a", "j", boundaryEvents=[timer]), wait("b", "j"), join("j", "end"), END]
    assert warnings_of(steps, "BRANCH_MAY_MISS_JOIN") == []


def test_a_step_reached_by_an_ignored_field_counts_as_reached():
    """Definitions in use reach steps by foreign fields; they stay accepted."""
    steps = [
        {"id": "d", "type": "DECISION", "conditionalNextSteps": {"true": "end"}, "nextStep": "aside"},
        task("aside", "end"),
        END,
    ]
    assert len(warnings_of(steps, "STEP_FIELD_INVALID")) == 1


def test_a_thousand_joins_and_a_hundred_thousand_edges_are_read_in_seconds():
    """A hostile graph gives up a warning rather than the engine's time."""
    targets = [f"w{i}" for i in range(300)]
    forks = [fork(f"f{i}", [*targets, f"f{i + 1}" if i < 299 else "w0"], f"j{i}") for i in range(300)]
    waits = [wait(name, "j0") for name in targets]
    joins = [join(f"j{i}", f"j{i + 1}" if i < 299 else "end") for i in range(300)]
    began = time.process_time()
    assert warnings_of([*forks, *waits, *joins, END], "BRANCH_MAY_MISS_JOIN") == []
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("policy", "conditions", "unreachable"),
    [
        ("F", [["a"], ["a", "b"]], [1]),
        ("F", [["a", "b"], ["a"]], []),
        ("F", [["a"], ["a"], []], [1]),
        ("F", [["a", "b"], ["b", "a"]], [1]),
        ("F", [[], []], [1]),
        ("F", [list("abcdefgh"), list("habcdefg")], [1]),
        ("F", [["h"], list("abcdefgh")], [1]),
        ("F", [["a", "b"], list("abcdef")], [1]),
        ("F", [["a", "b"], list("abcdefg")], []),
        ("F", [["g"], list("abcdefg")], [1]),
        ("F", [[], list("abcdefg")], [1]),
        ("U", [["a"], []], [0]),
        ("U", [["a"], ["a"]], [1]),
        ("U", [["a"], ["b"]], []),
        ("A", [["a"], ["a"]], []),
        ("C", [[], []], []),
    ],
)
def test_rules_that_cannot_decide_are_found(policy, conditions, unreachable):
    """Under F and U, a rule whose condition includes another's is reported; elsewhere it may still add."""
    rules = [{"when": {str(i): cell for i, cell in enumerate(cells)}} for cells in conditions]
    step = {
        "id": "t",
        "type": "DECISION_TABLE",
        "hitPolicy": policy,
        "nextStep": "end",
        "decisionTable": {"rules": rules},
    }
    found = warnings_of([step, END], "DECISION_TABLE_UNREACHABLE_RULE")
    assert [w.pointer for w in found] == [f"/steps/0/decisionTable/rules/{i}" for i in unreachable]
