"""The loan application of `examples/loan` on each of its ways: seven journeys over two chained definitions."""

from __future__ import annotations

import json
from pathlib import Path

from e2e.journeys.journey import Act, Journey, Json, Outcome

LOAN = Path(__file__).resolve().parents[2] / "examples" / "loan"
REVIEW_DUE = "PT0.2S"
"""Instead of two days, where nobody reviews."""


def _definition(name: str) -> Json:
    loaded: Json = json.loads((LOAN / f"{name}.json").read_bytes())
    return loaded


def _hurried(application: Json) -> Json:
    steps = [
        {**step, "boundaryEvents": [{**timer, "duration": REVIEW_DUE} for timer in step["boundaryEvents"]]}
        if "boundaryEvents" in step
        else step
        for step in application["steps"]
    ]
    return {**application, "steps": steps}


_DISBURSEMENT = _definition("loan-disbursement")
_BOTH = (_definition("loan-application"), _DISBURSEMENT)
_CHECKS = {"loan.credit-check": 1, "loan.fraud-check": 1}
_PAID = {**_CHECKS, "loan.disburse": 1}
_CHECKED = "assess-risk run-checks credit-check fraud-check checks-done decide"
_COUNTED = "anything-to-pay compute-fees how-much"


def _applicant(amount: int, income: int, *, missed: int = 0, documents: bool = True) -> Json:
    return {"amount": amount, "monthlyIncome": income, "missedPayments": missed, "documentsMatch": documents}


def _approved(*between: str) -> Outcome:
    return Outcome(
        "approved", " ".join((_CHECKED, *between, "approve approved")), {"approved": True, "approvedAt": ...}
    )


def _disbursed(payout: int, fee: int, *between: str) -> Outcome:
    facts = {"payout": payout, "fee": fee, "paid": payout, "paymentReference": ...}
    return Outcome("disbursed", " ".join((_COUNTED, *between, "disburse disbursed")), facts)


_NOTHING = Outcome("nothing-to-disburse", "anything-to-pay nothing-to-disburse")

LOAN_JOURNEYS = (
    Journey("loan, straight through", _BOTH, _approved(), _PAID, _applicant(8000, 4000), child=_disbursed(7880, 120)),
    Journey(
        "loan, manual review approved",
        _BOTH,
        _approved("manual-review"),
        _PAID,
        _applicant(20_000, 3000),
        [Act("answer", "manual-review", {"reviewApproved": True, "decidedBy": "clerk"})],
        _disbursed(19_700, 300),
    ),
    Journey(
        "loan, review escalated",
        (_hurried(_BOTH[0]), _DISBURSEMENT),
        _approved("manual-review/FAILED", "escalate"),
        {**_PAID, "loan.escalate": 1},
        _applicant(20_000, 3000),
        child=_disbursed(19_700, 300),
    ),
    Journey(
        "loan, senior approval",
        _BOTH,
        _approved(),
        _PAID,
        _applicant(80_000, 20_000),
        [Act("answer", "senior-approval", {"seniorApproved": True}, child=True)],
        _disbursed(78_800, 1200, "senior-approval"),
    ),
    Journey(
        "loan, senior rejection",
        _BOTH,
        _approved(),
        _CHECKS,
        _applicant(80_000, 20_000),
        [Act("answer", "senior-approval", {"seniorApproved": False}, child=True)],
        Outcome("declined-by-senior", f"{_COUNTED} senior-approval declined-by-senior", {"payout": 78_800}),
    ),
    Journey(
        "loan, rejected for credit",
        _BOTH,
        Outcome("rejected-credit", f"{_CHECKED} rejected-credit", {"creditScore": 350}),
        _CHECKS,
        _applicant(8000, 4000, missed=3),
        child=_NOTHING,
    ),
    Journey(
        "loan, rejected for fraud",
        _BOTH,
        Outcome("rejected-fraud", f"{_CHECKED} rejected-fraud", {"fraudScore": 95}),
        _CHECKS,
        _applicant(8000, 4000, documents=False),
        child=_NOTHING,
    ),
)
