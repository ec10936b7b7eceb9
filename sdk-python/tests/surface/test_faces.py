"""The four clients are one: blocking and asynchronous ones have the same methods, arguments and words."""

from __future__ import annotations

import inspect
from types import FunctionType

import pytest
from workflow_sdk.client.async_base import AsyncBaseEngineClient
from workflow_sdk.client.async_face import AsyncClient
from workflow_sdk.client.async_grpc import AsyncGrpcEngineClient
from workflow_sdk.client.async_handle import AsyncInstanceHandle
from workflow_sdk.client.async_rest import AsyncRestEngineClient
from workflow_sdk.client.base import BaseEngineClient
from workflow_sdk.client.face import Client
from workflow_sdk.client.grpc import GrpcEngineClient
from workflow_sdk.client.handle import InstanceHandle
from workflow_sdk.client.rest import RestEngineClient

PAIRS = [
    (BaseEngineClient, AsyncBaseEngineClient),
    (Client, AsyncClient),
    (InstanceHandle, AsyncInstanceHandle),
    (RestEngineClient, AsyncRestEngineClient),
    (GrpcEngineClient, AsyncGrpcEngineClient),
]
ONE_SIDED = {"async_twin", "twin", "with_settings"}


def methods(face: type) -> dict[str, FunctionType]:
    found = {name: value for name, value in vars(face).items() if not name.startswith("_") and callable(value)}
    return {name: value for name, value in found.items() if name not in ONE_SIDED and inspect.isfunction(value)}


def plain(text: object) -> str:
    """Return an annotation or a sentence of the asynchronous face in the words of the blocking one."""
    return str(text).replace("AsyncIterator", "Iterator").replace("Async", "")


@pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS, ids=lambda face: face.__name__)
def test_both_have_the_same_methods(blocking: type, asynchronous: type) -> None:
    """A method that one has is a method of the other, with the same parameters, defaults and docstring."""
    ours, theirs = methods(blocking), methods(asynchronous)
    assert list(ours) == list(theirs)
    for name in ours:
        mine, other = inspect.signature(ours[name]), inspect.signature(theirs[name])
        assert plain(mine) == plain(other), name
        assert inspect.getdoc(ours[name]) == inspect.getdoc(theirs[name]), name


@pytest.mark.parametrize(("blocking", "asynchronous"), PAIRS[3:], ids=lambda face: face.__name__)
def test_both_are_set_up_alike(blocking: type, asynchronous: type) -> None:
    """Settings have the same names, order and defaults."""
    mine, other = inspect.signature(blocking), inspect.signature(asynchronous)
    assert [(each.name, each.default, each.kind) for each in mine.parameters.values()] == [
        (each.name, each.default, each.kind) for each in other.parameters.values()
    ]


def test_both_transports_are_set_up_alike() -> None:
    """After where the engine is, REST and gRPC take the same settings; gRPC a channel besides."""
    rest, grpc = ([*inspect.signature(face).parameters][1:] for face in (RestEngineClient, GrpcEngineClient))
    assert rest == [name for name in grpc if name != "channel"]
