"""Errors carry what callers and operators need besides the sentence."""

from __future__ import annotations

from rochallor.core.errors import Detail, RoutingFailure, Unavailable


def test_error_keeps_its_parts():
    """The sentence is the text; details and the wait are beside it."""
    detail = Detail("CODE", "/x", "Change it.")
    error = Unavailable("not now", details=(detail,), retry_after_ms=1_500)
    assert (str(error), error.message, error.details, error.retry_after_ms) == ("not now", "not now", (detail,), 1_500)


def test_routing_failure_begins_with_its_word():
    """The stable word comes first, and can be read by itself."""
    failure = RoutingFailure("ExpressionError", "no such name")
    assert (str(failure), failure.word) == ("ExpressionError: no such name", "ExpressionError")
