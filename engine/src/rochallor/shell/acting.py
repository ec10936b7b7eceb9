"""The engine as one caller sees it: what they ask for is done in their name, within what their token allows.

A transport that knows its caller talks to this in place of the engine, and needs no argument more. Which operations
take an `actor` (for the audit) or a `caller` (whose job types are limited) is read from their signatures, so that a new
one cannot be forgotten here.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any, cast

from rochallor.access import Caller
from rochallor.shell.engine import Engine


def acting_for(engine: Engine, caller: Caller) -> Engine:
    """Return `engine` as `caller` may use it."""
    return cast("Engine", _Acting(engine, caller))  # it has every operation, with one argument filled in


class _Acting:
    """Passes everything on, with the caller's name or the caller."""

    __slots__ = ("_caller", "_engine")

    def __init__(self, engine: Engine, caller: Caller) -> None:
        self._engine = engine
        self._caller = caller

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        if name in TAKES_ACTOR:
            return partial(found, actor=self._caller.name)
        return partial(found, caller=self._caller) if name in TAKES_CALLER else found


def _taking(parameter: str) -> frozenset[str]:
    methods = inspect.getmembers(Engine, inspect.iscoroutinefunction)
    return frozenset(
        name for name, method in methods if name[0] != "_" and parameter in inspect.signature(method).parameters
    )


TAKES_ACTOR = _taking("actor")
TAKES_CALLER = _taking("caller")
