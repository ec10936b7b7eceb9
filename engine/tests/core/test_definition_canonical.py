"""When an upload is the same as the latest version, when it only moves boxes, when it is new."""

import copy
import json
from dataclasses import dataclass

import pytest
from msgspec.structs import replace
from rochallor.core.definition import (
    Change,
    canonical,
    compare,
    content_hash,
    parse_definition,
    render_definition,
    with_layout,
)

BASE = {
    "id": "wf",
    "name": "Workflow",
    "steps": [
        {
            "id": "route",
            "name": "Route",
            "type": "DECISION",
            "conditionalNextSteps": {"a > 1": "table", "a > 2": "end"},
        },
        {
            "id": "table",
            "name": "Table",
            "type": "DECISION_TABLE",
            "nextStep": "task",
            "decisionTable": {"rules": [{"when": {"x": "a > 1", "y": "a < 9"}, "outputs": {"p": 1, "q": 2.5}}]},
        },
        {
            "id": "task",
            "name": "Task",
            "type": "SERVICE_TASK",
            "boundaryEvents": [{"type": "TIMER", "duration": "PT1H", "targetStepId": "end"}],
            "nextStep": "end",
        },
        {"id": "end", "name": "End", "type": "END"},
    ],
    "metadata": {"owner": "me", "workflowModeller": {"x": 1}},
}


def parsed(document):
    result = parse_definition(json.dumps(document).encode())
    assert result.problems == ()
    return result.definition


@dataclass
class Edit:
    """A copy of BASE to change."""

    document: dict

    def step(self, index):
        return self.document["steps"][index]

    @property
    def rule(self):
        return self.step(1)["decisionTable"]["rules"][0]


def edited(change):
    edit = Edit(copy.deepcopy(BASE))
    change(edit)
    return parsed(edit.document)


def flip(owner, name):
    owner[name] = dict(reversed(owner[name].items()))


SAME = {
    "a version in the body": lambda e: e.document.update(version=12),
    "another order of fields": lambda e: flip(e.document, "metadata"),
    "empty fields written out": lambda e: e.step(2).update(retryCount=0, description="", jobType=None),
    "an empty chain": lambda e: e.document.update(autoStartNextWorkflow=False, nextWorkflowId=""),
    "a double for an integer": lambda e: e.rule["outputs"].update(p=1.0),
    "interrupting written out": lambda e: e.step(2)["boundaryEvents"][0].update(interrupting=False),
    "an order given beside the map": lambda e: e.rule.update(whenOrder=["x", "y"]),
}
DIFFERENT = {
    "another name": lambda e: e.document.update(name="Other"),
    "another order of conditions": lambda e: flip(e.step(0), "conditionalNextSteps"),
    "another order of input columns": lambda e: flip(e.rule, "when"),
    "another order of output columns": lambda e: flip(e.rule, "outputs"),
    "another order of steps": lambda e: e.document["steps"].append(e.document["steps"].pop(2)),
    "other metadata": lambda e: e.document["metadata"].update(owner="you"),
    "text for a number": lambda e: e.rule["outputs"].update(p="1"),
}
ORDER_ONLY = ("another order of conditions", "another order of input columns", "another order of output columns")


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_spelling_is_not_content(change):
    """Differences of spelling alone are no new version."""
    assert compare(parsed(BASE), edited(change)) is Change.NONE
    assert content_hash(parsed(BASE)) == content_hash(edited(change))


@pytest.mark.parametrize("change", DIFFERENT.values(), ids=DIFFERENT)
def test_meaning_is_content(change):
    """What changes what runs, or what the author said of it, is a new version."""
    assert compare(parsed(BASE), edited(change)) is Change.CONTENT
    assert content_hash(parsed(BASE)) != content_hash(edited(change))


@pytest.mark.parametrize("name", ORDER_ONLY)
def test_an_upload_without_order_equals_the_one_that_has_it(name):
    """A bare protobuf map that differs in order alone is the version that carries the order."""
    assert compare(parsed(BASE), edited(DIFFERENT[name]), ordered=False) is Change.NONE


@pytest.mark.parametrize("name", sorted(DIFFERENT.keys() - set(ORDER_ONLY)))
def test_an_upload_without_order_differs_in_everything_else(name):
    """Without order, list order and values still count."""
    assert compare(parsed(BASE), edited(DIFFERENT[name]), ordered=False) is Change.CONTENT


