"""The loan application as files: what a reader copies is right."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from rochallor.core.definition import parse_definition
from rochallor.demo.journeys import JOURNEYS, LOAN
from workflow_sdk import NonRetryableError


@pytest.mark.parametrize("name", ["loan-application", "loan-disbursement"])
def test_a_definition_has_no_problem_and_no_warning(loan: Path, name: str) -> None:
    """An example is clean."""
    parsed = parse_definition((loan / f"{name}.json").read_bytes())
    assert (parsed.problems, parsed.warnings) == ((), ())


def test_the_demo_plays_these_very_files(loan: Path) -> None:
    """What the engine's package carries is what lies in the example's folder."""
    names = {path.name for path in loan.iterdir() if path.is_file()}
    assert {name: (LOAN / name).read_bytes() for name in names} == {name: (loan / name).read_bytes() for name in names}


def test_the_worker_serves_every_job_of_both_definitions(loan: Path, loan_worker: ModuleType) -> None:
    """No job of the example waits for ever."""
    steps = [step for path in loan.glob("*.json") for step in json.loads(path.read_bytes())["steps"]]
    assert {step["jobType"] for step in steps if "jobType" in step} == set(loan_worker.registry.job_types())


@pytest.mark.parametrize(("missed", "score"), [(0, 800), (1, 650), (3, 350), (9, 300)])
def test_missed_payments_cost_credit(loan_worker: ModuleType, missed: int, score: int) -> None:
    """Every missed payment lowers the score, down to a floor."""
    assert loan_worker.check_credit({"variables": {"missedPayments": missed}}) == {"creditScore": score}


def test_nonsense_is_not_tried_again(loan_worker: ModuleType) -> None:
    """A worker says when a retry cannot help."""
    with pytest.raises(NonRetryableError):
        loan_worker.check_credit({"variables": {"missedPayments": -1}})


@pytest.mark.parametrize(("risk", "approved"), [("low", True), ("medium", True), ("high", False)])
def test_the_duty_manager_refuses_high_risks(loan_worker: ModuleType, risk: str, approved: bool) -> None:
    """The escalation decides by risk class."""
    assert loan_worker.escalate({"variables": {"riskClass": risk}})["reviewApproved"] is approved


def test_the_readme_lists_the_journeys_of_the_demo(loan: Path) -> None:
    """The table of the README has the ends that the demo insists on."""
    rows = [
        row.split("|") for row in (loan / "README.md").read_text(encoding="utf-8").splitlines() if row.startswith("|")
    ]
    ends = [(row[3].strip(" `"), row[4].strip(" `")) for row in rows[2:]]
    assert ends == [(journey.end, journey.child_end) for journey in JOURNEYS]
