"""What each hit policy makes of the rules that match."""

import json

import pytest
from rochallor.core.decision_table import POLICIES, evaluate_table
from rochallor.core.definition import parse_definition
from rochallor.core.definition.tables import HIT_POLICIES
from rochallor.core.errors import RoutingFailure


def compiled(*rules, coercion=False):
    """A table of (condition, outputs) rows; an empty condition always matches."""
    rows = [{"when": {"c": condition}, "outputs": outputs} for condition, outputs in rules]
    step = {"id": "t", "name": "T", "type": "DECISION_TABLE", "nextStep": "e", "decisionTable": {"rules": rows}}
    document = {"id": "w", "name": "W", "steps": [step, {"id": "e", "name": "E", "type": "END"}]}
    parsed = parse_definition(json.dumps(document).encode(), coercion=coercion)
    assert parsed.problems == ()
    return parsed.definition.steps[0].table


def evaluate(policy, *rules, **variables):
    return evaluate_table(compiled(*rules), policy, variables, 0)


ALWAYS, NEVER = "", "false"


def test_every_hit_policy_has_a_row():
    """What an upload accepts can be evaluated."""
    assert set(POLICIES) == set(HIT_POLICIES)


@pytest.mark.parametrize(
    ("policy", "outputs"),
    [
        ("F", {"a": 1, "b": 9}),
        ("R", {"a": [1, 3], "b": [9, None]}),
        ("C", {"a": [1, 3], "b": [9, None]}),
        ("C#", {"a": 2, "b": 2}),
    ],
)
def test_a_policy_gathers_what_matched(policy, outputs):
    """Lists are in rule order, null where a rule lacks the column, and rules that do not match add nothing."""
    rules = (NEVER, {"x": 0}), (ALWAYS, {"a": 1, "b": 9}), (ALWAYS, {"a": 3})
    assert evaluate(policy, *rules) == outputs


@pytest.mark.parametrize(("policy", "result"), [("C+", 6), ("C>", 3), ("C<", 1)])
def test_an_aggregate_of_integers_is_an_integer(policy, result):
    """Sums, maxima and minima of integers stay integers."""
    value = evaluate(policy, (ALWAYS, {"a": 1}), (ALWAYS, {"a": 3}), (ALWAYS, {"a": 2}))["a"]
    assert value == result
    assert type(value) is int


@pytest.mark.parametrize(("policy", "result"), [("R", [5]), ("C", [5]), ("C#", 1), ("C+", 5), ("A", 5), ("U", 5)])
def test_one_match_has_the_same_shape_as_many(policy, result):
    """A list policy gives a list even for one match."""
    assert evaluate(policy, (ALWAYS, {"a": 5})) == {"a": result}


@pytest.mark.parametrize("policy", HIT_POLICIES)
def test_no_match_fails_under_every_policy(policy):
    """A table that finds no rule fails with its stable word."""
    with pytest.raises(RoutingFailure) as failed:
        evaluate(policy, (NEVER, {"a": 1}))
    assert str(failed.value) == (
        "DecisionTableNoRuleMatched: none of the 1 rules matched; add a last rule with an empty `when`"
    )
    assert failed.value.word == "DecisionTableNoRuleMatched"


def test_two_matches_break_uniqueness():
    """U names the 0-based indices of the rules that matched."""
    with pytest.raises(RoutingFailure, match=r"^DecisionTableUniqueViolation: rules 0, 2 matched"):
        evaluate("U", (ALWAYS, {"a": 1}), (NEVER, {"a": 1}), (ALWAYS, {"a": 1}))


def test_agreement_is_by_value():
    """Under A equal numbers agree whatever their spelling, deep inside too."""
    assert evaluate("A", (ALWAYS, {"a": [1]}), (ALWAYS, {"a": "${[2 / 2]}"})) == {"a": [1]}


@pytest.mark.parametrize("others", [{"a": 2}, {"a": True}, {}, {"a": 1, "b": 2}])
def test_disagreement_in_any_column_fails(others):
    """Under A a different, differently typed or missing output is a conflict."""
    with pytest.raises(RoutingFailure, match=r"^DecisionTableAnyConflict: rules 0 and 1 "):
        evaluate("A", (ALWAYS, {"a": 1}), (ALWAYS, others))


