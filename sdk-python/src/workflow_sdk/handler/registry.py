"""Which function serves which job type, under which limits and middleware."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, overload

from workflow_sdk.handler.annotations import is_async
from workflow_sdk.handler.context import JobContext
from workflow_sdk.handler.typed import ONLY_CONTEXT, Arguments, arguments_of

Handler = Callable[..., Any]
"""Takes the job as a dict, or its variables as a model; returns variables to set, or None. May be `async def`."""

CallNext = Callable[[JobContext], Awaitable[Any]]
Middleware = Callable[[CallNext, JobContext], Awaitable[Any]]
"""`async def middleware(call_next, ctx)`: awaits `call_next(ctx)` and returns its result, or does something else."""

H = TypeVar("H", bound=Handler)
M = TypeVar("M", bound=Middleware)
R = TypeVar("R")


@dataclass(frozen=True)
class Registration:
    """One handler and what was said about it.

    Args:
        job_type: what it serves.
        handler: the very function that was registered.
        is_async: whether it is awaited on the loop; a handler that is not runs on a thread.
        max_concurrency: how many of its jobs may run at a time in one worker; None for no limit of its own.
        rate_limit: how many of its jobs may start per second in one worker; None for no limit.
        timeout: seconds after which the handler is cancelled; None for none.
        middleware: what stands around it, the outermost first.
        arguments: what it is called with.

    """

    job_type: str
    handler: Handler
    is_async: bool = False
    max_concurrency: int | None = None
    rate_limit: float | None = None
    timeout: float | None = None
    middleware: tuple[Middleware, ...] = ()
    arguments: Arguments = ONLY_CONTEXT

    def call(self, ctx: JobContext) -> Any:
        """Call the handler with what it asks for; a coroutine comes back as it is."""
        return self.arguments.call(self.handler, ctx)


class HandlerRegistry:
    """Handlers by job type. Registering a type again replaces its handler.

    >>> registry = HandlerRegistry()
    >>> @registry.register("greet", timeout=30, max_concurrency=4)
    ... def greet(ctx):
    ...     return {"greeting": f"Hello, {ctx.variables['name']}!"}
    >>> registry.job_types()
    ['greet']
    """

    def __init__(self) -> None:
        self._registrations: dict[str, Registration] = {}
        self._middleware: tuple[Middleware, ...] = ()
        self._found: dict[str, Registration] = {}

    @overload  # first, because only from this one do type checkers know what a lambda is called with
    def register(
        self,
        job_type: str,
        handler: Callable[[JobContext], R],
        *,
        max_concurrency: int | None = None,
        rate_limit: float | None = None,
        timeout: float | None = None,
        middleware: Sequence[Middleware] = (),
    ) -> Callable[..., R]: ...

    @overload
    def register(
        self,
        job_type: str,
        handler: H,
        *,
        max_concurrency: int | None = None,
        rate_limit: float | None = None,
        timeout: float | None = None,
        middleware: Sequence[Middleware] = (),
    ) -> H: ...

    @overload
    def register(
        self,
        job_type: str,
        *,
        max_concurrency: int | None = None,
        rate_limit: float | None = None,
        timeout: float | None = None,
        middleware: Sequence[Middleware] = (),
    ) -> Callable[[H], H]: ...

    def register(
        self,
        job_type: str,
        handler: H | None = None,
        *,
        max_concurrency: int | None = None,
        rate_limit: float | None = None,
        timeout: float | None = None,
        middleware: Sequence[Middleware] = (),
    ) -> H | Callable[[H], H]:
        """Register `handler` for `job_type`; without a handler, return the decorator that does.

        The function comes back as it is, so a decorated handler is still an ordinary function to call in a test.

        Args:
            job_type: what the definition's step has as jobType.
            handler: the function.
            max_concurrency: how many of its jobs may run at a time in this worker, 1 or more.
            rate_limit: how many of its jobs may start per second in this worker; 0.5 is one every two seconds.
            timeout: seconds; its lease is extended until then, and then the handler is cancelled.
            middleware: for this handler only, inside the registry's own; the first is the outermost.

        Raises:
            ValueError: the job type is empty, or a limit makes no sense.
            TypeError: the handler cannot be called, or a parameter asks for something a job does not have.

        """
        if not job_type:
            raise ValueError("job_type must not be empty: it is the text that the definition's step has as jobType")
        if callable(job_type):
            raise TypeError("@registry.register needs the job type: write @registry.register('job-type')")
        _check_limits(max_concurrency, rate_limit, timeout)

        def add(function: H) -> H:
            if not callable(function):
                raise TypeError(f"the handler for {job_type!r} is a {type(function).__name__}, not a function")
            self._registrations[job_type] = Registration(
                job_type,
                function,
                is_async=is_async(function),
                max_concurrency=max_concurrency,
                rate_limit=rate_limit,
                timeout=timeout,
                middleware=tuple(middleware),
                arguments=arguments_of(job_type, function),
            )
            self._found.clear()
            return function

        return add if handler is None else add(handler)

    def get(self, job_type: str) -> Handler | None:
        """Return the very function that was registered, None when there is none."""
        registration = self._registrations.get(job_type)
        return None if registration is None else registration.handler

    def job_types(self) -> list[str]:
        """Return the registered types, in the order of their first registration."""
        return list(self._registrations)

    def find(self, job_type: str) -> Registration | None:
        """Return everything known about a job type's handler, the registry's middleware included; None if unknown."""
        found = self._found.get(job_type)
        if found is None and job_type in self._registrations:
            registration = self._registrations[job_type]
            found = replace(registration, middleware=self._middleware + registration.middleware)
            self._found[job_type] = found
        return found

    def use(self, middleware: M) -> M:
        """Put middleware around every handler of this registry, also those registered before; a decorator too.

        The first one used is the outermost. Each is `async def middleware(call_next, ctx)`:

        >>> registry = HandlerRegistry()
        >>> @registry.use
        ... async def log_result(call_next, ctx):
        ...     result = await call_next(ctx)
        ...     ctx.logger.info("done")
        ...     return result

        What `call_next` returns is the dict to be reported, or None; what the middleware returns is reported instead.
        It may raise, and it may answer without calling on.
        """
        if not callable(middleware):
            raise TypeError(f"middleware is `async def (call_next, ctx)`, not a {type(middleware).__name__}")
        self._middleware += (middleware,)
        self._found.clear()
        return middleware

    def include(self, other: HandlerRegistry) -> None:
        """Take over the handlers that `other` has now, with its middleware inside of this registry's.

        Raises:
            ValueError: both serve one job type.

        """
        both = [job_type for job_type in other.job_types() if job_type in self._registrations]
        if both:
            raise ValueError(f"both registries serve {', '.join(map(repr, both))}; keep one handler for each job type")
        for job_type in other.job_types():
            registration = other.find(job_type)
            assert registration is not None, "it was listed"
            self._registrations[job_type] = registration
        self._found.clear()


def _check_limits(max_concurrency: int | None, rate_limit: float | None, timeout: float | None) -> None:
    if max_concurrency is not None and (max_concurrency < 1 or int(max_concurrency) != max_concurrency):
        raise ValueError(
            f"max_concurrency is a whole number from 1, not {max_concurrency!r}; leave it out for no limit"
        )
    for name, value, unit in (("rate_limit", rate_limit, "jobs per second"), ("timeout", timeout, "seconds")):
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} is a number of {unit} above 0, not {value!r}; leave it out for no limit")
