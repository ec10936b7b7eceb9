"""Testing workflows and handlers: run a definition on the real engine's machine in virtual time, or call one handler.

    async with Engine() as engine:
        result = await engine.run(definition, {"amount": 100}, registry=registry)
    assert result.end == "approved"

`Engine` needs the engine's test double: pip install 'workflow-sdk[testing]' (Python 3.11 or newer). `call` needs
nothing.
"""

from __future__ import annotations

from workflow_sdk.testing.engine import Engine, TestingError
from workflow_sdk.testing.result import Result
from workflow_sdk.testing.unit import call

__all__ = ["Engine", "Result", "TestingError", "call"]
