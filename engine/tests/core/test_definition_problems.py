"""Every rule of a definition, by one minimal definition that breaks it."""

# Long because: the codes of a refused definition are one table, and a table is read in one place.

import json

import pytest
from rochallor.core.definition import CODES, DefinitionLimits, next_workflow_unknown, parse_definition

END = {"id": "end", "name": "End", "type": "END"}


def task(**fields):
    return {"id": "work", "name": "Work", "type": "SERVICE_TASK", "nextStep": "end", **fields}


def of(kind, **fields):
    return {"id": "work", "name": "Work", "type": kind, "nextStep": "end", **fields}


def flow(*steps, **fields):
    return {"id": "wf", "name": "Workflow", "steps": [*steps, END], **fields}


def decision(conditions, **fields):
    return {"id": "work", "name": "W", "type": "DECISION", "conditionalNextSteps": conditions, **fields}


def table(*rules, policy=None, **fields):
    given = {} if policy is None else {"hitPolicy": policy}
    return of("DECISION_TABLE", decisionTable={"rules": list(rules)}, **given, **fields)


def fork(branches=("left", "right"), join="join", steps=(), **left):
    """A gateway with two branches that meet, to be damaged."""
    leaf = {"type": "WAIT", "nextStep": "join"}
    gateway = {"id": "fork", "name": "F", "type": "PARALLEL_GATEWAY", "parallelNextSteps": list(branches)}
    return flow(
        gateway | ({"joinStep": join} if join else {}),
        {"id": "left", "name": "L", **leaf, **left},
        {"id": "right", "name": "R", **leaf},
        {"id": "join", "name": "J", "type": "JOIN_GATEWAY", "nextStep": "end"},
        *steps,
    )


def timer(**fields):
    return {"type": "TIMER", "duration": "PT1H", "targetStepId": "end", **fields}


def timed(**fields):
    return flow(of("WAIT", boundaryEvents=[timer(**fields)]))


def without(document, *names):
    return {key: value for key, value in document.items() if key not in names}


