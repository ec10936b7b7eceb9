"""Whether handlers and steps find each other: job types nobody serves, handlers nobody calls."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence

from workflow_sdk.definition.problems import Problem, pointer, warning
from workflow_sdk.definition.steps import Step

UNSERVED = "JOB_TYPE_UNSERVED"
UNUSED = "HANDLER_UNUSED"


def problems_of_service(
    handled: Sequence[str], steps_of: Mapping[str, Sequence[Step]], elsewhere: Collection[str]
) -> Iterator[Problem]:
    """Yield a problem for each step whose job type has no handler, and for each handler that no step asks for."""
    asked: set[str] = set()
    for definition_id, steps in steps_of.items():
        for index, step in enumerate(steps):
            if step.type != "SERVICE_TASK":
                continue
            asked.add(step.job_type)
            if step.job_type not in handled and step.job_type not in elsewhere:
                message = f"No handler serves {step.job_type!r}, so this step would wait for ever. "
                advice = _similar(step.job_type, handled) or "Register one, or say that it is served elsewhere."
                yield Problem(UNSERVED, pointer("steps", index), message + advice, definition_id=definition_id)
    for job_type in handled:
        if job_type not in asked:
            message = (
                f"No step asks for {job_type!r}. {_similar(job_type, asked) or 'Remove the handler, or add a step.'}"
            )
            yield warning(UNUSED, "", message)


def _similar(job_type: str, others: Collection[str]) -> str:
    found = difflib.get_close_matches(job_type, sorted(others), n=1)
    return f"Is {found[0]!r} meant?" if found else ""
