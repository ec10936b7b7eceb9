"""Clients of every kind against one engine, driven in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest
from workflow_sdk.client.async_grpc import AsyncGrpcEngineClient
from workflow_sdk.client.async_rest import AsyncRestEngineClient
from workflow_sdk.client.face import Client
from workflow_sdk.client.grpc import GrpcEngineClient
from workflow_sdk.client.rest import RestEngineClient

if TYPE_CHECKING:
    from rochallor_stub import EngineStub

FACES = {
    "rest": RestEngineClient,
    "grpc": GrpcEngineClient,
    "async-rest": AsyncRestEngineClient,
    "async-grpc": AsyncGrpcEngineClient,
}


class Drive(Protocol):
    """`drive(face, where, **settings)`: one of FACES, as if it blocked."""

    def __call__(self, face: str, where: str, **settings: Any) -> Client: ...


async def _listed(items: AsyncIterator[object]) -> list[object]:
    return [item async for item in items]


class Driven:
    """A client, or anything it returned, on which every method can be called as if it blocked.

    Type checkers are told that it is a blocking client: `surface/test_faces.py` holds the two kinds alike.
    """

    def __init__(self, target: object, runner: asyncio.AbstractEventLoop) -> None:
        self.target = target
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.target, name)
        if not callable(found):
            return found

        def blocking(*args: Any, **kwargs: Any) -> object:
            return self._done(found(*args, **kwargs))

        return blocking

    def _done(self, result: object) -> object:
        if isinstance(result, AsyncIterator):
            return self._runner.run_until_complete(_listed(cast("AsyncIterator[object]", result)))
        if isinstance(result, Awaitable):
            result = self._runner.run_until_complete(cast("Awaitable[object]", result))
        if type(result).__name__.endswith("InstanceHandle"):
            return Driven(result, self._runner)
        return result


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The loop that asynchronous clients of tests live on."""
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_asyncgens())
    made.close()


@pytest.fixture
def drive(loop: asyncio.AbstractEventLoop) -> Iterator[Drive]:
    """`drive(face, where, **settings)`: a client to call as if it blocked; closed in the end."""
    made: list[Client] = []

    def make(face: str, where: str, **settings: Any) -> Client:
        made.append(cast("Client", Driven(FACES[face](where, **settings), loop)))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def stub() -> Iterator[EngineStub]:
    """An engine in virtual time, over both transports."""
    found = pytest.importorskip("rochallor_stub", reason="the engine's test double needs Python 3.11")
    with found.EngineStub() as engine:
        yield engine


@pytest.fixture(params=FACES)
def client(request: pytest.FixtureRequest, stub: EngineStub, drive: Drive) -> Client:
    """Each of the four clients in turn, connected with the stub."""
    return drive(request.param, stub.url if "rest" in request.param else stub.grpc_target)
