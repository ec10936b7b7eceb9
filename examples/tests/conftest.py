"""What the tests of the examples share: engines in processes, and the loan's worker."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from engine.tests.plugins.processes import Process, rochallor  # noqa: F401 - a fixture  # pyright: ignore[reportUnusedImport]

LOAN = Path(__file__).parents[1] / "loan"

Rochallor = Callable[..., Process]
"""Starts a command: its arguments, and its variables by name."""


@pytest.fixture(scope="session")
def loan() -> Path:
    """Return the folder of the loan application."""
    return LOAN


@pytest.fixture(scope="session")
def loan_worker() -> ModuleType:
    """Return the worker's module, not running."""
    spec = importlib.util.spec_from_file_location("loan_worker", LOAN / "worker.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
