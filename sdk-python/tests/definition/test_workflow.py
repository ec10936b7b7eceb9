"""Definitions built in Python: what JSON they become, and what is said about them."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from workflow_sdk import HandlerRegistry
from workflow_sdk.definition import (
    Problem,
    RetryPolicy,
    Rule,
    Schema,
    Step,
    Timer,
    Workflow,
    check,
    decision,
    decision_table,
    end,
    expr,
    join,
    parallel,
    parts,
    service_task,
    steps,
    transformation,
    user_task,
    wait,
    workflow,
)

LOAN = Workflow(
    "LOS::loan",
    parallel("checks", ["score", "fraud"], join_step="checked"),
    service_task(
        "score",
        job_type="credit-score",
        retry_count=3,
        retry_policy=RetryPolicy(timedelta(seconds=1), 3, "PT1M", 0.1, timedelta(days=1)),
        outputs_schema=Schema({"creditScore": int}),
        timers=[Timer(timedelta(hours=1), "review", interrupting=False)],
        next_step="checked",
    ),
    service_task("fraud", conditions={"amount < 100": "checked"}, next_step="checked", description="Is it them?"),
    join("checked", next_step="tier"),
    decision_table(
        "tier",
        [Rule({"score": "creditScore < 500"}, {"tier": "HIGH", "rate": expr("creditScore / 50")}), Rule()],
        hit_policy="F",
        next_step="fees",
    ),
    transformation("fees", {"fee": expr("amount * 0.01"), "currency": "EUR"}, next_step="decide"),
    decision("decide", {"tier == 'HIGH'": "review", "true": "signed"}, name="Who decides?"),
    user_task("review", next_step="signed"),
    wait("signed", next_step="done", timers=[Timer("P14D", "done", interrupting=True)]),
    end("done"),
    name="Loan application",
    description="From request to contract",
    input_schema=Schema({"amount": float, "name": str, "vip": bool, "note": "string"}, required=["amount"]),
    next_workflow="LOS::payout",
    metadata={"team": "loans"},
)
LOAN_JSON: dict[str, Any] = {
    "id": "LOS::loan",
    "name": "Loan application",
    "description": "From request to contract",
    "autoStartNextWorkflow": True,
    "nextWorkflowId": "LOS::payout",
    "input_schema": {
        "properties": {
            "amount": {"type": "number"},
            "name": {"type": "string"},
            "vip": {"type": "boolean"},
            "note": {"type": "string"},
        },
        "required": ["amount"],
    },
    "metadata": {"team": "loans"},
    "steps": [
        {
            "id": "checks",
            "name": "Checks",
            "type": "PARALLEL_GATEWAY",
            "parallelNextSteps": ["score", "fraud"],
            "joinStep": "checked",
        },
        {
            "id": "score",
            "name": "Score",
            "type": "SERVICE_TASK",
            "jobType": "credit-score",
            "retryCount": 3,
            "retryPolicy": {
                "initialDelay": "PT1S",
                "multiplier": 3,
                "maxDelay": "PT1M",
                "jitter": 0.1,
                "giveUpAfter": "PT86400S",
            },
            "outputs_schema": {"properties": {"creditScore": {"type": "integer"}}},
            "nextStep": "checked",
            "boundaryEvents": [
                {"type": "TIMER", "duration": "PT3600S", "interrupting": False, "targetStepId": "review"}
            ],
        },
        {
            "id": "fraud",
            "name": "Fraud",
            "type": "SERVICE_TASK",
            "description": "Is it them?",
            "conditionalNextSteps": {"amount < 100": "checked"},
            "nextStep": "checked",
        },
        {"id": "checked", "name": "Checked", "type": "JOIN_GATEWAY", "nextStep": "tier"},
        {
            "id": "tier",
            "name": "Tier",
            "type": "DECISION_TABLE",
            "hitPolicy": "F",
            "decisionTable": {
                "rules": [
                    {
                        "when": {"score": "creditScore < 500"},
                        "outputs": {"tier": "HIGH", "rate": "${creditScore / 50}"},
                    },
                    {"when": {}, "outputs": {}},
                ]
            },
            "nextStep": "fees",
        },
        {
            "id": "fees",
            "name": "Fees",
            "type": "TRANSFORMATION",
            "transformations": {"fee": "${amount * 0.01}", "currency": "EUR"},
            "nextStep": "decide",
        },
        {
            "id": "decide",
            "name": "Who decides?",
            "type": "DECISION",
            "conditionalNextSteps": {"tier == 'HIGH'": "review", "true": "signed"},
        },
        {"id": "review", "name": "Review", "type": "USER_TASK", "nextStep": "signed"},
        {
            "id": "signed",
            "name": "Signed",
            "type": "WAIT",
            "nextStep": "done",
            "boundaryEvents": [{"type": "TIMER", "duration": "P14D", "interrupting": True, "targetStepId": "done"}],
        },
        {"id": "done", "name": "Done", "type": "END"},
    ],
}


def test_all_nine_kinds_become_the_contracts_json() -> None:
    """What is built is exactly the JSON that one would write by hand."""
    assert LOAN.to_dict() == LOAN_JSON


def test_an_engine_takes_what_is_built() -> None:
    """The engine's own reader finds neither error nor warning."""
    engine = pytest.importorskip("rochallor.core.definition", reason="the engine is not installed beside the SDK")
    parsed = engine.parse_definition(LOAN.to_json().encode())
    assert (parsed.problems, parsed.warnings, len(parsed.definition.steps)) == ((), (), 10)


