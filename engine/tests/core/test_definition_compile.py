"""Every field of a definition reaches its place in what is compiled from it, and only there."""

import json

import msgspec
import pytest
from rochallor.core.definition import parse_definition
from rochallor.core.durations import parse_duration
from rochallor.core.expressions import Expression

TIMERS = [
    {"type": "TIMER", "duration": "P1D", "interrupting": True, "targetStepId": "end"},
    {"type": "TIMER", "duration": "PT2H", "interrupting": False, "targetStepId": "note"},
]
EVERYTHING = {
    "id": "all",
    "name": "All of it",
    "description": "What the language has",
    "autoStartNextWorkflow": True,
    "nextWorkflowId": "after",
    "input_schema": {"properties": {"n": {"type": "number"}}, "required": ["n"]},
    "metadata": {"team": "loans"},
    "steps": [
        {
            "id": "work",
            "name": "Work",
            "description": "By a worker",
            "type": "SERVICE_TASK",
            "jobType": "do-work",
            "delegateClass": "com.example.Work",
            "retryCount": 4,
            "retryPolicy": {
                "initialDelay": "PT1S",
                "multiplier": 3,
                "maxDelay": "PT1M",
                "jitter": 0.5,
                "giveUpAfter": "PT1H",
            },
            "outputs_schema": {"properties": {"m": {"type": "integer"}}},
            "boundaryEvents": TIMERS,
            "nextStep": "ask",
        },
        {
            "id": "ask",
            "name": "Ask",
            "description": "A person",
            "type": "USER_TASK",
            "jobType": "ask",
            "nextStep": "hold",
        },
        {
            "id": "hold",
            "name": "Hold",
            "type": "WAIT",
            "conditionalNextSteps": {"n > 1": "split", "n > 0": "end"},
            "nextStep": "end",
        },
        {
            "id": "split",
            "name": "Split",
            "type": "PARALLEL_GATEWAY",
            "parallelNextSteps": ["left", "right"],
            "joinStep": "joined",
        },
        {"id": "left", "name": "Left", "type": "SERVICE_TASK", "nextStep": "joined"},
        {"id": "right", "name": "Right", "type": "SERVICE_TASK", "nextStep": "joined"},
        {"id": "joined", "name": "Joined", "type": "JOIN_GATEWAY", "nextStep": "rate"},
        {
            "id": "rate",
            "name": "Rate",
            "type": "DECISION_TABLE",
            "hitPolicy": "F",
            "decisionTable": {
                "rules": [
                    {"when": {"n": "n > 5", "m": " "}, "outputs": {"tier": "HIGH", "rate": "${n * 2}"}},
                    {"when": {}, "outputs": {"rate": 1, "left": None}},
                ]
            },
            "nextStep": "note",
        },
        {
            "id": "note",
            "name": "Note",
            "type": "TRANSFORMATION",
            "transformations": {"sum": "${n + m}", "word": "plain"},
            "nextStep": "choose",
        },
        {"id": "choose", "name": "Choose", "type": "DECISION", "conditionalNextSteps": {"n > 1": "end", "true": "end"}},
        {"id": "end", "name": "End", "type": "END"},
    ],
}

COMPILED = {
    "work": {
        "name": "Work",
        "description": "By a worker",
        "next_step": "ask",
        "job_type": "do-work",
        "delegate_class": "com.example.Work",
        "retry_count": 4,
        "retry_policy": {
            "initial_delay": "PT1S",
            "multiplier": 3.0,
            "max_delay": "PT1M",
            "jitter": 0.5,
            "give_up_after": "PT1H",
        },
        "boundary_timers": [
            {"duration": "P1D", "interrupting": True, "target": "end"},
            {"duration": "PT2H", "interrupting": False, "target": "note"},
        ],
        "outputs_schema": {"properties": {"m": "integer"}, "required": []},
    },
    "ask": {"name": "Ask", "description": "A person", "next_step": "hold", "job_type": "ask"},
    "hold": {
        "name": "Hold",
        "next_step": "end",
        "conditions": [
            {"expression": ["n"], "source": "n > 1", "next_step": "split"},
            {"expression": ["n"], "source": "n > 0", "next_step": "end"},
        ],
    },
    "split": {"name": "Split", "parallel_next_steps": ["left", "right"], "join_step": "joined"},
    "left": {"name": "Left", "next_step": "joined", "job_type": "left"},
    "right": {"name": "Right", "next_step": "joined", "job_type": "right"},
    "joined": {"name": "Joined", "next_step": "rate"},
    "rate": {
        "name": "Rate",
        "next_step": "note",
        "hit_policy": "F",
        "table": {
            "rules": [
                {
                    "when": [{"column": "n", "expression": ["n"], "source": "n > 5"}],
                    "outputs": [["tier", {"value": "HIGH"}], ["rate", {"expression": ["n"]}]],
                },
                {"when": [], "outputs": [["rate", {"value": 1}], ["left", {"value": None}]]},
            ],
            "output_columns": ["tier", "rate", "left"],
        },
    },
    "note": {
        "name": "Note",
        "next_step": "choose",
        "transformations": [["sum", {"expression": ["m", "n"]}], ["word", {"value": "plain"}]],
    },
    "choose": {
        "name": "Choose",
        "conditions": [
            {"expression": ["n"], "source": "n > 1", "next_step": "end"},
            {"expression": [], "source": "true", "next_step": "end"},
        ],
    },
    "end": {"name": "End"},
}
DEFAULTS = {"description": "", "job_type": "", "delegate_class": "", "hit_policy": "U", "retry_count": 0}


