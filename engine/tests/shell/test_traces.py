"""A traceparent as it comes from outside: read by the standard's rules, never an obstacle."""

from __future__ import annotations

import pytest
from rochallor.shell.traces import current, current_trace_id, enter, read_traceparent

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
GOOD = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("header", "read"),
    [
        (GOOD, GOOD),
        (f" {GOOD} ", GOOD),
        (GOOD[:-2] + "00", GOOD[:-2] + "00"),
        (GOOD[:-2] + "03", GOOD),
        ("cc" + GOOD[2:] + "-what-the-future-brings", GOOD),
        ("cc" + GOOD[2:], GOOD),
    ],
    ids=["as it is", "padded", "not sampled", "unknown flags", "a later version", "a later version, bare"],
)
def test_a_traceparent_is_read(header, read):
    """What can be read becomes version 00, with the flag that we know."""
    assert read_traceparent(header) == read


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        GOOD.upper(),
        GOOD + "-more",
        "ff" + GOOD[2:],
        GOOD.replace(TRACE_ID, "0" * 32),
        GOOD.replace("00f067aa0ba902b7", "0" * 16),
        GOOD[:-1],
        "cc" + GOOD[2:] + "-" + "x" * 500,
    ],
)
def test_what_is_no_traceparent_is_no_trace(header):
    """Broken, forbidden and oversized headers are as good as none."""
    assert read_traceparent(header) is None


def test_a_request_has_the_trace_that_was_entered():
    """A request without a trace does not inherit the one before."""
    enter(GOOD)
    assert (current(), current_trace_id()) == (GOOD, TRACE_ID)
    enter("")
    assert (current(), current_trace_id()) == (None, None)
