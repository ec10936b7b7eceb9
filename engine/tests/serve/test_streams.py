"""Live streams of a running server: over real sockets, part by part, and never in the way of a stop."""

from __future__ import annotations

import asyncio

import grpc
import httpx
import pytest
from rochallor_proto import engine_pb2 as pb
from rochallor_proto import engine_pb2_grpc

SOON_S = 5.0


@pytest.fixture
async def started(start_server, remote, hello):
    """A server with an instance that waits for its job: (server, instance id)."""
    server = await start_server()
    rest = remote(server)
    await rest.post("definitions", **hello)
    return server, (await rest.post("instances", definitionId="hello"))["id"]


async def test_an_event_arrives_while_the_stream_is_open(started):
    """Nothing between the commit and the client waits for more."""
    server, instance_id = started
    url = f"{server.addresses.rest}/v1/instances/{instance_id}/events"
    async with (
        asyncio.timeout(SOON_S),
        httpx.AsyncClient() as client,
        client.stream("GET", url, headers={"last-event-id": "1"}) as response,
    ):
        await server.engine.cancel_instance(instance_id)
        lines = [line async for line in response.aiter_lines()]
    assert lines[:2] == ["id: 2", "event: revision"]


async def test_a_stop_does_not_wait_for_who_listens(started):
    """Streams over both doors end when the engine is told to stop: REST's cleanly, gRPC's with UNAVAILABLE."""
    server, instance_id = started
    url = f"{server.addresses.rest}/v1/instances/{instance_id}/events"
    async with (
        asyncio.timeout(SOON_S),
        grpc.aio.insecure_channel(server.addresses.grpc) as channel,
        httpx.AsyncClient() as client,
        client.stream("GET", url) as response,
    ):
        lines = response.aiter_lines()
        assert await anext(lines) == "id: 1"
        call = engine_pb2_grpc.WorkflowEngineStub(channel).WatchInstance(pb.WatchInstanceRequest(id=instance_id))
        assert (await call.read()).revision == 1
        await server.stop()
        assert not [line async for line in lines if line.startswith("id:")]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_client_that_hangs_up_is_let_go(started):
    """A closed connection leaves no watcher behind."""
    server, instance_id = started
    url = f"{server.addresses.rest}/v1/instances/{instance_id}/events"
    watchers = server.engine.executor.watchers._events
    async with asyncio.timeout(SOON_S):
        async with httpx.AsyncClient() as client, client.stream("GET", url) as response:
            assert await anext(response.aiter_lines()) == "id: 1"
            while not watchers:  # noqa: ASYNC110  # the loop has sockets to look at meanwhile
                await asyncio.sleep(0)
        while watchers:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0)
