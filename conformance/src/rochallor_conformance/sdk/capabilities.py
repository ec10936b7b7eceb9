"""What an SDK may claim, and what of it a case needs: one table, so that no case has to say it."""

from __future__ import annotations

from rochallor_conformance.cases.model import Case, Step

WORKER = "worker"
OF_OPERATION = {
    "uploadDefinition": "definitions",
    "listDefinitions": "definitions",
    "getDefinition": "definitions",
    "getDefinitionVersion": "definitions",
    "startInstance": "instances",
    "listInstances": "instances",
    "getInstance": "instances",
    "getInstanceHistory": "instances",
    "cancelInstance": "instances",
    "retryStep": "instances",
    "awaitInstance": "await",
    "getInstanceAudit": "audit",
    "completeUserTask": "people",
    "listUserTasks": "people",
    "signalWait": "people",
    "pollJobs": "jobs",
    "completeJob": "jobs",
    "failJob": "jobs",
    "reportJobs": "batch",
}
"""Operation -> the capability that a driver claims when its SDK has it."""

OF_THE_STUB = frozenset({"additions", "virtual-clock"})
"""What a case may require and every stub has."""


def needed(case: Case) -> list[str]:
    """Return the capabilities that a case asks of an SDK, in the order in which it needs them."""
    steps = [step for _, step in case.steps]
    steps += [inner for step in steps for inner in step.parallel or ()]
    found = [name for step in steps for name in _of_step(step)]
    found += [name for name in case.requires if name not in OF_THE_STUB]
    return list(dict.fromkeys(found))


def unspeakable(case: Case) -> str:
    """Return what of a case no SDK can say, "" when an SDK can say all of it."""
    for where, step in case.steps:
        for each in (step, *(step.parallel or ())):
            if each.http is not None or each.rpc is not None:
                return f"{where} is a request by hand"
            if each.headers or each.token:
                return f"{where} is about headers or tokens"
            if each.call and each.call not in OF_OPERATION:
                return f"{where} calls {each.call}"
    return ""


def _of_step(step: Step) -> list[str]:
    if step.start_worker is not None:
        return [WORKER]
    return [OF_OPERATION.get(step.call, step.call)] if step.call and step.by != "harness" else []
