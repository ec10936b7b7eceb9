"""Definitions as messages: nothing is lost either way, order least of all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rochallor.core.definition import CODES, canonical, parse_definition
from rochallor.core.errors import BadRequest, Detail
from rochallor.shell.views import DefinitionSummary, Page, UploadView
from rochallor.transports.grpc.definitions import read_definition, write_definition
from rochallor_proto import engine_pb2 as pb

END = {"id": "end", "name": "End", "type": "END"}
LOAN = {
    "id": "LOS::loan",
    "name": "Loan",
    "description": "Grants a loan.",
    "autoStartNextWorkflow": True,
    "nextWorkflowId": "LOS::payout",
    "input_schema": {"properties": {"amount": {"type": "number"}}, "required": ["amount"]},
    "metadata": {"workflowModeller": {"zoom": 1.5, "nodes": [{"x": -1, "y": None}]}, "owner": "risk"},
    "steps": [
        {
            "id": "rate",
            "name": "Rate",
            "type": "DECISION_TABLE",
            "hitPolicy": "F",
            "decisionTable": {
                "rules": [
                    {
                        "when": {"zeta": "#amount > 10", "alpha": "", "mid": "#amount < 100"},
                        "outputs": {"rate": 0.5, "band": "${'b'}", "tags": ["x", 1], "none": None},
                    },
                    {"outputs": {"rate": 1, "band": "c"}},
                ]
            },
            "nextStep": "fork",
        },
        {
            "id": "fork",
            "name": "Fork",
            "type": "PARALLEL_GATEWAY",
            "parallelNextSteps": ["credit", "fraud"],
            "joinStep": "join",
        },
        {
            "id": "credit",
            "name": "Credit",
            "type": "SERVICE_TASK",
            "jobType": "credit-check",
            "delegateClass": "com.example.Credit",
            "retryCount": 3,
            "retryPolicy": {
                "initialDelay": "PT1S",
                "multiplier": 1.5,
                "maxDelay": "PT1M",
                "jitter": 0,
                "giveUpAfter": "P1D",
            },
            "outputs_schema": {"properties": {"score": {"type": "integer"}}},
            "nextStep": "join",
        },
        {"id": "fraud", "name": "Fraud", "type": "SERVICE_TASK", "jobType": "fraud-check", "nextStep": "join"},
        {"id": "join", "name": "Join", "type": "JOIN_GATEWAY", "nextStep": "choose"},
        {
            "id": "choose",
            "name": "Choose",
            "type": "DECISION",
            "conditionalNextSteps": {"#score > 700": "fees", "#score > 300": "review", "true": "end"},
        },
        {
            "id": "review",
            "name": "Review",
            "type": "USER_TASK",
            "description": "Look at it.",
            "boundaryEvents": [
                {"type": "TIMER", "duration": "P1D", "interrupting": True, "targetStepId": "fees"},
                {"type": "TIMER", "duration": "PT1H", "interrupting": False, "targetStepId": "end"},
            ],
            "nextStep": "wait",
        },
        {"id": "wait", "name": "Wait", "type": "WAIT", "nextStep": "fees"},
        {
            "id": "fees",
            "name": "Fees",
            "type": "TRANSFORMATION",
            "transformations": {"fee": "${amount / 100}", "list": [1, {"a": None}], "flag": False},
            "nextStep": "end",
        },
        END,
    ],
}


def message_of(document: dict) -> pb.WorkflowDefinition:
    message = pb.WorkflowDefinition()
    write_definition(message, json.dumps(document).encode())
    return pb.WorkflowDefinition.FromString(message.SerializeToString())


def accepted(raw: bytes):
    parsed = parse_definition(raw)
    assert parsed.definition is not None, parsed.problems
    return parsed.definition


def test_a_definition_with_everything_survives():
    """JSON to message to JSON is the same definition, order of conditions and columns included."""
    raw, ordered = read_definition(message_of(LOAN))
    assert ordered
    assert canonical(accepted(raw)) == canonical(accepted(json.dumps(LOAN).encode()))


def test_every_field_of_the_format_travels():
    """Only what proto cannot tell apart (an empty map, a null cell) may differ; here nothing does."""
    assert json.loads(read_definition(message_of(LOAN))[0]) == LOAN


def test_answers_carry_the_conditions_twice():
    """Old clients read the map, new ones the list."""
    step = message_of(LOAN).steps[5]
    assert dict(step.conditional_next_steps) == LOAN["steps"][5]["conditionalNextSteps"]
    assert [each.next_step for each in step.ordered_conditions] == ["fees", "review", "end"]


def test_a_bare_map_is_read_in_lexicographic_order():
    """Without an order there is at least a stable one, and the engine is told that it is not the author's."""
    message = message_of(LOAN)
    for step in message.steps:
        step.ClearField("ordered_conditions")
        for rule in step.decision_table.rules:
            rule.ClearField("when_order")
            rule.ClearField("outputs_order")
    raw, ordered = read_definition(message)
    steps = json.loads(raw)["steps"]
    assert not ordered
    assert list(steps[5]["conditionalNextSteps"]) == ["#score > 300", "#score > 700", "true"]
    assert list(steps[0]["decisionTable"]["rules"][0]["when"]) == ["alpha", "mid", "zeta"]
    latest, uploaded = accepted(json.dumps(LOAN).encode()), accepted(raw)
    assert canonical(latest, ordered=False) == canonical(uploaded, ordered=False)


