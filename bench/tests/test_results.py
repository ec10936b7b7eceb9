"""What is told of the machine beside the figures."""

from __future__ import annotations

import platform

import pytest

from bench.results import interpreter


@pytest.mark.parametrize(
    ("built_with", "slow"),
    [
        ("'--enable-optimizations' '--with-lto'", False),
        ("'--enable-shared'", True),
        ("", False),
    ],
)
def test_a_python_that_was_not_built_for_speed_is_named(built_with, slow):
    """Whoever compares two figures must see that one had the slower Python; one that does not know says nothing."""
    told = interpreter(built_with)
    assert told.startswith(platform.python_version())
    assert ("--enable-optimizations" in told) == slow
