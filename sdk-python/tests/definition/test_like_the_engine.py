"""The rules stand twice, in the engine and here: both must say the same about every definition, good or broken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workflow_sdk.definition.rules import problems_of
from workflow_sdk.json_types import is_dict, is_list

engine = pytest.importorskip("rochallor.core.definition", reason="the engine is not installed beside the SDK")

Json = dict[str, Any]
Way = tuple[str | int, ...]
"""Keys and indices from the whole document to a place."""
Finding = tuple[str, str, str]
"""Severity, code, pointer."""
Judged = tuple[object, list[Finding], list[Finding]]
"""A damage, what the SDK and what the engine find."""

DETAILED: Json = {
    # One definition with every field of the format, to be damaged in every place.
    "id": "LOS::loan",
    "version": 3,
    "name": "Loan",
    "description": "Everything",
    "autoStartNextWorkflow": True,
    "nextWorkflowId": "LOS::next",
    "input_schema": {"properties": {"amount": {"type": "number"}}, "required": ["amount"]},
    "metadata": {"workflowModeller": {"x": 1}},
    "steps": [
        {
            "id": "fork",
            "name": "Fork",
            "type": "PARALLEL_GATEWAY",
            "parallelNextSteps": ["score", "people"],
            "joinStep": "met",
        },
        {
            "id": "score",
            "name": "Score",
            "type": "SERVICE_TASK",
            "jobType": "score",
            "delegateClass": "old",
            "retryCount": 3,
            "retryPolicy": {
                "initialDelay": "PT1S",
                "multiplier": 2,
                "maxDelay": "PT1M",
                "jitter": 0.1,
                "giveUpAfter": "PT1H",
            },
            "outputs_schema": {"properties": {"score": {"type": "integer"}}},
            "boundaryEvents": [
                {"type": "TIMER", "duration": "PT1H", "interrupting": True, "targetStepId": "met"},
                {"type": "TIMER", "duration": "P1M", "targetStepId": "late"},
            ],
            "conditionalNextSteps": {"score > 1": "met", "score < 1": "met"},
            "nextStep": "met",
        },
        {
            "id": "people",
            "name": "People",
            "type": "USER_TASK",
            "orderedConditions": [{"expression": "ok", "nextStep": "waiting"}],
            "nextStep": "waiting",
        },
        {"id": "waiting", "name": "Wait", "type": "WAIT", "nextStep": "met"},
        {"id": "met", "name": "Met", "type": "JOIN_GATEWAY", "nextStep": "table"},
        {
            "id": "table",
            "name": "Table",
            "type": "DECISION_TABLE",
            "hitPolicy": "F",
            "decisionTable": {
                "rules": [
                    {
                        "when": {"a": "score > 1", "b": " "},
                        "outputs": {"x": 1, "y": "${score + 1}"},
                        "whenOrder": ["b", "a"],
                        "outputsOrder": ["y"],
                    },
                    {"when": {"a": "score > 2"}, "outputs": {"x": 2}},
                    {"outputs": {"x": 3}},
                ]
            },
            "nextStep": "compute",
        },
        {
            "id": "compute",
            "name": "Compute",
            "type": "TRANSFORMATION",
            "transformations": {"total": "${x * 2}", "plain": "text", "both": "${x} and ${y}"},
            "nextStep": "choose",
        },
        {
            "id": "choose",
            "name": "Choose",
            "type": "DECISION",
            "conditionalNextSteps": {"total > 1": "end", "true": "fork"},
        },
        {"id": "late", "name": "Late", "type": "SERVICE_TASK", "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}
TYPES = (
    *("SERVICE_TASK", "USER_TASK", "WAIT", "DECISION", "DECISION_TABLE", "TRANSFORMATION"),
    *("PARALLEL_GATEWAY", "JOIN_GATEWAY", "END", "BOUNDARY"),
)
REPLACEMENTS: tuple[object, ...] = (
    *(None, "", "met", "nowhere", "a\0b", "x" * 300, "\u200b"),
    *(0, 3.0, True, [], [5, "end"], {}, {"a": 5}),
)
NUMBERS = (-1, 0.5, 1, 1.1, 100, 100.5, 101)
BY_FIELD: dict[str, tuple[object, ...]] = {
    "type": (*TYPES, "string", "boolean"),
    "hitPolicy": ("U", "A", "C+", "C?", "U+", "R#", "F>x"),
    "duration": (
        *("PT0S", "P1Y", "P101Y", "P1.5M", "PT1.5H30M", "PT1.5S", "P1W", "PT", "P1DT", "P100Y", "P36525D"),
        *("P36525DT0.001S", "PT1,5S", "P0.5Y", "P0Y", "PT" + "1" * 70 + "S"),
    ),
    "decisionTable": ({"rules": [{"then": "end"}], "defaultNextStep": "end"}, {"rules": [{"when": {"a": None}}] * 2}),
    "outputs_schema": (
        {"properties": {"a": {"type": "text", "format": "x"}, "b": 5}, "required": ["c", 5], "additional": True},
        {"properties": [], "required": "a"},
        {"properties": {"a/b~c": {"type": None}}},
    ),
    "retryCount": NUMBERS,
    "multiplier": NUMBERS,
    "jitter": NUMBERS,
    "parallelNextSteps": (["end"], ["end", None], ["end", "end"]),
    "conditionalNextSteps": ({"a": "end"}, {" ": "end"}, {"a": None}),
    "when": ({"a": None, "b": " "}, {"a": "("}),
    "boundaryEvents": ([{"type": "MESSAGE", "duration": "PT1S", "targetStepId": "end"}], [{}], [5]),
    "orderedConditions": (
        [{"expression": "a", "nextStep": "end"}, {"expression": "a", "nextStep": "nowhere"}],
        [{"nextStep": "end"}, {}],
    ),
    "metadata": ({"deep": [[[[1]]]]},),
    "steps": ([{"id": "a", "type": "END", "name": "A"}] * 2, [{}, {}], [5, {"id": "end", "name": "E", "type": "END"}]),
}
NEW_FIELDS: dict[str, object] = {
    "inputSchema": {"properties": {"a": {"type": "string"}}},
    "outputsSchema": {"properties": {"a": {"type": "string"}}},
    "nextStep": "end",
    "jobType": "score",
    "jobtype": "score",
    "Unknown/field~": 1,
    "boundaryEvents": [{"type": "TIMER", "duration": "PT1H", "interrupting": True, "targetStepId": "fork"}],
    "decisionTable": {"rules": []},
    "conditionalNextSteps": {"a": "end"},
    "parallelNextSteps": ["end", "end"],
    "joinStep": "met",
    "transformations": {"a": 1},
    "retryCount": 0,
    "then": "end",
}


def of_engine(document: Json) -> list[Finding]:
    """What the engine finds: errors and warnings, as (severity, code, pointer)."""
    parsed = engine.parse_definition(json.dumps(document).encode())
    found = [("error", each) for each in parsed.problems] + [("warning", each) for each in parsed.warnings]
    return sorted((severity, each.code, each.pointer) for severity, each in found)


def of_sdk(document: Json) -> list[Finding]:
    return sorted((each.severity, each.code, each.pointer) for each in problems_of(document))


def without_syntax(found: list[Finding]) -> list[Finding]:
    return [each for each in found if each[1] != "EXPR_SYNTAX"]


def differences(ours: list[Finding], theirs: list[Finding]) -> dict[str, list[Finding]] | None:
    """What only one of the two says; of expressions the SDK may say less, never more."""
    more = {each for each in ours if each[1] == "EXPR_SYNTAX"} - set(theirs)
    if without_syntax(ours) == without_syntax(theirs) and not more:
        return None
    return {
        "sdk": [each for each in ours if each not in theirs],
        "engine": [each for each in theirs if each not in ours],
    }


def places(node: object, path: Way = ()) -> Iterator[Way]:
    """Every place of a document, as a path of keys."""
    yield path
    children: Iterable[tuple[str | int, object]] = (
        node.items() if is_dict(node) else enumerate(node) if is_list(node) else ()
    )
    for key, child in children:
        yield from places(child, (*path, key))


def changed(path: Way, change: Callable[[Any, Any], object]) -> Json:
    """The detailed definition, with one place changed."""
    document = deepcopy(DETAILED)
    node: Any = document
    for key in path[:-1]:
        node = node[key]
    change(node, path[-1] if path else None)
    return document


def _replaced_by(value: object) -> Callable[[Any, Any], object]:
    return lambda node, key: node.__setitem__(key, value)


def broken_in_one_place() -> Iterator[tuple[object, Json]]:
    """Every place removed, and replaced by every value; every object with every field more."""
    for path in places(DETAILED):
        if path:
            yield path, changed(path, lambda node, key: node.pop(key))
            for value in (*REPLACEMENTS, *BY_FIELD.get(str(path[-1]), ())):
                yield (path, value), changed(path, _replaced_by(value))
        node: Any = DETAILED
        for key in path:
            node = node[key]
        for name, value in NEW_FIELDS.items() if isinstance(node, dict) else ():
            document = deepcopy(DETAILED)
            inner: Any = document
            for key in path:
                inner = inner[key]
            inner[name] = value
            yield (path, name), document


def test_the_detailed_definition_is_good() -> None:
    """What is to be damaged is accepted by both, so each problem found later comes from the damage."""
    assert [each for each in of_engine(DETAILED) if each[0] == "error"] == []


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    """Every damage with what the SDK and the engine say of it."""
    return [(what, of_sdk(document), of_engine(document)) for what, document in broken_in_one_place()]


def test_both_say_the_same_of_every_damage(judged: list[Judged]) -> None:
    """Each place of a definition removed, replaced and added to: same codes, same pointers, nothing missed."""
    different = {str(what): differences(ours, theirs) for what, ours, theirs in judged}
    assert ({what: found for what, found in different.items() if found}, len(judged) > 2500) == ({}, True)


def test_the_damage_reaches_every_rule_of_the_engine(judged: list[Judged]) -> None:
    """A code that no definition of the corpus provokes would be compared by nobody."""
    provoked = {code for _, _, theirs in judged for _, code, _ in theirs}
    elsewhere = {"JSON_SYNTAX", "DEFINITION_TOO_LARGE"}  # tested below
    only_the_engine = {"NEXT_WORKFLOW_UNKNOWN", "MORE_PROBLEMS"}
    assert set(engine.CODES) - provoked - elsewhere - only_the_engine == set()


UNREADABLE: list[Json] = [
    {"metadata": {"x": float("nan")}},
    {"metadata": {"x": [float("inf"), {"y": float("-inf")}]}},
    {"name": "\ud800"},
    {"metadata": {"\udfff": {"x": "\ud800"}}},
    {"steps": [{"id": "a"}] * 2001},
    {"metadata": {"x": "y" * 1_100_000}},
    {"metadata": {"x": eval("[" * 99 + "]" * 99)}},
    {"metadata": {"x": eval("[" * 98 + "]" * 98)}},
    {"metadata": {"x": eval("[" * 150 + "]" * 150)}},
]


@pytest.mark.parametrize("document", UNREADABLE, ids=lambda each: str(each)[:40])
def test_both_refuse_what_cannot_be_read(document: Json) -> None:
    """What JSON cannot carry, or an engine will not look at, is said here before it is sent."""
    assert of_sdk(document) == of_engine(document)


NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f", "gone"])
TIMERS = st.lists(
    st.fixed_dictionaries(
        {"type": st.just("TIMER"), "duration": st.just("PT1S"), "interrupting": st.booleans(), "targetStepId": NAMES}
    ),
    max_size=2,
)
Fields = dict[str, st.SearchStrategy[Any]]


def objects(always: Fields, sometimes: Fields) -> st.SearchStrategy[Json]:
    """Objects with all of these fields and with any of those."""
    return st.fixed_dictionaries(always, optional=sometimes)


STEPS = st.one_of(
    objects(
        {"type": st.sampled_from(["SERVICE_TASK", "USER_TASK", "WAIT"]), "name": st.just("N")},
        {
            "nextStep": NAMES,
            "conditionalNextSteps": st.dictionaries(st.sampled_from(["x", "y"]), NAMES),
            "boundaryEvents": TIMERS,
        },
    ),
    objects(
        {"type": st.just("PARALLEL_GATEWAY"), "name": st.just("N"), "parallelNextSteps": st.lists(NAMES, max_size=3)},
        {"joinStep": NAMES},
    ),
    objects({"type": st.just("JOIN_GATEWAY"), "name": st.just("N")}, {"nextStep": NAMES}),
    objects({"type": st.just("END"), "name": st.just("N")}, {"nextStep": NAMES}),
)
GRAPHS = st.lists(STEPS, max_size=6).map(
    lambda steps: {
        "id": "w",
        "name": "W",
        "steps": [{"id": name, **step} for name, step in zip("abcdef", steps, strict=False)],
    }
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(GRAPHS)
def test_both_see_the_same_graph(document: Json) -> None:
    """Loops, joins, dead ends and unreached steps of any small graph are judged alike."""
    assert differences(of_sdk(document), of_engine(document)) is None


CELLS = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["x > 1", " x > 1 ", "y", "", None]), max_size=8)
TABLES = st.tuples(st.sampled_from("UFARC"), st.lists(CELLS, min_size=1, max_size=5)).map(
    lambda table: {
        "id": "w",
        "name": "W",
        "steps": [
            {
                "id": "t",
                "name": "T",
                "type": "DECISION_TABLE",
                "hitPolicy": table[0],
                "nextStep": "e",
                "decisionTable": {"rules": [{"when": cells} for cells in table[1]]},
            },
            {"id": "e", "name": "E", "type": "END"},
        ],
    }
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TABLES)
def test_both_see_the_same_useless_rules(document: Json) -> None:
    """Rules of a table that can never decide anything are found alike, under every hit policy."""
    assert differences(of_sdk(document), of_engine(document)) is None


BROKEN_EXPRESSIONS = [
    *("", " ", "(a", "a)", "[a", "a]", "${a", "a}"),
    *("'a", 'a"', "a @ b", "a = b", "(a]", "${", "x" * 5000),
]
GOOD_EXPRESSIONS = [
    "#a > 1 && ${b} != 'it is'",
    'a.b[0]["k]"] ?? -1.5e-3',
    "!(a || b) ? [1, 2] : len('(')",
    "a not in ['}', \"{\"]",
    "größe >= 1 % 2 / 3 * 4",
    r"a == 'it\'s'",
    "a\n&& b",
]


def choosing(expression: str) -> Json:
    steps = [
        {"id": "a", "name": "A", "type": "DECISION", "conditionalNextSteps": {expression: "e"}},
        {"id": "e", "name": "E", "type": "END"},
    ]
    return {"id": "w", "name": "W", "steps": steps}


@pytest.mark.parametrize("expression", BROKEN_EXPRESSIONS, ids=lambda each: repr(each)[:20])
def test_an_expression_that_is_broken_on_its_face_is_found_here(expression: str) -> None:
    """Brackets, quotes, strange characters, nothing at all: no engine is needed to see it."""
    ours = [(code, at) for _, code, at in of_sdk(choosing(expression))]
    assert ours == [(code, at) for _, code, at in of_engine(choosing(expression))]
    assert [code for code, _ in ours] == ["EXPR_SYNTAX"]


@given(st.text(alphabet="ab1.,'\"(){}[]$#?:|&=!<>+-*/% \\\n", max_size=20))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_no_expression_of_the_engine_is_refused_here(expression: str) -> None:
    """The local check may miss what an engine refuses; it never refuses what an engine takes."""
    assert differences(of_sdk(choosing(expression)), of_engine(choosing(expression))) is None


@pytest.mark.parametrize("expression", GOOD_EXPRESSIONS)
def test_real_expressions_pass_both(expression: str) -> None:
    """Strings may hold brackets, names any letters."""
    found = of_sdk(choosing(expression))
    assert found == of_engine(choosing(expression))
