"""What an accepted definition is: compiled, in author order, defaults filled in."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rochallor.core.definition import StepType, parse_definition, render_definition
from rochallor.core.definition.model import Computed, Literal
from rochallor.core.durations import parse_duration

LOAN = {
    "id": "LOS::loan",
    "version": 7,
    "name": "Loan application",
    "autoStartNextWorkflow": True,
    "nextWorkflowId": "LOS::disbursement",
    "input_schema": {"properties": {"amount": {"type": "number"}}, "required": ["amount"]},
    "steps": [
        {
            "id": "checks",
            "name": "Risk checks",
            "type": "PARALLEL_GATEWAY",
            "parallelNextSteps": ["score", "fraud"],
            "joinStep": "checked",
        },
        {
            "id": "score",
            "name": "Credit score",
            "type": "SERVICE_TASK",
            "jobType": "credit-score",
            "retryCount": 3,
            "retryPolicy": {"initialDelay": "PT1S", "maxDelay": "PT1M", "giveUpAfter": "PT1H", "jitter": 0.1},
            "outputs_schema": {"properties": {"creditScore": {"type": "integer"}}},
            "nextStep": "checked",
        },
        {"id": "fraud", "name": "Fraud screening", "type": "SERVICE_TASK", "nextStep": "checked"},
        {"id": "checked", "name": "All checked", "type": "JOIN_GATEWAY", "nextStep": "classify"},
        {
            "id": "classify",
            "name": "Risk tier",
            "type": "DECISION_TABLE",
            "hitPolicy": "F",
            "nextStep": "fees",
            "decisionTable": {
                "rules": [
                    {
                        "when": {"score": "creditScore < 500", "fraud": " "},
                        "outputs": {"tier": "HIGH", "rate": 0.0},
                    },
                    {
                        "when": {"score": "creditScore < 650"},
                        "outputs": {"rate": "${creditScore / 50}", "tier": "MEDIUM"},
                    },
                    {"when": {}, "outputs": {"tier": "LOW"}},
                ]
            },
        },
        {
            "id": "fees",
            "name": "Fees",
            "type": "TRANSFORMATION",
            "transformations": {"fee": "${amount * 0.01}", "currency": "USD"},
            "nextStep": "route",
        },
        {
            "id": "route",
            "name": "Route",
            "type": "DECISION",
            "conditionalNextSteps": {
                "#tier == 'MEDIUM'": "review",
                "#tier == 'LOW'": "approved",
                "#tier == 'HIGH'": "rejected",
            },
        },
        {
            "id": "review",
            "name": "Manual review",
            "type": "USER_TASK",
            "conditionalNextSteps": {"approvedByHand": "approved"},
            "nextStep": "rejected",
            "boundaryEvents": [{"type": "TIMER", "duration": "PT48H", "interrupting": True, "targetStepId": "cooling"}],
        },
        {"id": "cooling", "name": "Cool down", "type": "WAIT", "nextStep": "rejected"},
        {"id": "approved", "name": "Approved", "type": "END"},
        {"id": "rejected", "name": "Rejected", "type": "END"},
    ],
    "metadata": {"owner": "lending", "workflowModeller": {"layout": {"score": {"x": 1.5}}}},
}


def parse(document):
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_definition(raw)


def accepted(document):
    parsed = parse(document)
    assert parsed.problems == ()
    return parsed.definition


def single(**fields):
    """A definition of one step of the given fields, and an END."""
    step = {"id": "work", "name": "Work", "type": "SERVICE_TASK", "nextStep": "end", **fields}
    return {"id": "wf", "name": "W", "steps": [step, {"id": "end", "name": "E", "type": "END"}]}


@pytest.fixture(scope="module")
def loan():
    return accepted(LOAN)


def test_a_full_definition_has_neither_problems_nor_warnings():
    """A definition that uses every step type as intended is accepted in silence."""
    parsed = parse(LOAN)
    assert (parsed.problems, parsed.warnings) == ((), ())


def test_the_first_step_is_the_entry(loan):
    """An instance begins at the first step of the list."""
    assert loan.entry.id == "checks"


def test_steps_are_found_by_id(loan):
    """A step is found by its id, and an unknown id gives none."""
    assert loan.step("fees").type is StepType.TRANSFORMATION
    assert loan.step("gone") is None


def test_the_top_level_fields_arrive(loan):
    """Chaining, schema, metadata and name are on the definition."""
    assert (loan.id, loan.name, loan.version) == ("LOS::loan", "Loan application", 0)
    assert loan.auto_start_next_workflow
    assert loan.next_workflow_id == "LOS::disbursement"
    assert loan.input_schema.required == ("amount",)
    assert loan.metadata["owner"] == "lending"


def test_conditions_keep_the_order_of_their_author(loan):
    """Conditions are tried as written, not sorted."""
    assert [c.next_step for c in loan.step("route").conditions] == ["review", "approved", "rejected"]
    assert [c.source for c in loan.step("review").conditions] == ["approvedByHand"]


def test_a_gateway_knows_its_branches_and_join(loan):
    """Branches are in author order."""
    checks = loan.step("checks")
    assert (checks.parallel_next_steps, checks.join_step) == (("score", "fraud"), "checked")


def test_a_service_task_has_its_job(loan):
    """Job type, retries, policy and output schema are compiled."""
    score = loan.step("score")
    assert (score.job_type, score.retry_count) == ("credit-score", 3)
    assert score.retry_policy.initial_delay == parse_duration("PT1S")
    assert score.retry_policy.give_up_after == parse_duration("PT1H")
    assert (score.retry_policy.multiplier, score.retry_policy.jitter) == (2.0, 0.1)
    assert score.outputs_schema.properties == {"creditScore": "integer"}


def test_a_job_type_left_out_is_the_step_id(loan):
    """A SERVICE_TASK without jobType makes jobs named after the step."""
    assert loan.step("fraud").job_type == "fraud"


def test_timers_are_compiled(loan):
    """A boundary event becomes a parsed duration and a target."""
    (timer,) = loan.step("review").boundary_timers
    assert (timer.duration, timer.interrupting, timer.target) == (parse_duration("PT48H"), True, "cooling")


def test_a_timer_does_not_interrupt_unless_told():
    """`interrupting` left out is false."""
    event = {"type": "TIMER", "duration": "PT1S", "targetStepId": "end"}
    (timer,) = accepted(single(boundaryEvents=[event])).step("work").boundary_timers
    assert timer.interrupting is False


def test_blank_cells_are_wildcards(loan):
    """A cell of white space is no condition."""
    assert [cell.column for cell in loan.step("classify").table.rules[0].when] == ["score"]


def test_outputs_keep_their_order_and_whole_floats_are_integers(loan):
    """Outputs are in author order; `0.0` is `0` as it would be over gRPC."""
    first = loan.step("classify").table.rules[0]
    assert first.outputs == (("tier", Literal("HIGH")), ("rate", Literal(0)))
    assert type(first.outputs[1][1].value) is int
    assert loan.step("classify").table.output_columns == ("tier", "rate")


def test_only_whole_dollar_braces_are_computed(loan):
    """`${…}` is computed, other text stands for itself."""
    (_, fee), (_, currency) = loan.step("fees").transformations
    assert isinstance(fee, Computed)
    assert fee.evaluate({"amount": 200}, 0) == 2.0
    assert fee.names == {"amount"}
    assert currency.evaluate({}, 0) == "USD"
    assert currency.names == frozenset()


def test_the_hit_policy_is_unique_unless_told():
    """A table without hitPolicy allows one match."""
    document = single(type="DECISION_TABLE", decisionTable={"rules": [{"outputs": {"a": 1}}]})
    assert accepted(document).step("work").hit_policy == "U"


def test_foreign_fields_do_nothing():
    """A field a type ignores is not on the compiled step, so that nothing can act on it."""
    document = single(type="DECISION", conditionalNextSteps={"true": "end"}, retryCount=3, transformations={"a": 1})
    step = accepted(document).step("work")
    assert (step.next_step, step.retry_count, step.transformations) == (None, 0, ())


def test_a_user_task_keeps_its_job_type_as_a_label():
    """Existing definitions use jobType on a USER_TASK to choose a form."""
    assert accepted(single(type="USER_TASK", jobType="form-7")).step("work").job_type == "form-7"


@pytest.mark.parametrize(
    "empty",
    [{"joinStep": None}, {"joinStep": ""}, {"retryCount": 0}, {"parallelNextSteps": []}, {"transformations": {}}],
    ids=str,
)
def test_empty_foreign_fields_are_not_worth_a_warning(empty):
    """Tools write empty fields of all types; those say nothing."""
    assert parse(single(type="USER_TASK", **empty)).warnings == ()


def test_null_is_absent():
    """`null` counts as a field left out, at every level."""
    document = single(
        description=None,
        retryPolicy=None,
        boundaryEvents=[{"type": "TIMER", "duration": "PT1S", "interrupting": None, "targetStepId": "end"}],
        outputs_schema=None,
    ) | {"metadata": None, "input_schema": None, "nextWorkflowId": None}
    definition = accepted(document)
    assert definition.metadata is None
    assert b"null" not in definition.source


def test_the_camel_case_spelling_of_schemas_is_accepted():
    """`inputSchema` and `outputsSchema` are read and kept as the snake_case keys."""
    schema = {"properties": {"a": {"type": "string"}}}
    definition = accepted(single(outputsSchema=schema) | {"inputSchema": schema})
    assert definition.input_schema == definition.step("work").outputs_schema
    assert b'"input_schema"' in definition.source
    assert b'"outputs_schema"' in definition.source


def test_listed_conditions_win_over_the_map():
    """`orderedConditions` gives the order a protobuf map cannot, and becomes the map's order."""
    listed = [{"expression": "b", "nextStep": "end"}, {"expression": "a", "nextStep": "work"}]
    document = single(conditionalNextSteps={"a": "end"}, orderedConditions=listed)
    definition = accepted(document)
    assert [c.source for c in definition.step("work").conditions] == ["b", "a"]
    step = json.loads(definition.source)["steps"][0]
    assert list(step["conditionalNextSteps"].items()) == [("b", "end"), ("a", "work")]
    assert "orderedConditions" not in step


