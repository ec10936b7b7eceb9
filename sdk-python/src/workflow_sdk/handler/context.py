"""What a handler is given: the job as a dict that always has the same keys, with the same facts as attributes.

Code that expects a plain dict gets one (`ctx["variables"]`, `json.dumps(ctx)`, `isinstance(ctx, dict)`); the attributes
read that dict, so the two cannot disagree. It would break if the lease token got in: handlers log their context, and
the token is the right to report the job.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from workflow_sdk.errors import JobCancelled
from workflow_sdk.handler.log import JobLogger

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
JOB_KEYS = frozenset(_ALWAYS)
"""The keys every handler sees, whichever engine the job came from."""

# RFC 3339, read by hand because Python 3.10 knows neither the Z nor the nine digits of other engines.
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))")
_cancelling = threading.Lock()


class Control:
    """The worker's half of a context: what may change while the handler runs. Safe to use from several threads.

    Args:
        deadline: when the handler's time is up, an aware datetime; None when it has no timeout.

    """

    __slots__ = ("_reason", "deadline")

    def __init__(self, deadline: datetime | None = None) -> None:
        self.deadline = deadline
        self._reason: str | None = None

    def cancel(self, reason: str = "") -> None:
        """Tell the handler that its result is not wanted any more; the first reason stays."""
        with _cancelling:
            if self._reason is None:
                self._reason = reason or "the job was cancelled"

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._reason is not None

    @property
    def reason(self) -> str:
        """Why it was cancelled, empty while it was not."""
        return self._reason or ""


class JobContext(dict[str, Any]):
    """One job, as its handler sees it: a dict, and the same facts as attributes.

    >>> ctx = JobContext({"id": "7", "jobType": "greet", "variables": {"name": "Ada"}, "leaseToken": "secret"})
    >>> ctx["variables"], ctx.variables, ctx.job_type, ctx.attempt
    ({'name': 'Ada'}, {'name': 'Ada'}, 'greet', 1)
    >>> "leaseToken" in ctx
    False

    Args:
        job: the job as the engine hands it out; keys that it lacks get their neutral value.
        control: what the worker changes while the handler runs; a context without one is never cancelled.

    """

    __slots__ = ("_control", "_logger")

    def __init__(self, job: Mapping[str, Any], control: Control | None = None) -> None:
        super().__init__(_ALWAYS)
        self.update(job)
        self.pop("leaseToken", None)
        self["variables"] = dict(self["variables"] or {})  # the handler's own, to change as it likes
        self._control = control or Control()
        self._logger: JobLogger | None = None

    @property
    def id(self) -> str:
        """The job's id: another one for every delivery."""
        return str(self["id"])

    @property
    def job_type(self) -> str:
        """What the step has as jobType."""
        return str(self["jobType"])

    @property
    def instance_id(self) -> str:
        """The instance this job works for."""
        return str(self["instanceId"])

    @property
    def step_id(self) -> str:
        """The step, empty where an older engine does not say."""
        return str(self["stepId"] or "")

    @property
    def step_execution_id(self) -> str:
        """The entry into the step: the same for every delivery and automatic retry of this work."""
        return str(self["stepExecutionId"] or "")

    @property
    def definition_id(self) -> str:
        """The workflow's definition, empty where an older engine does not say."""
        return str(self.get("definitionId") or "")

    @property
    def definition_version(self) -> int:
        """The definition's version, 0 where an older engine does not say."""
        return int(self.get("definitionVersion") or 0)

    @property
    def business_key(self) -> str:
        """The instance's business key, empty when it has none."""
        return str(self.get("businessKey") or "")

    @property
    def variables(self) -> dict[str, Any]:
        """The instance's variables as they were when the job was handed out; this handler's own copy."""
        variables: dict[str, Any] = self["variables"]
        return variables

    @property
    def retries_remaining(self) -> int:
        """How many retryable failures the step can still take."""
        return int(self["retriesRemaining"] or 0)

    @property
    def attempt(self) -> int:
        """Which delivery of the step execution this is, from 1; 1 where an older engine does not say."""
        return int(self.get("attempt") or 1)

    @property
    def lock_expires_at(self) -> datetime | None:
        """When the lease ends as it was given with the job, UTC."""
        return _moment(self["lockExpiresAt"])

    @property
    def created_at(self) -> datetime | None:
        """When the job was made, UTC; None where an older engine does not say."""
        return _moment(self.get("createdAt"))

    @property
    def traceparent(self) -> str:
        """W3C trace context to hand on to what the handler calls, empty when there is none."""
        return str(self.get("traceparent") or "")

    @property
    def idempotency_key(self) -> str:
        """A key for calls that must happen once: the same for every delivery and retry of this step execution."""
        return self.step_execution_id or self.id

    @property
    def deadline(self) -> datetime | None:
        """When the handler's timeout is over, UTC; None when it has none."""
        return self._control.deadline

    @property
    def cancelled(self) -> bool:
        """Whether the result is not wanted any more: the lease is lost, the time is up, the worker stops."""
        return self._control.cancelled

    def check_cancelled(self) -> None:
        """Raise `JobCancelled` if the job is cancelled; call it between the parts of long synchronous work.

        Raises:
            JobCancelled: with the reason. Let it pass; the worker knows what to do with it.

        """
        if self._control.cancelled:
            raise JobCancelled(self._control.reason)

    @property
    def logger(self) -> JobLogger:
        """A logger whose records carry `job_id`, `job_type`, `instance_id`, `step_id`, `attempt` and `trace_id`."""
        if self._logger is None:
            self._logger = JobLogger(self)
        return self._logger

    def __copy__(self) -> JobContext:
        return JobContext(self, self._control)

    def __reduce__(self) -> tuple[Any, ...]:
        # For a process pool: the facts travel, the worker's half stays, so the copy there is never cancelled.
        return _unpickled, (dict(self), self._control.deadline)


def context_of(job: Mapping[str, Any], control: Control | None = None) -> JobContext:
    """Return the context of a job for its handler."""
    return JobContext(job, control)


def _unpickled(job: dict[str, Any], deadline: datetime | None) -> JobContext:
    return JobContext(job, Control(deadline))


def _moment(text: object) -> datetime | None:
    """Read an RFC 3339 time; None for anything else, because a wrong clock must not fail a job."""
    if isinstance(text, datetime):
        return text
    match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    day, time, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time}.{(fraction or '')[:6]:0<6}+00:00")
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return moment - offset if sign == "+" else moment + offset
    except (ValueError, OverflowError):
        return None
