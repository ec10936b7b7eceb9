"""An engine for tests of the testing kit; skipped where the engine's own Python is not there (3.10)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from workflow_sdk import HandlerRegistry

if TYPE_CHECKING:
    from workflow_sdk.testing import Engine


@pytest.fixture
def kit() -> Iterator[Engine]:
    """A running `workflow_sdk.testing.Engine`."""
    pytest.importorskip("rochallor_stub", reason="the engine's test double needs Python 3.11")
    from workflow_sdk import testing  # noqa: PLC0415 - after the check above

    with testing.Engine() as engine:
        yield engine


@pytest.fixture
def registry() -> HandlerRegistry:
    return HandlerRegistry()