def test_a_map_of_one_needs_no_order():
    """Nothing can be out of order in a map with one key."""
    step = {"id": "a", "type": pb.STEP_TYPE_DECISION, "conditional_next_steps": {"true": "end"}}
    assert read_definition(pb.WorkflowDefinition(steps=[step]))[1]


def test_listed_conditions_win_over_the_map():
    """When both are there, the order-carrying one counts."""
    step = pb.WorkflowStep(id="a", conditional_next_steps={"x": "1"})
    step.ordered_conditions.add(expression="y", next_step="2")
    raw, ordered = read_definition(pb.WorkflowDefinition(steps=[step]))
    assert (json.loads(raw)["steps"][0]["conditionalNextSteps"], ordered) == ({"y": "2"}, True)


def test_columns_without_a_place_follow_in_order():
    """An order that names some columns, or unknown ones, is completed."""
    rule = {"when": {"a": "1", "b": "2", "c": "3"}, "when_order": ["c", "zz", "c"]}
    message = pb.WorkflowDefinition(steps=[{"id": "t", "decision_table": {"rules": [rule]}}])
    found = json.loads(read_definition(message)[0])["steps"][0]["decisionTable"]["rules"][0]["when"]
    assert list(found) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda steps: steps[5].ordered_conditions.add(expression="true", next_step="end"), "DUPLICATE_KEY"),
        (lambda steps: setattr(steps[0].decision_table.rules[0], "then", "end"), "DECISION_TABLE_LEGACY_THEN"),
        (
            lambda steps: setattr(steps[0].decision_table, "default_next_step", "end"),
            "DECISION_TABLE_LEGACY_DEFAULT_NEXT_STEP",
        ),
        (lambda steps: setattr(steps[1], "type", 0), "STEP_TYPE_VALID"),
        (lambda steps: setattr(steps[6].boundary_events[0], "type", 0), "BOUNDARY_TYPE"),
        (lambda steps: setattr(steps[2], "retry_count", -1), "RETRY_COUNT_RANGE"),
        (lambda steps: steps[2].retry_policy.ClearField("initial_delay"), "RETRY_POLICY_INVALID"),
    ],
)
def test_what_is_wrong_is_left_to_the_engine_to_report(change, code):
    """The message is read as it is, so that gRPC and REST have the same problems."""
    message = message_of(LOAN)
    change(message.steps)
    assert code in CODES
    assert code in {problem.code for problem in parse_definition(read_definition(message)[0]).problems}


