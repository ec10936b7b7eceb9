"""An engine for tests of the testing kit; skipped where the engine's own Python is not there (3.10)."""

from __future__ import annotations

import pytest
from workflow_sdk import HandlerRegistry


@pytest.fixture
def kit():
    """A running `workflow_sdk.testing.Engine`."""
    pytest.importorskip("rochallor_stub", reason="the engine's test double needs Python 3.11")
    from workflow_sdk.testing import Engine  # noqa: PLC0415 - after the check above

    with Engine() as engine:
        yield engine


@pytest.fixture
def registry():
    return HandlerRegistry()