def test_listed_columns_win_over_the_map():
    """`whenOrder` and `outputsOrder` order columns; names left out follow, unknown ones are skipped."""
    rule = {
        "when": {"a": "x", "b": "y", "c": None},
        "whenOrder": ["b", "gone"],
        "outputs": {"p": 1, "q": 2},
        "outputsOrder": ["q", "p"],
    }
    definition = accepted(single(type="DECISION_TABLE", decisionTable={"rules": [rule]}))
    (compiled,) = definition.step("work").table.rules
    assert [cell.column for cell in compiled.when] == ["b", "a"]
    assert [name for name, _ in compiled.outputs] == ["q", "p"]
    (kept,) = json.loads(definition.source)["steps"][0]["decisionTable"]["rules"]
    assert [list(kept["when"]), list(kept["outputs"])] == [["b", "a"], ["q", "p"]]
    assert kept.keys() == {"when", "outputs"}


def test_a_plain_upload_is_kept_byte_for_byte():
    """White space, number spelling and key order of the author survive storage."""
    raw = b'\n {"name": "W",  "id":"wf", "metadata": {"n": 1.50e2}, "steps": [{"id":"e","name":"E","type":"END"}]}\n'
    assert accepted(raw).source == raw.strip()


def test_a_byte_order_mark_is_dropped():
    """Editors that begin a file with a byte order mark are forgiven."""
    raw = json.dumps(LOAN).encode()
    assert accepted(b"\xef\xbb\xbf" + raw).source == raw