def test_json_and_back_is_the_same_workflow() -> None:
    """A definition read from its JSON is equal and writes the same text, in the same order."""
    again = Workflow.from_dict(json.loads(LOAN.to_json()))
    assert (again, again.to_json(indent=2)) == (LOAN, LOAN.to_json(indent=2))


def test_another_order_of_conditions_is_another_workflow() -> None:
    """The first true condition wins, so order is meaning."""
    one = Workflow("w", decision("d", {"a": "x", "b": "y"}))
    assert one != Workflow("w", decision("d", {"b": "y", "a": "x"}))


def test_what_is_handed_out_can_be_changed_without_harm() -> None:
    """The workflow keeps its own copy of everything."""
    document = LOAN.to_dict()
    document["steps"].clear()
    LOAN.steps[0].to_dict().clear()
    assert LOAN.to_dict() == LOAN_JSON


def test_steps_may_be_given_by_functions_that_make_several() -> None:
    """Lists of steps are flattened, and steps may name each other as values."""
    done = end("done")

    def notify(then: Step) -> list[Step]:
        return [service_task("mail", next_step="sms"), service_task("sms", next_step=then)]

    workflow = Workflow("w", notify(done), done)
    assert ([step.id for step in workflow.steps], workflow.steps[1].fields["nextStep"]) == (
        ["mail", "sms", "done"],
        "done",
    )


def test_a_chain_may_wait_to_be_switched_on() -> None:
    """The link is written, the switch is not."""
    written = Workflow("w", end(), next_workflow=LOAN, auto_start_next_workflow=False).to_dict()
    assert (written["nextWorkflowId"], "autoStartNextWorkflow" in written) == ("LOS::loan", False)


def test_all_problems_are_said_at_once() -> None:
    """One look at a broken workflow shows everything that is wrong with it, each with its place."""
    broken = Workflow("a b", service_task("x", next_step="y", retry_count=101), service_task("x"), end("z"))
    assert [(each.code, each.pointer) for each in broken.problems() if each.severity == "error"] == [
        ("ID_FORMAT", "/id"),
        ("STEP_ID_UNIQUE", "/steps/1/id"),
        ("REF_RESOLVES", "/steps/0/nextStep"),
        ("ALL_REACHABLE", "/steps/2"),
        ("END_REACHABLE", "/steps"),
        ("RETRY_COUNT_RANGE", "/steps/0/retryCount"),
    ]


