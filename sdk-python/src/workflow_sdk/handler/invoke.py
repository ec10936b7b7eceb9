"""Runs one handler on one job and says how it went: middleware, decoding, the call, encoding, and the errors table.

Whatever a handler raises becomes a `Failed`; only cancellation passes through. Nothing in here knows an engine, a
clock or a thread: how synchronous code is run is an argument.
"""

from __future__ import annotations

import contextvars
import inspect
import logging
import math
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from workflow_sdk.errors import JobCancelled, NonRetryableError, RetryAfter
from workflow_sdk.handler.context import JobContext
from workflow_sdk.handler.models import INVALID_INPUT, is_mapping, to_plain
from workflow_sdk.handler.outcome import Completed, Failed, Outcome
from workflow_sdk.handler.registry import CallNext, Registration

RunSync = Callable[..., Awaitable[Any]]
"""`await run_sync(function, *arguments)` runs a function where it may block, and gives its result."""

INVALID_RESULT = "invalid-result"
CANCELLED = "cancelled"

_RAISED = (Exception, SystemExit)
"""What a handler may raise, all of which is reported. SystemExit too: on a thread it would only end that thread, and
the job would hang until its lease ends."""

_log = logging.getLogger("workflow_sdk")


async def invoke(registration: Registration, ctx: JobContext, run_sync: RunSync) -> Outcome:
    """Run the handler with its middleware; return how it ended.

    Args:
        registration: the handler, from `HandlerRegistry.find`.
        ctx: the job.
        run_sync: runs a synchronous handler, on a thread for instance.

    Raises:
        asyncio.CancelledError: the task was cancelled; what that means for the job is the caller's to say.

    """

    async def handle(ctx: JobContext) -> Any:
        if registration.is_async:
            result = registration.call(ctx)
        else:
            result = await run_sync(_call, registration, ctx)
        return _encoded(registration, await result if inspect.isawaitable(result) else result)

    call: CallNext = handle
    for middleware in reversed(registration.middleware):
        call = partial(middleware, call)
    try:
        result = await call(ctx)
        return Completed(_encoded(registration, result) if registration.middleware else result)
    except _RAISED as error:
        return outcome_of(error, ctx)


def invoke_sync(registration: Registration, ctx: JobContext) -> Outcome:
    """Run the handler here and now; no event loop is needed, and one that runs in this thread does not mind.

    Asynchronous handlers and middleware get a loop of their own for this one call, on a thread of its own when this
    thread has one already.
    """
    if not is_plain(registration):
        outcome: Outcome = _run(invoke(registration, ctx, _run_here))
        return outcome
    ended = call_plain(registration, ctx)
    return ended if isinstance(ended, (Completed, Failed)) else _run(ended)


def is_plain(registration: Registration) -> bool:
    """Return whether a handler is a function and nothing around it: one call of it, on any thread, is all its work."""
    return not (registration.is_async or registration.middleware)


def call_plain(registration: Registration, ctx: JobContext) -> Outcome | Coroutine[Any, Any, Outcome]:
    """Call a plain handler here; return how it ended.

    One that was not known to be asynchronous may return something to await. Then what comes back is the rest of its
    work, to be awaited where that is possible.
    """
    try:
        result = _call(registration, ctx)
        if inspect.isawaitable(result):
            return _rest(registration, ctx, result)
        return Completed(_encoded(registration, result))
    except _RAISED as error:
        return outcome_of(error, ctx)


async def _rest(registration: Registration, ctx: JobContext, awaitable: Awaitable[Any]) -> Outcome:
    try:
        return Completed(_encoded(registration, await awaitable))
    except _RAISED as error:
        return outcome_of(error, ctx)


def outcome_of(error: BaseException, ctx: JobContext) -> Failed:
    """Return what an exception means for the job, and log it where its traceback tells something.

    | raised | becomes |
    |---|---|
    | `NonRetryableError` | not retryable, with its code and details |
    | `RetryAfter` | retryable, after so long |
    | `JobCancelled` | retryable, code `cancelled`; the worker drops it when the lease is lost |
    | anything else | retryable |
    """
    message = sentence(error)
    if isinstance(error, NonRetryableError):
        if error.code in {INVALID_INPUT, INVALID_RESULT}:  # what whoever wrote the handler did not know
            _log.error("job %s of type %r: %s", ctx.id, ctx.job_type, message)
        return Failed(message, False, error.code, () if error.details is None else error.details)
    if isinstance(error, RetryAfter):
        return Failed(message, True, retry_after_ms=math.ceil(error.seconds * 1000))
    if isinstance(error, JobCancelled):
        return Failed(message, True, CANCELLED)
    _log.error("handler for %r failed on job %s", ctx.job_type, ctx.id, exc_info=error)
    return Failed(message, True)


def sentence(error: BaseException) -> str:
    """Return what an exception says, its type's name when it says nothing."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - an exception of somebody's own that cannot even be printed
        return type(error).__name__


def _encoded(registration: Registration, result: Any) -> Any:
    """Return the result as a dict of variables or None.

    Raises:
        NonRetryableError: it is neither, nor a model.

    """
    if result is None:
        return None
    try:
        variables = to_plain(result)
    except (TypeError, ValueError, RecursionError):
        variables = result  # something in it is no JSON; whoever sends it says where
    if is_mapping(variables):
        return variables
    kind = type(result).__name__
    message = f"the handler for '{registration.job_type}' returned a {kind}; return a dict of variables or None"
    raise NonRetryableError(message, code=INVALID_RESULT)


def _call(registration: Registration, ctx: JobContext) -> Any:
    """Call a synchronous handler on whatever thread this is."""
    try:
        return registration.call(ctx)
    except BaseException as error:
        if isinstance(error, (Exception, SystemExit, KeyboardInterrupt)) and not isinstance(error, StopIteration):
            raise
        # A future cannot carry a StopIteration, and a CancelledError of the handler's own would pass for the worker's.
        raise RuntimeError(f"the handler raised {type(error).__name__}") from error


async def _run_here(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    import asyncio  # noqa: PLC0415 - a third of the package's import time, and only `async def` needs it

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    ended: list[Any] = []

    def run() -> None:
        try:
            ended.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
            ended.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="workflow-invoke")
    thread.start()
    thread.join()
    if isinstance(ended[0], BaseException):
        raise ended[0]
    return ended[0]
