"""One job through middleware, handler and the table of errors."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import make_dataclass
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from workflow_sdk.errors import JobCancelled, NonRetryableError, RetryAfter
from workflow_sdk.handler.context import JobContext
from workflow_sdk.handler.invoke import RunSync, invoke, invoke_sync
from workflow_sdk.handler.outcome import Completed, Failed
from workflow_sdk.handler.registry import CallNext, Handler, HandlerRegistry, Middleware, Registration


def registered(handler: Callable[[JobContext], object], middleware: Sequence[Middleware] = ()) -> Registration:
    registry = HandlerRegistry()
    registry.register("greet", handler, middleware=middleware)
    return found(registry)


def found(registry: HandlerRegistry) -> Registration:
    registration = registry.find("greet")
    assert registration is not None
    return registration


@pytest.fixture
def run_sync() -> Iterator[RunSync]:
    """Runs a function on a thread, as a worker does."""
    with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:

        def run(function: Handler, *arguments: object) -> Awaitable[Any]:
            return asyncio.get_running_loop().run_in_executor(pool, function, *arguments)

        yield run


def raising(error: BaseException) -> Handler:
    def handler(_: JobContext) -> None:
        raise error

    return handler


def raising_async(error: BaseException) -> Handler:
    async def handler(_: JobContext) -> None:
        raise error

    return handler


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


ERRORS: list[tuple[BaseException, Failed]] = [
    (ValueError("boom"), Failed("boom", True)),
    (TimeoutError(), Failed("TimeoutError", True)),
    (Unspeakable(), Failed("Unspeakable", True)),
    (NonRetryableError("no"), Failed("no", False)),
    (NonRetryableError("no", code="C", details={"a": 1}), Failed("no", False, "C", {"a": 1})),
    (RetryAfter(1.5, "busy"), Failed("busy", True, retry_after_ms=1500)),
    (RetryAfter(0.0001), Failed("to be tried again after 0.0001 s", True, retry_after_ms=1)),
    (JobCancelled("lease lost"), Failed("lease lost", True, "cancelled")),
    (SystemExit("bye"), Failed("bye", True)),
]


@pytest.mark.parametrize(("error", "outcome"), ERRORS, ids=[repr(each[0])[:40] for each in ERRORS])
@pytest.mark.parametrize("make", [raising, raising_async])
async def test_what_is_raised_decides_the_outcome(
    job: dict[str, Any],
    run_sync: RunSync,
    make: Callable[[BaseException], Handler],
    error: BaseException,
    outcome: Failed,
) -> None:
    """The table of errors holds for synchronous and asynchronous handlers alike."""
    assert await invoke(registered(make(error)), JobContext(job), run_sync) == outcome


@pytest.mark.parametrize(("error", "outcome"), ERRORS, ids=[repr(each[0])[:40] for each in ERRORS])
@pytest.mark.parametrize("make", [raising, raising_async])
def test_what_is_raised_decides_the_outcome_without_a_loop_too(
    job: dict[str, Any], make: Callable[[BaseException], Handler], error: BaseException, outcome: Failed
) -> None:
    """The same table, for whoever runs one job here and now."""
    assert invoke_sync(registered(make(error)), JobContext(job)) == outcome


@pytest.mark.parametrize("error", [StopIteration(), asyncio.CancelledError(), GeneratorExit()])
async def test_what_no_future_can_carry_is_a_failure(
    job: dict[str, Any], run_sync: RunSync, error: BaseException
) -> None:
    """`next()` on an empty iterator, or a cancellation of the handler's own, must not hang or pass for the worker's."""
    outcome = await invoke(registered(raising(error)), JobContext(job), run_sync)
    assert outcome == Failed(f"the handler raised {type(error).__name__}", True)


async def test_a_cancelled_handler_passes_it_on(job: dict[str, Any], run_sync: RunSync) -> None:
    """Cancelling the task is not a failure of the handler: the caller knows why it did it."""

    async def never(_: JobContext) -> None:
        await asyncio.Event().wait()

    task = asyncio.ensure_future(invoke(registered(never), JobContext(job), run_sync))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_synchronous_handler_runs_where_it_may_block(job: dict[str, Any], run_sync: RunSync) -> None:
    """It runs on the thread that the caller offers; an asynchronous one runs on the loop."""
    sync = await invoke(registered(lambda _: {"on": threading.current_thread().name}), JobContext(job), run_sync)

    async def handler(_: JobContext) -> dict[str, Any]:
        return {"on": threading.current_thread().name}

    on_loop = await invoke(registered(handler), JobContext(job), run_sync)
    assert isinstance(sync, Completed)
    assert isinstance(on_loop, Completed)
    assert (sync.variables["on"], on_loop.variables["on"]) == ("pool_0", threading.current_thread().name)


async def _greet(ctx: JobContext) -> dict[str, Any]:
    return {"greeting": ctx.variables["name"]}


class Greeter:
    async def __call__(self, ctx: JobContext) -> dict[str, Any]:
        return await _greet(ctx)


def _plainly(ctx: JobContext) -> Awaitable[dict[str, Any]]:
    return _greet(ctx)


ASYNCHRONOUS: list[Handler] = [
    _greet,
    Greeter(),
    _plainly,
    functools.partial(_greet),
    AsyncMock(side_effect=_greet),
    MagicMock(side_effect=_plainly),
]


@pytest.mark.parametrize("handler", ASYNCHRONOUS, ids=lambda each: type(each).__name__)
async def test_a_coroutine_is_never_dropped(job: dict[str, Any], run_sync: RunSync, handler: Handler) -> None:
    """However a handler comes to return a coroutine, it is awaited: on the loop, and without one."""
    here = await asyncio.to_thread(invoke_sync, registered(handler), JobContext(job))
    assert (await invoke(registered(handler), JobContext(job), run_sync), here) == (Completed({"greeting": "Ada"}),) * 2


ASYNC_KINDS: list[tuple[Handler, bool]] = [
    (_greet, True),
    (Greeter(), True),
    (functools.partial(Greeter()), True),
    (AsyncMock(), True),
    (_plainly, False),
    (MagicMock(), False),
    (len, False),
]


@pytest.mark.parametrize(("handler", "is_async"), ASYNC_KINDS, ids=lambda each: type(each).__name__)
def test_asynchronous_handlers_are_told_at_registration(handler: Handler, is_async: bool) -> None:
    """The worker knows beforehand what runs on the loop and what needs a thread."""
    assert registered(handler).is_async is is_async


async def test_it_works_while_a_loop_runs_in_this_thread(job: dict[str, Any]) -> None:
    """`_dispatch` of an asynchronous handler inside an asynchronous test is no error."""
    assert invoke_sync(registered(_greet), JobContext(job)) == Completed({"greeting": "Ada"})


async def test_context_variables_reach_a_handler_on_a_thread_of_its_own(job: dict[str, Any]) -> None:
    """What the caller set for tracing is seen by the handler."""
    variable = contextvars.ContextVar[str]("variable")
    variable.set("seen")

    async def handler(_: JobContext) -> dict[str, Any]:
        return {"value": variable.get("lost")}

    assert invoke_sync(registered(handler), JobContext(job)) == Completed({"value": "seen"})


def noting(name: str, notes: list[str]) -> Middleware:
    async def middleware(call_next: CallNext, ctx: JobContext) -> Any:
        notes.append(f"{name} in")
        result = await call_next(ctx)
        notes.append(f"{name} out")
        return result

    return middleware


async def test_middleware_surrounds_the_handler_in_order(job: dict[str, Any], run_sync: RunSync) -> None:
    """The registry's comes first and ends last, then the registration's own, then the handler."""
    notes: list[str] = []
    registry = HandlerRegistry()
    registry.register("greet", lambda _: notes.append("handler"), middleware=[noting("own", notes)])
    registry.use(noting("first", notes))
    registry.use(noting("second", notes))
    await invoke(found(registry), JobContext(job), run_sync)
    assert notes == ["first in", "second in", "own in", "handler", "own out", "second out", "first out"]


def test_middleware_sees_and_replaces_the_result(job: dict[str, Any]) -> None:
    """It gets the dict that would be reported, and what it returns is reported instead, a model too."""
    Answer = make_dataclass("Answer", [("name", str)])  # noqa: N806 - it is a class

    async def shout(call_next: CallNext, ctx: JobContext) -> object:
        result = await call_next(ctx)
        return Answer(result["name"].upper())

    assert invoke_sync(registered(lambda _: Answer("Ada"), middleware=[shout]), JobContext(job)) == Completed(
        {"name": "ADA"}
    )


def test_middleware_may_answer_without_the_handler(job: dict[str, Any]) -> None:
    """A cached answer needs no call."""
    handler = MagicMock()

    async def cached(_call_next: CallNext, _ctx: JobContext) -> dict[str, Any]:
        return {"cached": True}

    assert (invoke_sync(registered(handler, middleware=[cached]), JobContext(job)), handler.called) == (
        Completed({"cached": True}),
        False,
    )


def test_middleware_may_pass_another_context(job: dict[str, Any]) -> None:
    """What is handed to call_next is what the handler gets."""

    async def with_tenant(call_next: CallNext, ctx: JobContext) -> Any:
        return await call_next(JobContext({**ctx, "variables": {**ctx.variables, "tenant": "T"}}))

    assert invoke_sync(registered(lambda ctx: ctx.variables, middleware=[with_tenant]), JobContext(job)) == Completed(
        {"name": "Ada", "tenant": "T"}
    )


def test_middleware_sees_what_the_handler_raises(job: dict[str, Any]) -> None:
    """It may turn one error into another; its own errors count like the handler's."""

    async def translate(call_next: CallNext, ctx: JobContext) -> Any:
        try:
            return await call_next(ctx)
        except KeyError:
            raise NonRetryableError("unknown customer", code="unknown-customer") from None

    outcome = invoke_sync(registered(raising(KeyError("x")), middleware=[translate]), JobContext(job))
    assert outcome == Failed("unknown customer", False, "unknown-customer")


@pytest.mark.parametrize("result", [5, "text", [1], object()], ids=lambda each: type(each).__name__)
def test_a_result_that_is_no_dict_is_refused(job: dict[str, Any], result: object) -> None:
    """Such a result can never become variables, so the job fails and says what was returned."""
    outcome = invoke_sync(registered(lambda _: result), JobContext(job))
    assert isinstance(outcome, Failed)
    assert (outcome.retryable, outcome.code, type(result).__name__ in outcome.message) == (
        False,
        "invalid-result",
        True,
    )


def test_the_traceback_is_logged_without_variables(job: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error can be found in the log; the job's variables cannot."""
    invoke_sync(registered(raising(RuntimeError("boom"))), JobContext({**job, "variables": {"card": "4111"}}))
    assert ([record.levelno for record in caplog.records], "boom" in caplog.text, "4111" in caplog.text) == (
        [logging.ERROR],
        True,
        False,
    )


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_wait_that_makes_no_sense_is_refused(seconds: float) -> None:
    """A slip in RetryAfter shows where it is made."""
    with pytest.raises(ValueError, match="RetryAfter"):
        RetryAfter(seconds)
