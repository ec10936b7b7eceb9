"""Which function serves which job type."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING, Any

import pytest
from workflow_sdk import JobContext
from workflow_sdk.handler import context, registry
from workflow_sdk.handler.registry import CallNext, HandlerRegistry, Registration

if TYPE_CHECKING:
    from types import ModuleType


def greet(ctx: JobContext) -> dict[str, Any]:
    return ctx


def found_in(registry: HandlerRegistry) -> Registration:
    found = registry.find("greet")
    assert found is not None
    return found


def test_get_returns_the_very_function() -> None:
    """What was registered comes back, not a wrapper."""
    registry = HandlerRegistry()
    registry.register("greet", greet)
    assert registry.get("greet") is greet


def test_the_decorator_leaves_the_function_as_it_is() -> None:
    """A decorated handler is still the plain function, to be called in a test."""
    registry = HandlerRegistry()
    assert registry.register("greet")(greet) is greet
    assert registry.get("greet") is greet


def test_an_unknown_type_has_no_handler() -> None:
    """Asking for a type nobody registered gives None."""
    assert HandlerRegistry().get("greet") is None


def test_registering_again_replaces() -> None:
    """The later handler wins and the type is listed once."""
    registry = HandlerRegistry()
    registry.register("greet", lambda _: None)
    registry.register("greet", greet)
    assert (registry.get("greet"), registry.job_types()) == (greet, ["greet"])


def test_an_empty_job_type_is_refused() -> None:
    """A slip in the job type is noticed where it is made."""
    with pytest.raises(ValueError, match="jobType"):
        HandlerRegistry().register("", greet)


def test_a_decorator_without_its_job_type_is_refused() -> None:
    """`@registry.register` above a function would otherwise register nothing, and nobody would know."""
    decorator: Any = HandlerRegistry().register
    with pytest.raises(TypeError, match=r"write @registry\.register\('job-type'\)"):
        decorator(greet)


def test_something_that_cannot_be_called_is_refused() -> None:
    """A handler that is no function is noticed where it is registered."""
    with pytest.raises(TypeError, match="int"):
        HandlerRegistry().register("greet", 5)  # type: ignore[call-overload]  # that is the slip


def test_what_was_said_about_a_handler_is_found() -> None:
    """Limits and timeout are with the registration, and the function is as it was."""
    registry = HandlerRegistry()
    decorated = registry.register("greet", max_concurrency=4, rate_limit=0.5, timeout=30)(greet)
    found = found_in(registry)
    assert (found.handler, found.job_type) == (decorated, "greet") == (greet, "greet")
    assert (found.max_concurrency, found.rate_limit, found.timeout) == (4, 0.5, 30)


def test_a_handler_has_no_limits_of_its_own() -> None:
    """Whoever says nothing is limited by the worker only."""
    registry = HandlerRegistry()
    registry.register("greet", greet)
    found = found_in(registry)
    assert (found.max_concurrency, found.rate_limit, found.timeout, found.middleware) == (None, None, None, ())


def test_an_unknown_type_is_not_found() -> None:
    """Finding a type nobody registered gives None."""
    assert HandlerRegistry().find("greet") is None


NONSENSE: list[dict[str, Any]] = [
    {"max_concurrency": 0},
    {"max_concurrency": 1.5},
    {"rate_limit": 0},
    {"rate_limit": float("nan")},
    {"timeout": -1},
    {"timeout": float("inf")},
]


@pytest.mark.parametrize("limits", NONSENSE, ids=str)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, Any]) -> None:
    """A slip is named where it is made, not when a job comes."""
    with pytest.raises(ValueError, match=next(iter(limits))):
        HandlerRegistry().register("greet", greet, **limits)


async def first(call_next: CallNext, ctx: JobContext) -> Any:
    return await call_next(ctx)


async def second(call_next: CallNext, ctx: JobContext) -> Any:
    return await call_next(ctx)


async def own(call_next: CallNext, ctx: JobContext) -> Any:
    return await call_next(ctx)


def test_middleware_stands_around_handlers_registered_before_and_after() -> None:
    """The order of `use` and `register` does not matter, even after a job was served."""
    registry = HandlerRegistry()
    registry.register("greet", greet, middleware=[own])
    assert found_in(registry).middleware == (own,)
    assert registry.use(first) is first
    registry.use(second)
    assert found_in(registry).middleware == (first, second, own)


def test_middleware_that_cannot_be_called_is_refused() -> None:
    """A slip is noticed where it is made."""
    with pytest.raises(TypeError, match="call_next"):
        HandlerRegistry().use("log")  # type: ignore[type-var]  # that is the slip


def test_an_included_registry_brings_its_handlers_with_their_middleware() -> None:
    """Parts of an application register apart and are served together; the outer middleware comes first."""
    part, whole = HandlerRegistry(), HandlerRegistry()
    part.use(second)
    part.register("greet", greet, middleware=[own], timeout=5)
    whole.use(first)
    whole.include(part)
    found = found_in(whole)
    assert (found.handler, found.timeout, found.middleware) == (greet, 5, (first, second, own))
    assert (whole.get("greet"), whole.job_types(), found_in(part).middleware) == (greet, ["greet"], (second, own))


def test_registries_that_serve_the_same_type_are_not_mixed() -> None:
    """Which of two handlers would win is not left to chance, and nothing is taken over by halves."""
    part, whole = HandlerRegistry(), HandlerRegistry()
    part.register("other", greet)
    for each in (part, whole):
        each.register("greet", greet)
    with pytest.raises(ValueError, match="both registries serve 'greet'"):
        whole.include(part)
    assert whole.job_types() == ["greet"]


@pytest.mark.parametrize("module", [registry, context], ids=lambda each: each.__name__)
def test_the_examples_of_the_reference_run(module: ModuleType) -> None:
    """What the docstrings show is what happens."""
    done = doctest.testmod(module)
    assert (done.failed, done.attempted > 0) == (0, True)