ERRORS = {
    "text that is no JSON": ("JSON_SYNTAX", "", b'{"id": '),
    "a list instead of an object": ("JSON_SYNTAX", "", b"[]"),
    "bytes that are no UTF-8": ("JSON_SYNTAX", "", b'{"id": "\xff"}'),
    "NaN": ("JSON_SYNTAX", "/metadata/x", b'{"metadata": {"x": NaN}}'),
    "a float beyond all floats": ("JSON_SYNTAX", "/metadata/x", b'{"metadata": {"x": 1e999}}'),
    "an integer of 5,000 digits": ("JSON_SYNTAX", "/metadata/x", b'{"metadata": {"x": ' + b"9" * 5000 + b"}}"),
    "half a surrogate pair": ("JSON_SYNTAX", "/name", rb'{"name": "\ud800"}'),
    "half a surrogate pair in a key": ("JSON_SYNTAX", "/metadata", rb'{"metadata": {"\ud800": 1}}'),
    "nesting beyond the limit": (
        "JSON_SYNTAX",
        "/metadata/x/0/0/0/0/0/0",
        b'{"metadata": {"x": ' + b"[" * 150 + b"]" * 150 + b"}}",
    ),
    "nesting beyond the reader": ("JSON_SYNTAX", "", b'{"metadata": ' + b"[" * 100_000),
    "a key twice": ("DUPLICATE_KEY", "/name", b'{"name": "a", "name": "b"}'),
    "a condition twice": (
        "DUPLICATE_KEY",
        "/steps/0/conditionalNextSteps/a > 1",
        b'{"steps": [{"conditionalNextSteps": {"a > 1": "x", "a > 1": "y"}}]}',
    ),
    "a listed condition that is no expression": (
        "EXPR_SYNTAX",
        "/steps/0/orderedConditions/0/expression",
        flow(
            without(decision({}), "conditionalNextSteps")
            | {"orderedConditions": [{"expression": "a >", "nextStep": "end"}]}
        ),
    ),
    "a listed condition twice": (
        "DUPLICATE_KEY",
        "/steps/0/orderedConditions/1/expression",
        flow(
            without(decision({}), "conditionalNextSteps")
            | {"orderedConditions": [{"expression": "a", "nextStep": "end"}] * 2}
        ),
    ),
    "both spellings of the input schema": (
        "DUPLICATE_KEY",
        "/inputSchema",
        flow(
            task(),
            input_schema={"properties": {"a": {"type": "string"}}},
            inputSchema={"properties": {"b": {"type": "string"}}},
        ),
    ),
    "a field nobody knows": ("UNKNOWN_FIELD", "/colour", flow(task(), colour="red")),
    "a field of another spelling": ("UNKNOWN_FIELD", "/steps/0/next_step", flow(task(next_step="end"))),
    "a field in capitals": ("UNKNOWN_FIELD", "/INPUT_SCHEMA", flow(task(), INPUT_SCHEMA={})),
    "an unknown key with a slash": ("UNKNOWN_FIELD", "/a~1b~0", flow(task(), **{"a/b~": 1})),
    "an unknown field of a timer": (
        "UNKNOWN_FIELD",
        "/steps/0/boundaryEvents/0/cron",
        timed(cron="* * * * *"),
    ),
    "an unknown field of a rule": (
        "UNKNOWN_FIELD",
        "/steps/0/decisionTable/rules/0/note",
        flow(table({"note": "x"})),
    ),
    "an unknown field of a schema": (
        "UNKNOWN_FIELD",
        "/input_schema/type",
        flow(task(), input_schema={"type": "object", "properties": {"a": {"type": "string"}}}),
    ),
    "a name that is a number": ("FIELD_TYPE", "/name", flow(task(), name=1)),
    "a name with NUL": ("FIELD_TYPE", "/name", flow(task(), name="a\0")),
    "steps that are an object": ("FIELD_TYPE", "/steps", {"id": "wf", "name": "W", "steps": {}}),
    "a step that is a string": ("FIELD_TYPE", "/steps/0", {"id": "wf", "name": "W", "steps": ["x"]}),
    "a boolean as retry count": ("FIELD_TYPE", "/steps/0/retryCount", flow(task(retryCount=True))),
    "half a retry": ("FIELD_TYPE", "/steps/0/retryCount", flow(task(retryCount=1.5))),
    "a branch that is no string": ("FIELD_TYPE", "/steps/0/parallelNextSteps/1", fork(("left", 7))),
    "a condition leading to a number": (
        "FIELD_TYPE",
        "/steps/0/conditionalNextSteps/a",
        flow(decision({"a": 1})),
    ),
    "a cell that is a boolean": (
        "FIELD_TYPE",
        "/steps/0/decisionTable/rules/0/when/a",
        flow(table({"when": {"a": True}})),
    ),
    "a column order of numbers": (
        "FIELD_TYPE",
        "/steps/0/decisionTable/rules/0/whenOrder/0",
        flow(table({"whenOrder": [1]})),
    ),
    "a jitter that is text": (
        "FIELD_TYPE",
        "/steps/0/retryPolicy/jitter",
        flow(task(retryPolicy={"initialDelay": "PT1S", "jitter": "a bit"})),
    ),
    "an id with a space": ("ID_FORMAT", "/id", flow(task(), id="my workflow")),
    "no id": ("ID_FORMAT", "/id", without(flow(task()), "id")),
    "an id of 257 characters": ("ID_FORMAT", "/id", flow(task(), id="a" * 257)),
    "an id with a line end": ("ID_FORMAT", "/id", flow(task(), id="wf\n")),
    "a step id of 257 characters": (
        "ID_FORMAT",
        "/steps/0/id",
        flow(task(id="a" * 257)),
    ),
    "a step id nobody can see": ("ID_FORMAT", "/steps/0/id", flow(task(id="a\u200b"))),
    "no name": ("NAME_REQUIRED", "/name", without(flow(task()), "name")),
    "an empty name": ("NAME_REQUIRED", "/name", flow(task(), name="")),
    "a step without a name": ("NAME_REQUIRED", "/steps/0/name", flow(task(name=""))),
    "no steps": ("STEPS_NONEMPTY", "/steps", {"id": "wf", "name": "W", "steps": []}),
    "steps not given": ("STEPS_NONEMPTY", "/steps", {"id": "wf", "name": "W"}),
    "a chain to nowhere": (
        "NEXT_WORKFLOW_CONSISTENCY",
        "/nextWorkflowId",
        flow(task(), autoStartNextWorkflow=True, nextWorkflowId=""),
    ),
    "a step without an id": ("STEP_ID_REQUIRED", "/steps/0/id", flow(without(task(), "id"))),
    "two steps of one id": ("STEP_ID_UNIQUE", "/steps/1/id", flow(task(), task())),
    "a type nobody knows": ("STEP_TYPE_VALID", "/steps/0/type", flow(task(type="SCRIPT_TASK"))),
    "no type": ("STEP_TYPE_VALID", "/steps/0/type", flow(without(task(), "type"))),
    "a job type on a table": (
        "STEP_FIELD_INVALID",
        "/steps/0/jobType",
        flow(table({}, jobType="x")),
    ),
    "a table on a task": (
        "STEP_FIELD_INVALID",
        "/steps/0/decisionTable",
        flow(task(decisionTable={"rules": [{}]})),
    ),
    "a hit policy on a task": ("STEP_FIELD_INVALID", "/steps/0/hitPolicy", flow(task(hitPolicy="F"))),
    "an expression cut short": (
        "EXPR_SYNTAX",
        "/steps/0/conditionalNextSteps/a >",
        flow(decision({"a >": "end"})),
    ),
    "an empty condition": ("EXPR_SYNTAX", "/steps/0/conditionalNextSteps/", flow(decision({"": "end"}))),
    "a bad condition on a task": (
        "EXPR_SYNTAX",
        "/steps/0/conditionalNextSteps/)",
        flow(task(conditionalNextSteps={")": "end"})),
    ),
    "a bad transformation": (
        "EXPR_SYNTAX",
        "/steps/0/transformations/a",
        flow(of("TRANSFORMATION", transformations={"a": "${1 +}"})),
    ),
    "a bad cell": (
        "EXPR_SYNTAX",
        "/steps/0/decisionTable/rules/0/when/a",
        flow(table({"when": {"a": "> 5"}})),
    ),
    "a bad output": (
        "EXPR_SYNTAX",
        "/steps/0/decisionTable/rules/0/outputs/a",
        flow(table({"outputs": {"a": "${}"}})),
    ),
    "a schema without properties": ("SCHEMA_INVALID", "/input_schema/properties", flow(task(), input_schema={})),
    "a schema of unknown type": (
        "SCHEMA_INVALID",
        "/steps/0/outputs_schema/properties/a/type",
        flow(task(outputs_schema={"properties": {"a": {"type": "date"}}})),
    ),
    "a job type of 257 characters": ("ID_FORMAT", "/steps/0/jobType", flow(task(jobType="a" * 257))),
    "an empty job type": ("JOB_TYPE_REQUIRED", "/steps/0/jobType", flow(task(jobType=""))),
    "101 retries": ("RETRY_COUNT_RANGE", "/steps/0/retryCount", flow(task(retryCount=101))),
    "fewer than no retries": ("RETRY_COUNT_RANGE", "/steps/0/retryCount", flow(task(retryCount=-1))),
    "a retry policy without a delay": (
        "RETRY_POLICY_INVALID",
        "/steps/0/retryPolicy/initialDelay",
        flow(task(retryPolicy={})),
    ),
    "a retry policy with a bad limit": (
        "RETRY_POLICY_INVALID",
        "/steps/0/retryPolicy/maxDelay",
        flow(task(retryPolicy={"initialDelay": "PT1S", "maxDelay": "soon"})),
    ),
    "a retry policy that shrinks": (
        "RETRY_POLICY_INVALID",
        "/steps/0/retryPolicy/multiplier",
        flow(task(retryPolicy={"initialDelay": "PT1S", "multiplier": 0.5})),
    ),
    "a retry policy with too much chance": (
        "RETRY_POLICY_INVALID",
        "/steps/0/retryPolicy/jitter",
        flow(task(retryPolicy={"initialDelay": "PT1S", "jitter": 2})),
    ),
    "a decision without conditions": (
        "DECISION_HAS_BRANCHES",
        "/steps/0/conditionalNextSteps",
        flow(decision({})),
    ),
    "a transformation to nowhere": (
        "TRANSFORMATION_HAS_NEXT",
        "/steps/0/nextStep",
        flow(without(of("TRANSFORMATION", transformations={"a": 1}), "nextStep")),
    ),
    "a transformation of nothing": (
        "TRANSFORMATION_HAS_ENTRIES",
        "/steps/0/transformations",
        flow(of("TRANSFORMATION", transformations={})),
    ),
    "a wait for ever": ("WAIT_HAS_NEXT", "/steps/0/nextStep", flow(of("WAIT", nextStep=""))),
    "a gateway with one branch": ("PARALLEL_MIN_BRANCHES", "/steps/0/parallelNextSteps", fork(["left"])),
    "a gateway without a join": ("PARALLEL_HAS_JOIN", "/steps/0/joinStep", fork(join=None)),
    "a gateway joined by a task": ("PARALLEL_HAS_JOIN", "/steps/0/joinStep", fork(join="left")),
    "a join to nowhere": (
        "JOIN_HAS_NEXT",
        "/steps/0/nextStep",
        flow({"id": "work", "name": "J", "type": "JOIN_GATEWAY"}),
    ),
    "a join of no gateway": ("JOIN_HAS_GATEWAY", "/steps/0", flow(of("JOIN_GATEWAY"))),
    "a table without rules": (
        "DECISION_TABLE_HAS_RULES",
        "/steps/0/decisionTable",
        flow(of("DECISION_TABLE", decisionTable={"rules": []})),
    ),
    "a table without a table": (
        "DECISION_TABLE_HAS_RULES",
        "/steps/0/decisionTable",
        flow(of("DECISION_TABLE")),
    ),
    "a table to nowhere": (
        "DECISION_TABLE_HAS_NEXT",
        "/steps/0/nextStep",
        flow(without(table({}), "nextStep")),
    ),
    "a hit policy nobody knows": (
        "DECISION_TABLE_HIT_POLICY_UNKNOWN",
        "/steps/0/hitPolicy",
        flow(table({}, policy="P")),
    ),
    "a sum of first matches": (
        "DECISION_TABLE_AGGREGATOR_ON_NON_C",
        "/steps/0/hitPolicy",
        flow(table({}, policy="F+")),
    ),
    "a rule that routes": (
        "DECISION_TABLE_LEGACY_THEN",
        "/steps/0/decisionTable/rules/0/then",
        flow(table({"then": "end"})),
    ),
    "a table that routes": (
        "DECISION_TABLE_LEGACY_DEFAULT_NEXT_STEP",
        "/steps/0/decisionTable/defaultNextStep",
        flow(of("DECISION_TABLE", decisionTable={"rules": [{}], "defaultNextStep": "end"})),
    ),
    "a boundary event of another type": (
        "BOUNDARY_TYPE",
        "/steps/0/boundaryEvents/0/type",
        timed(type="MESSAGE"),
    ),
    "a timer without a duration": (
        "BOUNDARY_DURATION",
        "/steps/0/boundaryEvents/0/duration",
        flow(of("WAIT", boundaryEvents=[without(timer(), "duration")])),
    ),
    "a timer of no length": (
        "BOUNDARY_DURATION",
        "/steps/0/boundaryEvents/0/duration",
        timed(duration="PT0S"),
    ),
    "a timer to nowhere": (
        "BOUNDARY_TARGET_RESOLVES",
        "/steps/0/boundaryEvents/0/targetStepId",
        timed(targetStepId="gone"),
    ),
    "a timer on a decision": (
        "BOUNDARY_PARENT_SUPPORTS",
        "/steps/0/boundaryEvents",
        flow(decision({"a": "end"}, boundaryEvents=[timer()])),
    ),
    "a next step that is none": ("REF_RESOLVES", "/steps/0/nextStep", flow(task(nextStep="gone"))),
    "a condition to nowhere": (
        "REF_RESOLVES",
        "/steps/0/conditionalNextSteps/a~1b > 1",
        flow(decision({"a/b > 1": "gone"})),
    ),
    "a task's condition to nowhere": (
        "REF_RESOLVES",
        "/steps/0/conditionalNextSteps/a",
        flow(task(conditionalNextSteps={"a": "gone"})),
    ),
    "a listed condition to nowhere": (
        "REF_RESOLVES",
        "/steps/0/orderedConditions/0/nextStep",
        flow(decision({"a": "end"}, orderedConditions=[{"expression": "a", "nextStep": "gone"}])),
    ),
    "a branch to nowhere": ("REF_RESOLVES", "/steps/0/parallelNextSteps/1", fork(("left", "gone"))),
    "a join that is none": ("REF_RESOLVES", "/steps/0/joinStep", fork(join="gone")),
    "a step nothing leads to": ("ALL_REACHABLE", "/steps/1", flow(task(), task(id="lost"))),
    "no end in sight": (
        "END_REACHABLE",
        "/steps",
        flow(task(nextStep="other"), task(id="other", nextStep="work")),
    ),
}