def test_all_unknown_step_types_are_reported_together():
    """Two unknown numbers are two details, each with its place."""
    steps = [{"id": "a", "type": 77}, {"id": "b", "type": 2}, {"id": "c", "type": 78}]
    with pytest.raises(BadRequest) as caught:
        read_definition(pb.WorkflowDefinition(steps=steps))
    assert [detail.pointer for detail in caught.value.details] == ["/steps/0/type", "/steps/2/type"]


def test_a_number_that_is_none_is_refused_with_its_place():
    """NaN in a retry policy or in a table's output cannot become JSON."""
    step = pb.WorkflowStep(id="a")
    step.retry_policy.multiplier = float("nan")
    with pytest.raises(BadRequest) as caught:
        read_definition(pb.WorkflowDefinition(steps=[step]))
    assert caught.value.details[0].pointer == "/steps/0/retryPolicy/multiplier"


def test_empty_text_is_absent_and_an_empty_struct_is_not():
    """A proto string cannot be absent otherwise; a message can."""
    message = pb.WorkflowDefinition(id="a", metadata={}, steps=[{"id": "s", "type": 8}])
    assert json.loads(read_definition(message)[0]) == {
        "id": "a",
        "metadata": {},
        "steps": [{"id": "s", "type": "END"}],
    }


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


@given(
    st.dictionaries(NAMES, NAMES, min_size=1, max_size=6),
    st.dictionaries(NAMES, st.none() | st.booleans() | st.integers(-9, 9) | st.lists(st.text(max_size=2)), min_size=1),
)
def test_order_always_survives(conditions, outputs):
    """Whatever the keys, conditions and outputs come back in the author's order."""
    document = {
        "id": "a",
        "name": "A",
        "steps": [
            {"id": "d", "type": "DECISION", "conditionalNextSteps": conditions},
            {
                "id": "t",
                "type": "DECISION_TABLE",
                "decisionTable": {"rules": [{"when": conditions, "outputs": outputs}]},
            },
        ],
    }
    returned = read_definition(message_of(document))[0]
    assert json.dumps(json.loads(returned)) == json.dumps(document)


async def test_an_upload_answers_with_its_warnings(engine, stub, instance_view):
    """Id, version, time and warnings arrive; the engine is told whether there was an order."""
    warning = Detail("GRAPH_CYCLE", "/steps/1", "a circle")
    view = UploadView(id="a", version=2, name="A", uploaded_at=instance_view.started_at, warnings=(warning,))
    engine.script["upload_definition"] = view
    response = await stub.UploadDefinition(pb.UploadDefinitionRequest(definition=message_of(LOAN)))
    assert (response.version, response.warnings[0].code, response.warnings[0].pointer) == (2, "GRAPH_CYCLE", "/steps/1")
    assert engine.last[2] == {"ordered": True}


@pytest.mark.parametrize(("asked", "version"), [(0, None), (3, 3)])
async def test_a_definition_is_given_with_its_version(engine, stub, asked, version):
    """Version 0 is the latest; the answer says which one it is."""
    engine.script["get_definition"] = json.dumps({"version": 3, **LOAN}).encode()
    response = await stub.GetDefinition(pb.GetDefinitionRequest(id="x", version=asked))
    assert engine.last == ("get_definition", ("x", version), {})
    assert (response.definition.version, len(response.definition.steps)) == (3, len(LOAN["steps"]))


async def test_a_list_of_definitions_is_a_list_of_summaries(engine, stub, instance_view):
    """Id, version, name and description; the steps are for GetDefinition."""
    item = DefinitionSummary(id="a", version=2, name="A", uploaded_at=instance_view.started_at)
    engine.script["list_definitions"] = Page(items=[item], page=0, page_size=20, total=1)
    response = await stub.ListDefinitions(pb.ListDefinitionsRequest(keyword="k", page=1, page_size=2))
    assert engine.last[2] == {"keyword": "k", "page": 1, "page_size": 2}
    assert (response.definitions[0].name, response.total) == ("A", 1)
