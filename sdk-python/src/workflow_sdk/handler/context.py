"""What a handler is given: the job as a dict that always has the same keys, whichever engine it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALWAYS: dict[str, Any] = {
    # What a handler may rely on, with the value that stands in where an older engine leaves it out.
    "id": "",
    "jobType": "",
    "instanceId": "",
    "stepId": "",
    "stepExecutionId": "",
    "retriesRemaining": 0,
    "variables": {},
    "lockExpiresAt": None,
}
# The token is the right to report this job: handlers log their context, so it is not in there.
_NEVER = frozenset({"leaseToken"})


def context_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dict for the handler; its variables are the handler's own to change."""
    context = {**_ALWAYS, **{key: value for key, value in job.items() if key not in _NEVER}}
    context["variables"] = dict(context["variables"] or {})
    return context
