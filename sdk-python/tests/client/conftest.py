"""Clients of every kind against one engine, driven in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

import pytest
from workflow_sdk.client.async_grpc import AsyncGrpcEngineClient
from workflow_sdk.client.async_rest import AsyncRestEngineClient
from workflow_sdk.client.grpc import GrpcEngineClient
from workflow_sdk.client.rest import RestEngineClient

FACES = {
    "rest": RestEngineClient,
    "grpc": GrpcEngineClient,
    "async-rest": AsyncRestEngineClient,
    "async-grpc": AsyncGrpcEngineClient,
}


async def _listed(items):
    return [item async for item in items]


class Driven:
    """A client, or anything it returned, on which every method can be called as if it blocked."""

    def __init__(self, target, runner):
        self.target = target
        self._runner = runner

    def __getattr__(self, name):
        found = getattr(self.target, name)
        return (lambda *args, **kwargs: self._done(found(*args, **kwargs))) if callable(found) else found

    def _done(self, result):
        if isinstance(result, AsyncIterator):
            return self._runner.run_until_complete(_listed(result))
        if isinstance(result, Awaitable):
            result = self._runner.run_until_complete(result)
        if type(result).__name__.endswith("InstanceHandle"):
            return Driven(result, self._runner)
        return result if isinstance(result, (dict, list, str, type(None))) else list(result)


@pytest.fixture(scope="session")
def loop():
    """The loop that asynchronous clients of tests live on."""
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_asyncgens())
    made.close()


@pytest.fixture
def drive(loop):
    """`drive(face, where, **settings)`: a client to call as if it blocked; closed in the end."""
    made = []

    def make(face, where, **settings):
        made.append(Driven(FACES[face](where, **settings), loop))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def stub():
    """An engine in virtual time, over both transports."""
    found = pytest.importorskip("rochallor_stub", reason="the engine's test double needs Python 3.11")
    with found.EngineStub() as engine:
        yield engine


@pytest.fixture(params=FACES)
def client(request, stub, drive):
    """Each of the four clients in turn, connected with the stub."""
    return drive(request.param, stub.url if "rest" in request.param else stub.grpc_target)
