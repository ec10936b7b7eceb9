"""The pytest plugin: `engine_stub`, a fresh engine for every test, on ports that stay for the session.

Nothing but pytest is imported until a test asks for an engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rochallor_stub.threaded import EngineStub


@pytest.fixture(scope="session")
def engine_stub_server() -> Iterator[EngineStub]:
    """One running stub for all tests of a session; `engine_stub` is what a test wants."""
    from rochallor_stub.threaded import EngineStub  # noqa: PLC0415 - see above

    with EngineStub() as stub:
        yield stub


@pytest.fixture
def engine_stub(engine_stub_server: EngineStub) -> EngineStub:
    """An engine with nothing in it, at its first moment, without faults; its clock moves when the test says so."""
    engine_stub_server.set_auto(on=False)
    engine_stub_server.reset()
    return engine_stub_server