WARNINGS = {
    "a job type on a user task": (
        "STEP_FIELD_INVALID",
        "/steps/0/jobType",
        flow(of("USER_TASK", jobType="form")),
    ),
    "an output schema on a wait": (
        "STEP_FIELD_INVALID",
        "/steps/0/outputs_schema",
        flow(of("WAIT", outputs_schema={"properties": {"a": {"type": "string"}}})),
    ),
    "a next step on a decision": (
        "STEP_FIELD_INVALID",
        "/steps/0/nextStep",
        flow(decision({"a": "end"}, nextStep="gone")),
    ),
    "a loop": ("GRAPH_CYCLE", "/steps/0", flow(task(conditionalNextSteps={"again": "work"}))),
    "a loop through an interrupting timer": (
        "GRAPH_CYCLE",
        "/steps/0",
        timed(targetStepId="work", interrupting=True),
    ),
    "a rule after a catch-all": (
        "DECISION_TABLE_UNREACHABLE_RULE",
        "/steps/0/decisionTable/rules/1",
        flow(table({"when": {}}, {"when": {"a": "a > 1"}}, policy="F")),
    ),
    "a branch that ends before the join": (
        "BRANCH_MAY_MISS_JOIN",
        "/steps/0/parallelNextSteps/0",
        fork(conditionalNextSteps={"hopeless": "end"}),
    ),
}


