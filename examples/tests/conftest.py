"""What the tests of the examples share: engines in processes, and the loan's worker."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from engine.tests.plugins.processes import rochallor  # noqa: F401 - a fixture

LOAN = Path(__file__).parents[1] / "loan"


@pytest.fixture(scope="session")
def loan() -> Path:
    """Return the folder of the loan application."""
    return LOAN


@pytest.fixture(scope="session")
def loan_worker() -> ModuleType:
    """Return the worker's module, not running."""
    spec = importlib.util.spec_from_file_location("loan_worker", LOAN / "worker.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
