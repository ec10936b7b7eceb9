"""The bank's side of the loan application: four handlers, served until Ctrl-C.

Run it beside an engine:  python worker.py --engine http://127.0.0.1:8080
A real worker would ask a credit bureau and move money; these compute an answer from what the applicant told.
"""

from __future__ import annotations

import argparse
from typing import Any

from workflow_sdk import HandlerRegistry, NonRetryableError, RestEngineClient, Runner

Context = dict[str, Any]

registry = HandlerRegistry()


@registry.register("loan.credit-check")
def check_credit(ctx: Context) -> Context:
    """Score the applicant: 800, and 150 less for every payment they missed."""
    missed = ctx["variables"]["missedPayments"]
    if missed < 0:
        raise NonRetryableError("missedPayments cannot be negative")
    return {"creditScore": max(300, 800 - 150 * missed)}


@registry.register("loan.fraud-check")
def check_fraud(ctx: Context) -> Context:
    """Compare the documents with what was declared."""
    return {"fraudScore": 5 if ctx["variables"]["documentsMatch"] else 95}


@registry.register("loan.escalate")
def escalate(ctx: Context) -> Context:
    """Nobody reviewed in time: the duty manager takes every risk but the high one."""
    return {"reviewApproved": ctx["variables"]["riskClass"] != "high", "decidedBy": "duty manager"}


@registry.register("loan.disburse")
def disburse(ctx: Context) -> Context:
    """Pay out. The id of the step execution stays the same when a job comes twice, so the bank can see a repeat."""
    return {"paymentReference": f"PAY-{ctx['stepExecutionId']}", "paid": ctx["variables"]["payout"]}


def main() -> None:
    """Serve the handlers on the engine that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="http://127.0.0.1:8080", help="the engine's REST address")
    arguments = parser.parse_args()
    with RestEngineClient(arguments.engine) as client:
        Runner(client, registry, worker_id="loan-worker", parallelism=8).run()


if __name__ == "__main__":
    main()
