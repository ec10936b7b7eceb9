"""The reference page of the definition format says what the engine does."""

import json
import re
from pathlib import Path

import pytest
from rochallor.core.definition import CODES, StepType, parse_definition
from rochallor.core.definition.fields import (
    BOUNDARY_FIELDS,
    CONDITION_FIELDS,
    DEFINITION_FIELDS,
    RETRY_POLICY_FIELDS,
    RULE_FIELDS,
    STEP_FIELDS,
)
from rochallor.core.definition.tables import HIT_POLICIES

PAGE = (Path(__file__).parent.parent / "reference" / "definition-format.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


def targets(step):
    """The steps an example mentions and does not show."""
    yield from filter(None, [step.get("nextStep")])
    yield from step.get("conditionalNextSteps", {}).values()
    yield from (condition["nextStep"] for condition in step.get("orderedConditions", ()))
    yield from (event["targetStepId"] for event in step.get("boundaryEvents", ()))


def definition_of(example):
    """A whole definition: the example, or the example as first step with an END for each step it mentions."""
    if "steps" in example:
        return example
    ends = [{"id": name, "name": name, "type": "END"} for name in dict.fromkeys(targets(example))]
    return {"id": "example", "name": "Example", "steps": [example, *ends]}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["id"])
def test_every_example_is_accepted_in_silence(example):
    """What authors copy from the page is accepted without problems or warnings."""
    parsed = parse_definition(json.dumps(definition_of(example)).encode())
    assert (parsed.problems, parsed.warnings) == ((), ())


def test_every_step_type_has_an_example():
    """No step type is left to the reader's imagination."""
    shown = {step["type"] for example in EXAMPLES for step in definition_of(example)["steps"]}
    assert shown == {kind.value for kind in StepType}


def test_the_table_of_problems_is_the_engine_s():
    """Codes, severities and rules on the page are those of the code, in the same order."""
    rows = re.findall(r"^\| ([A-Z_]+) \| (error|warning|either) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(code, entry.severity, entry.rule) for code, entry in CODES.items()]


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            *DEFINITION_FIELDS,
            *STEP_FIELDS,
            *CONDITION_FIELDS,
            *BOUNDARY_FIELDS,
            *RETRY_POLICY_FIELDS,
            *RULE_FIELDS,
        }
    ),
)
def test_every_field_is_on_the_page(name):
    """A field the engine reads is a field the page names."""
    assert re.search(rf"[`\".]{name}[`\"]", PAGE)


@pytest.mark.parametrize("policy", HIT_POLICIES)
def test_every_hit_policy_is_on_the_page(policy):
    """A hit policy the engine accepts is explained."""
    assert f"`{policy}`" in PAGE
