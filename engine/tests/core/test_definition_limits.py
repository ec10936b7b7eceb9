"""Where exactly a limit of a definition lies, and what those just beyond it are told."""

import json

import pytest
from rochallor.core.definition import DefinitionLimits, parse_definition
from rochallor.core.definition.document import MAX_DEPTH
from rochallor.core.definition.problems import LISTED_AT_MOST, Findings, Problem

END = {"id": "end", "name": "End", "type": "END"}


def flow(*steps, **fields):
    return {"id": "wf", "name": "Workflow", "steps": [*steps, END], **fields}


def parsed(document, **options):
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_definition(raw, **options)


def test_text_as_long_as_allowed_is_accepted():
    """One byte more is refused, and told what to do."""
    raw = json.dumps(flow()).encode()
    assert parsed(raw, limits=DefinitionLimits(max_bytes=len(raw))).definition
    assert parsed(raw, limits=DefinitionLimits(max_bytes=len(raw) - 1)).problems == (
        Problem(
            "DEFINITION_TOO_LARGE",
            "",
            f"{len(raw)} bytes; at most {len(raw) - 1} are accepted. Split the workflow and chain the parts.",
        ),
    )


def test_as_many_steps_as_allowed_are_accepted():
    """One more is refused, where the steps are."""
    two = flow({"id": "hold", "name": "H", "type": "WAIT", "nextStep": "end"})
    assert parsed(two, limits=DefinitionLimits(max_steps=2)).definition
    assert parsed(two, limits=DefinitionLimits(max_steps=1)).problems == (
        Problem(
            "DEFINITION_TOO_LARGE",
            "/steps",
            "2 steps; at most 1 are accepted. Split the workflow and chain the parts.",
        ),
    )


@pytest.mark.parametrize("length", [256, 257])
def test_a_job_type_as_long_as_allowed_is_accepted(length):
    """Queues are sorted by it, and an index takes only so much."""
    answer = parsed(flow({"id": "a", "name": "A", "type": "SERVICE_TASK", "jobType": "x" * length, "nextStep": "end"}))
    told = Problem("ID_FORMAT", "/steps/0/jobType", "jobType has 257 characters, the most is 256. Shorten it.")
    assert answer.problems == (() if length == 256 else (told,))