def test_a_problem_reads_as_a_sentence() -> None:
    """Printed, it says how bad, where, which rule, and what to do."""
    printed = str(Workflow("w", wait("a", next_step="gone"), end()).problems()[0])
    assert printed == (
        "error w/steps/0/nextStep REF_RESOLVES: WAIT 'a' refers to 'gone', which is no step. "
        "Correct it or add the step."
    )


def greet(ctx: dict[str, Any]) -> dict[str, Any]:
    return ctx


def registry(*job_types: str) -> HandlerRegistry:
    made = HandlerRegistry()
    for job_type in job_types:
        made.register(job_type, greet)
    return made


def codes(problems: list[Problem]) -> list[tuple[str, str, str, str]]:
    return [(each.code, each.severity, each.definition_id, each.pointer) for each in problems]


def test_a_workflow_and_its_handlers_fit() -> None:
    """Every job type has a handler, by its jobType or by its step id, and every handler a step."""
    assert LOAN.check(registry("credit-score", "fraud")) == []


def test_a_job_type_nobody_serves_is_named() -> None:
    """Its step would wait for ever; a similar name is offered."""
    found = LOAN.check(registry("credit-scores", "fraud"))
    assert codes(found) == [
        ("JOB_TYPE_UNSERVED", "error", "LOS::loan", "/steps/1"),
        ("HANDLER_UNUSED", "warning", "", ""),
    ]
    assert "Is 'credit-scores' meant?" in found[0].message


def test_what_other_workers_serve_is_no_problem() -> None:
    """A worker need not serve everything."""
    assert LOAN.check(registry("fraud"), elsewhere=["credit-score"]) == []


def test_a_handler_is_used_if_any_workflow_uses_it() -> None:
    """One worker may serve several workflows, which are checked together; each brings its own problems."""
    other = Workflow("other", service_task("greet", next_step="gone"), end())
    found = check(registry("greet", "credit-score", "fraud"), LOAN, other)
    assert {each.definition_id for each in found} == {"other"}
    assert "REF_RESOLVES" in {each.code for each in found}


def test_the_chart_has_every_step_and_way() -> None:
    """Each step is a node of its kind's shape, each way an arrow with its condition; quotes cannot break out."""
    chart = Workflow(
        "w",
        decision("d", {'a == "x" && b < #c': "t"}),
        service_task("t", next_step="gone", timers=[Timer("PT1H", "e", interrupting=False)]),
        parallel("p", ["e", "t"], join_step="j"),
        end("e"),
    ).to_mermaid()
    assert chart == (
        "flowchart TD\n"
        '    s0{"D"}\n'
        '    s1["T"]\n'
        '    s2{{"P"}}\n'
        '    s3(("E"))\n'
        '    s4["gone?"]\n'
        '    s0 -->|"a == #quot;x#quot; && b #lt; #35;c"| s1\n'
        "    s1 --> s4\n"
        '    s1 -.->|"PT1H (and goes on)"| s3\n'
        "    s2 --> s3\n"
        "    s2 --> s1\n"
    )


NO_DEFINITIONS: list[dict[str, Any]] = [
    {},
    {"steps": 5},
    {"steps": [5, None, {"id": 7, "conditionalNextSteps": []}]},
    {"metadata": {1: {2}}},
]


@pytest.mark.parametrize("document", NO_DEFINITIONS, ids=str)
def test_any_document_can_be_looked_at(document: dict[str, Any]) -> None:
    """A document that is no definition at all has problems and a chart, and raises nothing."""
    workflow = Workflow.from_dict(document)
    assert all(isinstance(each, Problem) for each in workflow.problems())
    assert (len(workflow.problems()) > 0, workflow.to_mermaid()[:12]) == (True, "flowchart TD")


@pytest.mark.parametrize("module", [workflow, steps, parts], ids=lambda each: each.__name__)
def test_the_examples_of_the_reference_run(module: ModuleType) -> None:
    """What the docstrings show is what happens."""
    done = doctest.testmod(module)
    assert (done.failed, done.attempted > 0) == (0, True)


def test_importing_the_package_does_not_load_it() -> None:
    """Only who builds definitions pays for it."""
    code = "import sys, workflow_sdk, workflow_sdk.handler.registry; print('workflow_sdk.definition' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