@pytest.mark.parametrize(
    ("value", "kind"), [(None, "null"), ("1", "a string"), (True, "a boolean"), ([1], "a list")], ids=repr
)
@pytest.mark.parametrize("policy", ["C+", "C>", "C<"])
def test_only_numbers_are_aggregated(policy, value, kind):
    """Null, text, booleans and lists fail an aggregate, and are called by their names."""
    with pytest.raises(RoutingFailure, match=rf"^DecisionTableAggregatorTypeError: output 'a' has {kind} among its"):
        evaluate(policy, (ALWAYS, {"a": 1}), (ALWAYS, {"a": value}))


def test_a_column_missing_in_one_rule_fails_an_aggregate():
    """A rule that lacks the column counts as null, which is no number."""
    with pytest.raises(RoutingFailure, match=r"^DecisionTableAggregatorTypeError: output 'a' has null"):
        evaluate("C+", (ALWAYS, {"a": 1}), (ALWAYS, {}))


@pytest.mark.parametrize("term", [1.7e308, 10**400])
def test_a_sum_beyond_all_floats_fails(term):
    """What no JSON number can carry is an error, not infinity."""
    with pytest.raises(RoutingFailure, match=r"^DecisionTableAggregatorTypeError: output 'a' is too large"):
        evaluate("C+", (ALWAYS, {"a": term}), (ALWAYS, {"a": 1.7e308}))


@pytest.mark.parametrize("condition", ["missing > 1", "1 + 1", "'yes'"])
def test_a_cell_that_is_no_boolean_fails_with_its_place(condition):
    """A cell's error names rule and column."""
    with pytest.raises(RoutingFailure, match=r"^DecisionTableCellError: rule 1, column 'c': "):
        evaluate("U", (NEVER, {}), (condition, {}))


def test_an_output_that_cannot_be_computed_fails_with_its_place():
    """An output's error names rule and column."""
    with pytest.raises(RoutingFailure, match=r"^DecisionTableOutputError: rule 0, output 'a': "):
        evaluate("F", (ALWAYS, {"a": "${missing}"}))


def test_first_does_not_look_past_its_match():
    """Under F a later rule is not evaluated, so its errors do not matter."""
    assert evaluate("F", (ALWAYS, {"a": 1}), ("missing", {"a": 2})) == {"a": 1}


def test_a_rule_stops_at_its_first_false_cell():
    """Cells are read in column order; after a false one the rest is not evaluated."""
    rule = {"when": {"a": "false", "b": "missing"}, "outputs": {"x": 1}}
    step = {"id": "t", "name": "T", "type": "DECISION_TABLE", "nextStep": "e"}
    step["decisionTable"] = {"rules": [rule, {"outputs": {"x": 2}}]}
    document = {"id": "w", "name": "W", "steps": [step, {"id": "e", "name": "E", "type": "END"}]}
    table = parse_definition(json.dumps(document).encode()).definition.steps[0].table
    assert evaluate_table(table, "U", {}, 0) == {"x": 2}


def test_outputs_see_the_variables_before_the_step():
    """An output that overwrites a variable does not change what others read."""
    assert evaluate("F", ("n == 1", {"n": "${n + 1}", "m": "${n + 1}"}), n=1) == {"n": 2, "m": 2}


def test_a_rule_without_outputs_sets_nothing():
    """A match may have no consequence."""
    assert evaluate("U", (ALWAYS, {})) == {}


def test_cells_follow_the_dialect_they_were_compiled_for():
    """With coercion the text "true" is a condition that holds."""
    assert evaluate_table(compiled(("flag", {"a": 1}), coercion=True), "U", {"flag": "true"}, 0) == {"a": 1}


def test_large_integers_are_aggregated():
    """A sum of more than 64 bits is a sum like any other."""
    assert evaluate("C+", (ALWAYS, {"a": 1 << 100}), (ALWAYS, {"a": 1})) == {"a": (1 << 100) + 1}


def test_table_needs_no_budget_of_its_caller():
    """Evaluated by itself, a table has a budget of its own."""
    assert evaluate("F", ("'x' in many", {"a": 1}), (ALWAYS, {"a": 2}), many=["y"] * 100) == {"a": 2}