def parse(document):
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_definition(raw)


@pytest.mark.parametrize(("code", "place", "document"), ERRORS.values(), ids=ERRORS)
def test_a_broken_rule_is_refused_with_its_code_and_place(code, place, document):
    """Each broken rule refuses the upload and is reported under its code, at its pointer."""
    parsed = parse(document)
    assert (code, place) in {(problem.code, problem.pointer) for problem in parsed.problems}
    assert parsed.definition is None


@pytest.mark.parametrize(("code", "place", "document"), WARNINGS.values(), ids=WARNINGS)
def test_a_doubtful_definition_is_accepted_with_a_warning(code, place, document):
    """What is only doubtful is accepted, and the author is told where."""
    parsed = parse(document)
    assert [(warning.code, warning.pointer) for warning in parsed.warnings] == [(code, place)]
    assert parsed.definition is not None


def test_every_code_of_the_table_is_shown_here():
    """No code exists that no definition on this page can cause."""
    elsewhere = {"DEFINITION_TOO_LARGE", "MORE_PROBLEMS", "NEXT_WORKFLOW_UNKNOWN"}
    shown = {code for code, _, _ in (*ERRORS.values(), *WARNINGS.values())}
    assert shown == CODES.keys() - elsewhere


@pytest.mark.parametrize("case", [*ERRORS, *WARNINGS])
def test_every_message_is_one_that_was_read_and_found_good(case, sentences):
    """A definition is told all its problems in these words, in this order: what is wrong, where, and what to do."""
    parsed = parse((ERRORS | WARNINGS)[case][2])
    said = [[problem.code, problem.pointer, problem.message] for problem in (*parsed.problems, *parsed.warnings)]
    sentences("definition", case, said)
    assert all(len(message) > 25 for _, _, message in said)


