"""The journeys of the demo as a table: what an applicant tells, what people answer, and where it has to end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

LOAN = Path(__file__).parent / "loan"
WORKER = LOAN / "worker.py"
APPLICATION, DISBURSEMENT = "loan-application", "loan-disbursement"
SHORT_SLA = "PT1S"

Json = dict[str, Any]


class Journey(NamedTuple):
    """One application. `answers`: what a person says at a user task, by step; a task without an answer is left alone.

    `hurried` journeys run on the version of the definition whose review is due within a second. `end`, `child_end` and
    `jobs` (of both instances) are what must come out.
    """

    name: str
    door: str
    variables: Mapping[str, Any]
    end: str
    child_end: str
    jobs: int
    answers: Mapping[str, Mapping[str, Any]] = {}
    hurried: bool = False


def _applicant(amount: int, income: int, *, missed: int = 0, documents: bool = True) -> Json:
    return {"amount": amount, "monthlyIncome": income, "missedPayments": missed, "documentsMatch": documents}


JOURNEYS = (
    Journey("straight through", "REST", _applicant(8_000, 4_000), "approved", "disbursed", 3),
    Journey(
        "manual review, approved",
        "gRPC",
        _applicant(20_000, 3_000),
        "approved",
        "disbursed",
        3,
        answers={"manual-review": {"reviewApproved": True, "decidedBy": "clerk"}},
    ),
    Journey(
        "manual review, escalated by timer",
        "REST",
        _applicant(20_000, 3_000),
        "approved",
        "disbursed",
        4,
        hurried=True,
    ),
    Journey(
        "senior approval",
        "gRPC",
        _applicant(80_000, 20_000),
        "approved",
        "disbursed",
        3,
        answers={"senior-approval": {"seniorApproved": True}},
    ),
    Journey(
        "senior rejection",
        "REST",
        _applicant(80_000, 20_000),
        "approved",
        "declined-by-senior",
        2,
        answers={"senior-approval": {"seniorApproved": False}},
    ),
    Journey(
        "rejected for credit", "gRPC", _applicant(8_000, 4_000, missed=3), "rejected-credit", "nothing-to-disburse", 2
    ),
    Journey(
        "rejected for fraud",
        "REST",
        _applicant(8_000, 4_000, documents=False),
        "rejected-fraud",
        "nothing-to-disburse",
        2,
    ),
)


def definition(name: str) -> Json:
    """Return one of the example's definitions."""
    loaded: Json = json.loads((LOAN / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def hurried(application: Json) -> Json:
    """Return the application with a review that is due at once; two days are long for a demo."""
    steps = [
        {**step, "boundaryEvents": [{**timer, "duration": SHORT_SLA} for timer in step["boundaryEvents"]]}
        if "boundaryEvents" in step
        else step
        for step in application["steps"]
    ]
    return {**application, "steps": steps}
