"""The Rochallor engine as a test double: the same machine and transports, virtual time, scripted faults, a journal.

Names are imported when they are first used, so that the pytest plugin costs nothing where no test asks for an engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rochallor_stub.errors import StubError
    from rochallor_stub.faults import Fault, Faults
    from rochallor_stub.journal import Exchange, Journal
    from rochallor_stub.stub import AsyncEngineStub
    from rochallor_stub.threaded import EngineStub
    from rochallor_stub.world import Mutation, Parts

__all__ = [
    "AsyncEngineStub",
    "EngineStub",
    "Exchange",
    "Fault",
    "Faults",
    "Journal",
    "Mutation",
    "Parts",
    "StubError",
]

_MODULES = {
    "AsyncEngineStub": "stub",
    "EngineStub": "threaded",
    "Exchange": "journal",
    "Fault": "faults",
    "Faults": "faults",
    "Journal": "journal",
    "Mutation": "world",
    "Parts": "world",
    "StubError": "errors",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