@pytest.mark.parametrize(("levels", "accepted"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_nesting_as_deep_as_allowed_is_accepted(levels, accepted):
    """A value in its innermost level is looked at, too."""
    nested = 1
    for _ in range(levels - 2):  # `metadata` and `x` are levels, too
        nested = [nested]
    assert (parsed(flow(metadata={"x": nested})).definition is not None) is accepted


@pytest.mark.parametrize(
    ("found", "listed"), [(LISTED_AT_MOST, LISTED_AT_MOST), (LISTED_AT_MOST + 1, LISTED_AT_MOST + 1)]
)
def test_as_many_problems_as_listed_at_most_need_no_remark(found, listed):
    """From one more on, an entry counts what is left out."""
    findings = Findings()
    for index in range(found):
        findings.error("FIELD_TYPE", f"/{index}", "wrong")
    assert len(findings.problems) == listed
    rest = Problem("MORE_PROBLEMS", "", "1 more are not listed; correct these first and upload again.")
    assert (findings.problems[-1] == rest) == (found > LISTED_AT_MOST)


def test_repeated_keys_are_named_and_others_are_not():
    """Of three keys one stands there twice."""
    raw = json.dumps(flow(description="a")).encode()
    twice = raw.replace(b'"name": "Workflow"', b'"name": "Workflow", "name": "Flow"')
    assert [problem.pointer for problem in parsed(twice).problems] == ["/name"]


def test_other_spelling_of_a_field_from_elsewhere_is_named_as_written():
    """`inputSchema` is another spelling of a definition's field, and unknown in a step."""
    step = {"id": "work", "name": "W", "type": "SERVICE_TASK", "nextStep": "end", "inputSchema": {}}
    (problem,) = parsed(flow(step)).problems
    assert (problem.code, problem.pointer) == ("UNKNOWN_FIELD", "/steps/0/inputSchema")
    assert "'inputSchema'" in problem.message


def test_unknown_field_of_a_listed_condition_is_found():
    """The explicit list of conditions is read as strictly as anything."""
    condition = {"expression": "true", "nextStep": "end", "priority": 1}
    step = {"id": "pick", "name": "P", "type": "DECISION", "orderedConditions": [condition]}
    (problem,) = parsed(flow(step)).problems
    assert (problem.code, problem.pointer) == ("UNKNOWN_FIELD", "/steps/0/orderedConditions/0/priority")


@pytest.mark.parametrize(("count", "shown"), [(5, "w0, w1, w2, w3, w4."), (6, "w0, w1, w2, w3, w4, ….")])
def test_loop_names_its_first_five_steps(count, shown):
    """Dots say that there are more."""
    steps = [
        {"id": f"w{index}", "name": "W", "type": "WAIT", "nextStep": f"w{(index + 1) % count}"}
        for index in range(count)
    ]
    steps[0]["conditionalNextSteps"] = {"true": "end"}
    (warning,) = [each for each in parsed(flow(*steps)).warnings if each.code == "GRAPH_CYCLE"]
    assert f"form a loop: {shown} That" in warning.message


@pytest.mark.parametrize(("policy", "sentence"), [("F", "it is never tried."), ("U", "it always collides with it.")])
def test_rule_that_cannot_decide_is_told_why(policy, sentence):
    """The first wins, or both collide."""
    rules = [{"when": {}, "outputs": {"a": 1}}, {"when": {"n": "n > 1"}, "outputs": {"a": 2}}]
    step = {"id": "rate", "name": "R", "type": "DECISION_TABLE", "hitPolicy": policy, "nextStep": "end"}
    (warning,) = parsed(flow({**step, "decisionTable": {"rules": rules}})).warnings
    assert sentence in warning.message


def test_rewritten_definition_is_compact_and_its_letters_stay():
    """Where the author's spelling is not the kept one: no spaces, no escapes for letters beyond ASCII."""
    raw = '{"id": "wf", "name": "Prüfung", "description": null, "steps": [{"id": "end", "name": "End", "type": "END"}]}'
    kept = '{"id":"wf","name":"Prüfung","steps":[{"id":"end","name":"End","type":"END"}]}'
    assert parsed(raw.encode()).definition.source == kept.encode()


def test_text_is_no_number_unless_the_setting_says_so():
    """Without a word about it, a definition is compiled for the strict dialect."""
    step = {"id": "pick", "name": "P", "type": "DECISION", "conditionalNextSteps": {"'10' > 9": "end"}}
    condition = parsed(flow(step)).definition.steps[0].conditions[0]
    with pytest.raises(ValueError, match="not a string and a number"):
        condition.expression.evaluate({}, 0)


@pytest.mark.parametrize(("length", "accepted"), [(256, True), (257, False)])
def test_step_id_as_long_as_allowed_is_accepted(length, accepted):
    """One character more is refused."""
    step = {"id": "x" * length, "name": "X", "type": "END"}
    assert (parsed({"id": "wf", "name": "W", "steps": [step]}).definition is not None) is accepted


def test_gateway_without_a_join_is_found_wherever_it_stands():
    """Also behind steps of other types."""
    steps = [
        {"id": "hold", "name": "H", "type": "WAIT", "nextStep": "fork"},
        {"id": "fork", "name": "F", "type": "PARALLEL_GATEWAY", "parallelNextSteps": ["end", "other"]},
        {"id": "other", "name": "O", "type": "END"},
    ]
    assert "PARALLEL_HAS_JOIN" in {problem.code for problem in parsed(flow(*steps)).problems}


def test_null_in_a_retry_policy_is_not_kept():
    """As anywhere, it says no more than leaving the field out."""
    policy = {"initialDelay": "PT1S", "maxDelay": None}
    step = {"id": "work", "name": "W", "type": "SERVICE_TASK", "nextStep": "end", "retryPolicy": policy}
    kept = json.loads(parsed(flow(step)).definition.source)
    assert kept["steps"][0]["retryPolicy"] == {"initialDelay": "PT1S"}
