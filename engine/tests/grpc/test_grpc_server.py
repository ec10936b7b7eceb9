"""The server around the rpcs: health, reflection, ports, metrics."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from rochallor.core.errors import Unavailable
from rochallor.transports.grpc import bind, create_server
from rochallor.transports.grpc.rpcs import RPCS, STREAMS
from rochallor_proto import engine_pb2 as pb

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ENGINE = "workflow.v1.WorkflowEngine"


@pytest.fixture
def health(house):
    return health_pb2_grpc.HealthStub(house.channel)


@pytest.mark.parametrize("service", ["", ENGINE])
async def test_a_ready_engine_is_serving(health, service):
    """Probes may ask for the server or for the service."""
    assert (await health.Check(health_pb2.HealthCheckRequest(service=service))).status == SERVING


async def test_an_engine_without_its_store_is_not_serving(engine, health):
    """Health follows readiness, not the process."""
    engine.script["ready"] = Unavailable("the store does not answer")
    assert (await health.Check(health_pb2.HealthCheckRequest())).status == NOT_SERVING


async def test_a_stopping_engine_is_not_serving(house, health):
    """From stop() on, balancers look elsewhere."""
    house.health.stop()
    assert (await health.Check(health_pb2.HealthCheckRequest())).status == NOT_SERVING


async def test_an_unknown_service_has_no_health(health):
    """The protocol's answer for a name nobody knows."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_watcher_hears_of_the_end_and_is_let_go(engine, house, health):
    """A watch tells every change and ends with the shutdown, so it does not hold it up."""
    watch = health.Watch(health_pb2.HealthCheckRequest())
    heard = [(await watch.read()).status]
    engine.script["ready"] = Unavailable("gone")
    heard.append((await watch.read()).status)
    engine.script["ready"] = None
    heard.append((await watch.read()).status)
    house.health.stop()
    heard.append((await watch.read()).status)
    assert heard == [SERVING, NOT_SERVING, SERVING, NOT_SERVING]
    assert await watch.read() is grpc.aio.EOF


async def test_reflection_lists_what_is_served(house):
    """Tools like grpcurl work without a proto file."""
    stub = reflection_pb2_grpc.ServerReflectionStub(house.channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    answer = await call.read()
    names = {service.name for service in answer.list_services_response.service}
    assert {ENGINE, "grpc.health.v1.Health"} <= names


def test_every_rpc_of_the_contract_is_served():
    """The tables have a row for each method of the proto file, streams apart from the rest."""
    methods = pb.DESCRIPTOR.services_by_name["WorkflowEngine"].methods
    assert set(RPCS) == {method.name for method in methods if not method.server_streaming}
    assert set(STREAMS) == {method.name for method in methods if method.server_streaming}


async def test_a_port_that_is_taken_is_an_error(engine, house):
    """Two engines never share a port by accident."""
    with pytest.raises(OSError, match="another engine"):
        bind(create_server(engine), "127.0.0.1", house.port)


async def test_successes_are_observed(house):
    """Metrics see the rpc and its status."""
    await house.stub.SignalWait(pb.SignalWaitRequest())
    assert house.seen == [("SignalWait", "OK")]


async def test_a_cancelled_call_is_observed(engine, house):
    """A client that goes away is no success and no bug."""
    waiting = asyncio.Event()

    async def wait(*_args, **_kwargs):
        waiting.set()
        await asyncio.Event().wait()

    engine.script["poll_jobs"] = wait
    call = house.stub.PollJobs(pb.PollJobsRequest(worker_id="w", job_types=["a"]))
    running = asyncio.ensure_future(call)
    await waiting.wait()
    call.cancel()
    await asyncio.gather(running, return_exceptions=True)
    while not house.seen:
        await house.stub.SignalWait(pb.SignalWaitRequest())
    assert ("PollJobs", "CANCELLED") in house.seen


async def test_an_unobserved_server_serves_the_same(engine, instance_view):
    """Without metrics, answers and refusals are the same."""
    engine.script["get_instance"] = instance_view
    engine.script["signal_wait"] = Unavailable("gone")
    server = create_server(engine)
    port = bind(server, "127.0.0.1", 0)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(f"/{ENGINE}/GetInstance")
        assert pb.GetInstanceResponse.FromString(await call(b"")).instance.id == instance_view.id
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(f"/{ENGINE}/SignalWait")(b"")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    await server.stop(None)