def test_a_response_has_the_version_and_everything_else_as_written(loan):
    """Rendering adds the version the engine gave and keeps the author's order."""
    shown = json.loads(render_definition(loan), object_pairs_hook=list)
    assert [key for key, _ in shown[:3]] == ["id", "version", "name"]
    assert json.loads(render_definition(loan)) == LOAN | {"version": 0}


def test_coercion_is_a_dialect_of_the_expressions():
    """With coercion on, conditions are compiled to turn numeric text into numbers."""
    raw = json.dumps(single(conditionalNextSteps={"n > 1": "end"})).encode()
    strict, lenient = (
        parse_definition(raw, coercion=coercion).definition.step("work").conditions[0].expression
        for coercion in (False, True)
    )
    assert lenient.evaluate({"n": "2"}, 0) is True
    with pytest.raises(ValueError, match="string"):
        strict.evaluate({"n": "2"}, 0)


def test_a_chain_of_2000_steps_is_parsed():
    """The longest allowed workflow is handled without recursion trouble."""
    links = [
        {"id": f"s{i}", "name": "S", "type": "WAIT", "nextStep": f"s{i + 1}" if i < 1998 else "end"}
        for i in range(1999)
    ]
    definition = accepted({"id": "wf", "name": "W", "steps": [*links, {"id": "end", "name": "E", "type": "END"}]})
    assert len(definition.steps) == 2000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_no_bytes_crash_the_parser(raw):
    """Any bytes give problems, never an exception."""
    assert parse_definition(raw).problems


def places(node, path=()):
    """Every path into a document."""
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


@given(st.sampled_from([path for path in places(LOAN) if path]), json_values)
@settings(max_examples=400, deadline=None, derandomize=True)
def test_no_value_anywhere_crashes_the_parser(path, value):
    """Whatever stands in place of any part of a definition, the outcome is a definition or problems."""
    document = json.loads(json.dumps(LOAN))
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    parsed = parse_definition(json.dumps(document).encode())
    assert (parsed.definition is None) == bool(parsed.problems)
    if parsed.definition:
        json.loads(render_definition(parsed.definition))


@given(st.sampled_from([path for path in places(LOAN) if path and isinstance(path[-1], str)]), st.text(max_size=5))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_no_key_anywhere_crashes_the_parser(path, key):
    """A field of any name in any place is a problem or allowed there, never an exception."""
    document = json.loads(json.dumps(LOAN))
    node = document
    for part in path[:-1]:
        node = node[part]
    node[key] = node.pop(path[-1])
    parsed = parse_definition(json.dumps(document).encode())
    assert (parsed.definition is None) == bool(parsed.problems)
