"""What every test of the tree shares: `lacking`, and the plugins with servers to test against."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ["engine.tests.plugins.postgres"]


def lacking(requirement: str, reason: str) -> NoReturn:
    """Skip the test for want of `requirement`, or fail it if the environment variable REQUIRE names it.

    REQUIRE is a list of words separated by spaces or commas, `postgres` for example: on a machine that promises
    to have something, its absence is a defect and not a reason to look away.
    """
    if requirement in os.environ.get("REQUIRE", "").replace(",", " ").split():
        pytest.fail(f"REQUIRE names {requirement}, but {reason}", pytrace=False)
    pytest.skip(f"{reason} (needs {requirement})")


@pytest.fixture(scope="session", name="lacking")
def lacking_fixture() -> Callable[[str, str], NoReturn]:
    """Give tests and plugins `lacking(requirement, reason)`: skip, or fail where REQUIRE promises it."""
    return lacking
