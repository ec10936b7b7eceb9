"""The logger of one job: what it says can be found by job, instance and trace without writing them each time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    JobAdapter = logging.LoggerAdapter[logging.Logger]
else:
    JobAdapter = logging.LoggerAdapter  # Python 3.10 cannot subscribe it

_HANDLER_LOG = logging.getLogger("workflow_sdk.handler")
_TRACE_ID = slice(3, 35)  # version-traceid-parentid-flags


class JobLogger(JobAdapter):
    """Logs to `workflow_sdk.handler`; each record has the job's facts as attributes, for a formatter to show.

    Variables are not among them: they may be secret.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        facts = {
            "job_id": job.get("id"),
            "job_type": job.get("jobType"),
            "instance_id": job.get("instanceId"),
            "step_id": job.get("stepId"),
            "attempt": job.get("attempt") or 1,
            "trace_id": str(job.get("traceparent") or "")[_TRACE_ID],
        }
        super().__init__(_HANDLER_LOG, facts)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Put the job's facts beside what the caller gave as `extra`, which the standard adapter would drop."""
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs
