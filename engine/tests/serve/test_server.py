"""A server with real doors: it serves, it stops in order, it leaves nothing behind."""

import asyncio
import urllib.request

import grpc
import pytest
from rochallor.config import Config
from rochallor.core.errors import Unavailable
from rochallor.serve import Server
from rochallor.stores.sqlite import SqliteStore
from rochallor_proto import engine_pb2 as pb
from rochallor_proto import engine_pb2_grpc

LONG_MS = 30_000
SOON_S = 5.0


def read(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read().decode()


async def parked(server, count=1):
    """Return when so many polls wait."""
    while sum(server.engine.executor.polls.counts().values()) < count:  # noqa: ASYNC110 - the engine has no event for it
        await asyncio.sleep(0)


async def test_both_doors_lead_into_one_engine(start_server, remote, hello):
    """What is started over REST is worked over gRPC, and seen over both."""
    server = await start_server()
    rest = remote(server)
    await rest.post("definitions", **hello)
    started = await rest.post("instances", definitionId="hello", variables={"name": "Ada"})
    async with grpc.aio.insecure_channel(server.addresses.grpc) as channel:
        stub = engine_pb2_grpc.WorkflowEngineStub(channel)
        polled = await stub.PollJobs(pb.PollJobsRequest(worker_id="w", job_types=["greet"], wait_ms=LONG_MS))
        await stub.CompleteJob(pb.CompleteJobRequest(job_id=polled.jobs[0].id, worker_id="w"))
        over_grpc = await stub.GetInstance(pb.GetInstanceRequest(id=started["id"]))
    over_rest = await rest.get("instances", started["id"])
    assert over_rest["status"] == "COMPLETED"
    assert over_grpc.instance.status == pb.INSTANCE_STATUS_COMPLETED


async def test_a_stop_answers_long_polls_at_once(start_server, remote):
    """Polls over both doors that wait for a job are answered with none when the engine stops."""
    server = await start_server()
    over_rest = asyncio.create_task(
        remote(server).post("jobs", "poll", workerId="w", jobTypes=["greet"], waitMs=LONG_MS)
    )
    async with grpc.aio.insecure_channel(server.addresses.grpc) as channel:
        stub = engine_pb2_grpc.WorkflowEngineStub(channel)
        over_grpc = asyncio.ensure_future(
            stub.PollJobs(pb.PollJobsRequest(worker_id="w", job_types=["greet"], wait_ms=LONG_MS))
        )
        await parked(server, 2)
        async with asyncio.timeout(SOON_S):
            await server.stop()
            assert (await over_rest)["jobs"] == []
            assert list((await over_grpc).jobs) == []


async def test_a_stop_answers_who_awaits_an_instance(start_server, remote, hello):
    """A caller that waits for an instance's end is told how it stands."""
    server = await start_server()
    rest = remote(server)
    await rest.post("definitions", **hello)
    started = await rest.post("instances", definitionId="hello")
    waiting = asyncio.create_task(rest.get("instances", started["id"], "await", waitMs=LONG_MS))
    while not server.engine.executor.watchers._events:  # noqa: ASYNC110 - the engine has no event for it
        await asyncio.sleep(0)
    async with asyncio.timeout(SOON_S):
        await server.stop()
        answer = await waiting
    assert (answer["reached"], answer["instance"]["status"]) == (False, "ACTIVE")


async def test_a_draining_engine_is_not_ready_and_still_works(start_server):
    """While it drains, an engine turns balancers away and takes what its callers still send."""
    server = await start_server()
    server.engine.drain()
    with pytest.raises(Unavailable, match="shutting down"):
        await server.engine.ready()
    assert (
        await server.engine.upload_definition(b'{"id":"x","name":"X","steps":[{"id":"e","name":"E","type":"END"}]}')
    ).version == 1


async def test_a_stopped_server_starts_again_where_it_was(start_server, remote, hello, tmp_path):
    """What one server committed, the next one on the same file goes on with."""
    first = await start_server(tmp_path / "engine.db")
    await remote(first).post("definitions", **hello)
    started = await remote(first).post("instances", definitionId="hello")
    await first.stop()
    second = await start_server(tmp_path / "engine.db")
    seen = await remote(second).get("instances", started["id"])
    assert seen["currentStepIds"] == ["greet"]


async def test_a_port_that_is_taken_is_said_and_nothing_stays_open(start_server, tmp_path):
    """A start that fails half-way gives the database back."""
    running = await start_server()
    port = int(running.addresses.rest.rpartition(":")[2])
    taken = Server(Config(rest_port=port, grpc_port=0, metrics_port=0), SqliteStore(str(tmp_path / "engine.db")))
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: address already in use"):
        await taken.start()
    await start_server(tmp_path / "engine.db")


async def test_metrics_tell_what_happened_and_what_waits(start_server, remote, hello):
    """The page has the counters, and the jobs without a worker."""
    server = await start_server()
    await remote(server).post("definitions", **hello)
    await remote(server).post("instances", definitionId="hello")
    page = await asyncio.to_thread(read, server.addresses.metrics)
    lines = page.splitlines()
    assert "workflow_instances_started_total 1.0" in lines
    assert 'rochallor_waiting_jobs{job_type="greet"} 1.0' in lines
    assert 'http_requests_duration_seconds_count{method="POST",path="/v1/instances",status="201"} 1.0' in lines


async def test_metrics_tell_which_workers_wait(start_server, remote):
    """A poll that waits is counted by its job type."""
    server = await start_server()
    waiting = asyncio.create_task(remote(server).post("jobs", "poll", workerId="w", jobTypes=["greet"], waitMs=LONG_MS))
    await parked(server)
    page = await asyncio.to_thread(read, server.addresses.metrics)
    await server.stop()
    await waiting
    assert 'rochallor_pollers{job_type="greet"} 1.0' in page.splitlines()


async def test_the_metrics_port_has_one_page(start_server):
    """Any other path is told where the metrics are."""
    server = await start_server()
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        await asyncio.to_thread(read, server.addresses.metrics.replace("/metrics", "/"))
    caught.value.close()