def test_moving_boxes_is_layout():
    """Only `metadata.workflowModeller` differs: no new version, but something to keep."""
    moved = edited(lambda e: e.document["metadata"].update(workflowModeller={"x": 2}))
    assert compare(parsed(BASE), moved) is Change.LAYOUT


def test_metadata_of_layout_alone_is_layout():
    """A definition gets its first layout without becoming a new version."""
    plain = edited(lambda e: e.document.pop("metadata"))
    drawn = edited(lambda e: e.document.update(metadata={"workflowModeller": {"x": 2}}))
    assert compare(plain, drawn) is Change.LAYOUT


def test_a_layout_is_put_into_the_latest_version():
    """The latest version keeps its number, order and content, and gets the new layout."""
    latest = replace(parsed(BASE), version=4)
    moved = edited(lambda e: e.document["metadata"].update(workflowModeller={"x": 2}))
    updated = with_layout(latest, moved)
    assert compare(updated, moved) is Change.NONE
    assert json.loads(render_definition(updated)) == json.loads(moved.source) | {"version": 4}
    assert updated.steps is latest.steps


def test_a_layout_can_be_taken_away():
    """An upload without a layout removes the stored one."""
    bare = edited(lambda e: e.document["metadata"].pop("workflowModeller"))
    assert compare(with_layout(parsed(BASE), bare), bare) is Change.NONE


def test_the_canonical_form_is_stable():
    """Parsing what is stored gives the same form again."""
    first = parsed(BASE)
    again = parse_definition(first.source).definition
    assert canonical(first) == canonical(again)


UNSORTED = {
    "id": "wf",
    "name": "Größe, \U0001f600",
    "steps": [
        {"id": "z", "name": "Z", "type": "DECISION", "conditionalNextSteps": {"b": "y", "a": "end", "c": "end"}},
        {
            "id": "y",
            "name": "Y",
            "type": "DECISION_TABLE",
            "nextStep": "x",
            "hitPolicy": "F",
            "decisionTable": {
                "rules": [{"when": {"q": "a", "p": "b"}, "outputs": {"n": 1.0, "m": {"b": 1, "a": [2]}}}]
            },
        },
        {
            "id": "x",
            "name": "X",
            "type": "WAIT",
            "description": "",
            "boundaryEvents": [{"type": "TIMER", "duration": "PT1H", "targetStepId": "end", "interrupting": True}],
            "nextStep": "end",
        },
        {"id": "end", "name": "End", "type": "END"},
    ],
    "metadata": {"z": 1, "a": 2, "workflowModeller": {"x": 1}},
}


@pytest.mark.parametrize("ordered", [True, False])
def test_canonical_form_is_what_was_stored_so_far(ordered, sentences):
    """The form, byte for byte: hashes of it may be kept for years."""
    sentences("canonical", f"ordered={ordered}", canonical(parsed(UNSORTED), ordered=ordered).decode())


def shuffled(document):
    """Return a definition whose maps are in another order."""
    if isinstance(document, dict):
        return {key: shuffled(document[key]) for key in sorted(document)}
    return [shuffled(item) for item in document] if isinstance(document, list) else document


def test_order_of_an_author_stays_and_an_upload_without_one_is_the_same():
    """Unsorted maps equal themselves; sorted ones are another definition, unless they came without an order."""
    author, sorted_maps = parsed(UNSORTED), parsed(shuffled(UNSORTED))
    assert compare(author, author, ordered=True) is Change.NONE
    assert compare(author, author, ordered=False) is Change.NONE
    assert compare(author, sorted_maps, ordered=True) is Change.CONTENT
    assert compare(author, sorted_maps, ordered=False) is Change.NONE
    assert content_hash(author, ordered=False) == content_hash(sorted_maps, ordered=False)
    assert content_hash(author) != content_hash(sorted_maps)


def test_another_timer_is_another_definition():
    """What is inside a boundary event counts."""
    later = copy.deepcopy(UNSORTED)
    later["steps"][2]["boundaryEvents"][0]["duration"] = "PT2H"
    assert compare(parsed(UNSORTED), parsed(later)) is Change.CONTENT
