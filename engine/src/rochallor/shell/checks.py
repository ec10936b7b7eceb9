"""Checks and defaults of plain arguments, the same for every transport."""

from __future__ import annotations

from typing import NamedTuple

from rochallor.access import Caller
from rochallor.core.errors import BadRequest, Forbidden, NotFound
from rochallor.core.model import InstanceStatus
from rochallor.shell.settings import Settings

_LONGEST_KEY = 1_024
"""Bytes, because indexes count them: PostgreSQL's take 2,704 with the definition's id."""

_TASK_STATUSES = ("OPEN", "COMPLETED", "CANCELLED")


class Slice(NamedTuple):
    """A page as the store takes it."""

    page: int
    size: int

    @property
    def offset(self) -> int:
        """How many rows come before it."""
        return self.page * self.size


def page_of(page: int, page_size: int, settings: Settings) -> Slice:
    """Return the page asked for; 0 is the default size, more than the largest is cut to it."""
    if page < 0 or page_size < 0:
        raise BadRequest("page and pageSize must be 0 or more; pages count from 0")
    return Slice(page, min(page_size or settings.default_page_size, settings.max_page_size))


def check_text(text: str, name: str) -> str:
    """Return a text that can be stored and compared; raises for NUL, which no store keeps."""
    if "\x00" in text:
        raise BadRequest(f"{name} holds a NUL character; leave it out")
    return text


def business_key(key: str | None) -> str | None:
    """Return a business key, None when there is none; raises for what cannot be one."""
    if not key:
        return None
    size = len(key.encode("utf-8", "surrogatepass"))
    if size > _LONGEST_KEY:
        raise BadRequest(f"businessKey takes {size} bytes as UTF-8, the most is {_LONGEST_KEY}; shorten it")
    return check_text(key, "businessKey")


def instance_status(status: str) -> str:
    """Return a status to filter by, or an empty text for all."""
    return _one_of(status, tuple(InstanceStatus.__members__), "status")


def task_status(status: str) -> str:
    """Return a user task's status to filter by, or an empty text for all."""
    return _one_of(status, _TASK_STATUSES, "status")


def worker(worker_id: str) -> str:
    """Return a worker id; raises when it is empty."""
    if not worker_id:
        raise BadRequest("workerId is empty; give each worker process a name of its own")
    return check_text(worker_id, "workerId")


def job_types(names: list[str] | None) -> tuple[str, ...]:
    """Return the distinct job types of a poll; raises when there is none, or an empty one."""
    if not names or not all(names):
        raise BadRequest("jobTypes must name at least one job type, and none of them empty")
    return tuple(dict.fromkeys(check_text(name, "jobTypes") for name in names))


def allowed_types(names: tuple[str, ...], caller: Caller) -> tuple[str, ...]:
    """Return job types that the caller may work on; raises `Forbidden` for another."""
    if caller.job_types is not None:
        for name in names:
            if name not in caller.job_types:
                raise not_for(caller, name)
    return names


def not_for(caller: Caller, job_type: str) -> Forbidden:
    """Return the refusal of a job type that is not among the caller's."""
    return Forbidden(
        f"the token of '{caller.name}' is not for the job type '{job_type[:64]}'; its job types are others"
    )


def lease_ms(seconds: int | None, settings: Settings) -> int:
    """Return how long a lease lasts: the default for 0 or None, clamped to what is allowed."""
    if not seconds:
        return settings.default_lease_s * 1000
    return max(1, min(seconds, settings.max_lease_s)) * 1000


def no_such_job(job_id: str) -> NotFound:
    """Return the error about a job id that never existed."""
    return NotFound(f"no job has the id '{job_id}'")


def _one_of(text: str, allowed: tuple[str, ...], name: str) -> str:
    if text and text not in allowed:
        raise BadRequest(f"{name} '{text[:64]}' is none of {', '.join(allowed)}")
    return text
