"""Runs one handler on one job and says how it went. Nothing in here knows an engine."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workflow_sdk.errors import NonRetryableError
from workflow_sdk.handler.context import context_of

if TYPE_CHECKING:
    from workflow_sdk.handler.registry import Handler

_log = logging.getLogger("workflow_sdk")


@dataclass(frozen=True)
class Completed:
    """The handler returned; `variables` as it returned them."""

    variables: Any


@dataclass(frozen=True)
class Failed:
    """The handler raised, or there is none. `code` is a word for programs, empty when there is none."""

    message: str
    retryable: bool
    code: str = ""


Outcome = Completed | Failed


def execute(handler: Handler | None, job: Mapping[str, Any]) -> Outcome:
    """Run the handler on a job. Whatever it raises becomes a `Failed`, so this never raises on its account."""
    if handler is None:
        return Failed(f"no handler registered for '{job.get('jobType', '')}'", retryable=False)
    try:
        result = handler(context_of(job))
        if isinstance(result, Awaitable):
            result = _run_to_its_end(result)
    except NonRetryableError as error:
        return Failed(_sentence(error), retryable=False, code=error.code)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a handler may raise anything; it is reported and logged
        # SystemExit too: it would only end this thread, and the job would hang until its lease ends.
        _log.exception("handler for %r failed on job %s", job.get("jobType"), job.get("id"))
        return Failed(_sentence(error), retryable=True)
    if result is not None and not isinstance(result, Mapping):
        kind = type(result).__name__
        return Failed(
            f"the handler for '{job.get('jobType', '')}' returned a {kind}; return a dict of variables or None",
            retryable=False,
        )
    return Completed(result)


def _run_to_its_end(awaitable: Awaitable[Any]) -> Any:
    import asyncio  # noqa: PLC0415 - a third of the package's import time, and only `async def` handlers need it

    async def finish() -> Any:
        return await awaitable

    return asyncio.run(finish())


def _sentence(error: BaseException) -> str:
    return str(error) or type(error).__name__