def test_all_problems_are_told_at_once():
    """One upload shows every independent mistake."""
    parsed = parse(
        flow(task(nextStep="gone", retryCount=-1, jobType=""), table({"when": {"a": "("}}, policy="Z"), name="")
    )
    assert {
        "NAME_REQUIRED",
        "REF_RESOLVES",
        "RETRY_COUNT_RANGE",
        "JOB_TYPE_REQUIRED",
        "STEP_ID_UNIQUE",
        "EXPR_SYNTAX",
        "DECISION_TABLE_HIT_POLICY_UNKNOWN",
    } <= {problem.code for problem in parsed.problems}


def test_too_many_bytes_are_refused_unread():
    """A text over the byte limit is refused with one problem."""
    parsed = parse_definition(b" " * 11, limits=DefinitionLimits(max_bytes=10))
    assert parsed.too_large
    assert [problem.code for problem in parsed.problems] == ["DEFINITION_TOO_LARGE"]


def test_too_many_steps_are_refused():
    """A definition over the step limit is refused at its steps."""
    parsed = parse_definition(json.dumps(flow(task())).encode(), limits=DefinitionLimits(max_steps=1))
    assert [(problem.code, problem.pointer) for problem in parsed.problems] == [("DEFINITION_TOO_LARGE", "/steps")]


