"""`workflow-worker list`: which handler serves which job type."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

from workflow_sdk.cli.failures import FINE
from workflow_sdk.cli.load import load_registry
from workflow_sdk.cli.options import Settings
from workflow_sdk.handler.registry import HandlerRegistry, Registration

HEAD = ("TYPE", "HANDLER", "ASYNC", "LIMITS")


def perform(settings: Settings) -> int:
    """Print the table; return the exit code."""
    sys.stdout.write(table(load_registry(settings.registry)))
    return FINE


def table(registry: HandlerRegistry) -> str:
    """Return a line for each job type below a head; columns are aligned."""
    rows = [HEAD, *_rows(registry)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _rows(registry: HandlerRegistry) -> Iterator[tuple[str, ...]]:
    for job_type in registry.job_types():
        found = registry.find(job_type)
        assert found is not None, "it was listed"
        yield job_type, name_of(found.handler), "yes" if found.is_async else "no", limits_of(found)


def name_of(handler: object) -> str:
    """Return where a handler is written, `module:name`; of an object, its class."""
    function = inspect.unwrap(handler) if callable(handler) else handler
    function = getattr(function, "func", function)  # of a partial
    return _place_of(function if hasattr(function, "__qualname__") else type(function))


def _place_of(named: Any) -> str:
    return f"{named.__module__}:{named.__qualname__}"


def limits_of(registration: Registration) -> str:
    """Return the limits of a handler as it was registered with them; `-` for none."""
    limits = {
        "max_concurrency": registration.max_concurrency,
        "rate_limit": registration.rate_limit,
        "timeout": registration.timeout,
    }
    return " ".join(f"{name}={value:g}" for name, value in limits.items() if value is not None) or "-"