def plain(value):
    """Return a compiled part as JSON would show it: an expression by the variables it reads, a duration by its text."""
    if isinstance(value, Expression):
        return sorted(value.names)
    if isinstance(value, msgspec.Struct):
        return {name: plain(part) for name, part in msgspec.structs.asdict(value).items()}
    if isinstance(value, (tuple, list)):
        return [plain(part) for part in value]
    return str(value) if isinstance(value, type(parse_duration("P1D"))) else value


def parsed(document, **dialect):
    found = parse_definition(json.dumps(document).encode(), **dialect)
    assert not found.problems, found.problems
    return found.definition


def shown(step):
    """Return the fields of a step that are not empty."""
    fields = plain(step)
    del fields["id"], fields["type"]
    return {name: value for name, value in fields.items() if value not in (DEFAULTS.get(name), None, [])}


def test_every_field_of_a_step_is_in_its_place():
    """What each step compiles to, in full; what it does not say has its default."""
    assert {step.id: shown(step) for step in parsed(EVERYTHING).steps} == COMPILED


def test_every_field_of_a_definition_is_in_its_place():
    """The parts beside the steps."""
    whole = plain(parsed(EVERYTHING))
    del whole["steps"], whole["source"]
    assert whole == {
        "id": "all",
        "version": 0,
        "name": "All of it",
        "description": "What the language has",
        "auto_start_next_workflow": True,
        "next_workflow_id": "after",
        "input_schema": {"properties": {"n": "number"}, "required": ["n"]},
        "metadata": {"team": "loans"},
    }


def test_what_a_definition_does_not_say_has_its_default():
    """The shortest definition there is."""
    whole = plain(parsed({"id": "d", "name": "D", "steps": [{"id": "end", "name": "End", "type": "END"}]}))
    del whole["source"]
    end = whole.pop("steps")[0]
    assert whole == {
        "id": "d",
        "version": 0,
        "name": "D",
        "description": "",
        "auto_start_next_workflow": False,
        "next_workflow_id": None,
        "input_schema": None,
        "metadata": None,
    }
    assert end.pop("hit_policy") == "U"
    assert {name for name, value in end.items() if value} == {"id", "type", "name"}


def test_policy_of_retries_needs_its_first_delay_only():
    """Twice as long each time, without bounds and without jitter."""
    step = {"id": "work", "name": "W", "type": "SERVICE_TASK", "retryCount": 1, "nextStep": "end"}
    steps = [{**step, "retryPolicy": {"initialDelay": "PT1S"}}, {"id": "end", "name": "E", "type": "END"}]
    assert plain(parsed({"id": "d", "name": "D", "steps": steps}).steps[0].retry_policy) == {
        "initial_delay": "PT1S",
        "multiplier": 2.0,
        "max_delay": None,
        "jitter": 0.0,
        "give_up_after": None,
    }


@pytest.mark.parametrize("coercion", [False, True])
def test_dialect_is_that_of_every_expression(coercion):
    """Conditions, cells, outputs and transformations compare a text with a number as the setting says."""
    definition = parsed(EVERYTHING, coercion=coercion)
    hold, rate, note = (definition.step(step_id) for step_id in ("hold", "rate", "note"))
    expressions = {
        "condition": hold.conditions[0].expression,
        "cell": rate.table.rules[0].when[0].expression,
        "output": dict(rate.table.rules[0].outputs)["rate"],
        "transformation": dict(note.transformations)["sum"],
    }
    worked = {}
    for place, expression in expressions.items():
        try:
            expression.evaluate({"n": "7", "m": 1}, 0)
            worked[place] = True
        except ValueError:
            worked[place] = False
    assert worked == dict.fromkeys(expressions, coercion)


def test_fields_foreign_to_a_type_do_nothing():
    """They are warned about, and nothing of them is in what is compiled."""
    foreign = {
        "conditionalNextSteps": {"true": "end"},
        "retryCount": 3,
        "retryPolicy": {"initialDelay": "PT1S"},
        "outputs_schema": {"properties": {"n": {"type": "number"}}},
        "transformations": {"a": 1},
    }
    found = parse_definition(
        json.dumps({"id": "d", "name": "D", "steps": [{"id": "end", "name": "E", "type": "END", **foreign}]}).encode()
    )
    assert shown(found.definition.steps[0]) == {"name": "E"}
    assert {warning.code for warning in found.warnings} == {"STEP_FIELD_INVALID"}
    assert len(found.warnings) == len(foreign)