def test_the_list_of_problems_is_bounded():
    """A hostile upload cannot make the answer larger than 500 problems and their count."""
    parsed = parse({"id": "wf", "name": "W", "steps": [1] * 600})
    assert len(parsed.problems) == 501
    assert parsed.problems[-1].code == "MORE_PROBLEMS"
    assert not parsed.too_large


def test_the_warning_about_an_unknown_chain_names_it():
    """Whoever knows the stored definitions can warn that the next one is not there yet."""
    warning = next_workflow_unknown("LOS::next")
    assert (warning.code, warning.pointer) == ("NEXT_WORKFLOW_UNKNOWN", "/nextWorkflowId")
    assert "LOS::next" in warning.message


def test_the_warning_about_an_unknown_chain_is_word_for_word(sentences):
    """What is told when a chain's target does not exist yet."""
    sentences("definition", "an unknown chain", next_workflow_unknown("next").message)


@pytest.mark.parametrize(("count", "refused"), [(0, False), (100, False), (101, True), (-1, True)])
def test_retries_have_a_limit(count, refused):
    """From none to a hundred retries."""
    assert bool(parse(flow(task(retryCount=count))).problems) is refused


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.0", 1), ("9007199254740991.0", 2**53 - 1), ("9007199254740992.0", 2.0**53), ("1e300", 1e300), ("1.5", 1.5)],
)
def test_whole_floats_are_integers_where_both_are_exact(text, number):
    """Up to 2^53 a whole float is an integer; from there on a float may stand for several."""
    raw = json.dumps(flow(task(), metadata={"x": "NUMBER"})).replace('"NUMBER"', text).encode()
    found = parse_definition(raw).definition.metadata["x"]
    assert (found, type(found)) == (number, type(number))
