"""Which function serves which job type."""

from __future__ import annotations

import pytest
from workflow_sdk.handler.registry import HandlerRegistry


def greet(ctx):
    return ctx


def test_get_returns_the_very_function():
    """What was registered comes back, not a wrapper."""
    registry = HandlerRegistry()
    registry.register("greet", greet)
    assert registry.get("greet") is greet


def test_the_decorator_leaves_the_function_as_it_is():
    """A decorated handler is still the plain function, to be called in a test."""
    registry = HandlerRegistry()
    assert registry.register("greet")(greet) is greet
    assert registry.get("greet") is greet


def test_an_unknown_type_has_no_handler():
    """Asking for a type nobody registered gives None."""
    assert HandlerRegistry().get("greet") is None


def test_registering_again_replaces():
    """The later handler wins and the type is listed once."""
    registry = HandlerRegistry()
    registry.register("greet", lambda _: None)
    registry.register("greet", greet)
    assert (registry.get("greet"), registry.job_types()) == (greet, ["greet"])


def test_an_empty_job_type_is_refused():
    """A slip in the job type is noticed where it is made."""
    with pytest.raises(ValueError, match="jobType"):
        HandlerRegistry().register("", greet)


def test_something_that_cannot_be_called_is_refused():
    """A handler that is no function is noticed where it is registered."""
    with pytest.raises(TypeError, match="int"):
        HandlerRegistry().register("greet", 5)
