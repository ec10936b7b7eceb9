"""In process: from plain code and from async code, many at a time, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
from rochallor.core.machine import Outcome
from rochallor.shell.engine import Engine
from rochallor_proto import engine_pb2, engine_pb2_grpc
from rochallor_stub import AsyncEngineStub, EngineStub, Parts, StubError


def test_the_same_seed_gives_the_same_ids(stubs: Any) -> None:
    """Ids follow from the seed and the requests; another seed gives others."""

    def ids(seed: int) -> list[str]:
        user = stubs(seed=seed)
        user.upload()
        return [user.start(), user.start()]

    first = ids(7)
    assert first == ids(7)
    assert set(first).isdisjoint(ids(8))


def test_polls_do_not_change_ids(stubs: Any) -> None:
    """How often an idle worker asks decides nothing."""
    ids = []
    for polls in (0, 3):
        user = stubs()
        user.upload()
        for _ in range(polls):
            user.poll()
        ids.append(user.start())
    assert ids[0] == ids[1]


def test_a_reset_stub_is_like_new(user: Any) -> None:
    """State, time, faults, journal and ids begin again; the addresses stay."""
    user.upload()
    first, url = user.start(), user.stub.url
    user.stub.advance(60)
    user.stub.faults.status("healthz", status=500, times=None)
    user.stub.reset()
    assert (user.call("GET", "/v1/instances")["total"], user.stub.state()["faults"]) == (0, 0)
    assert user.call("GET", "/healthz") == {"status": "ok"}
    user.upload()
    assert (user.start(), user.stub.url) == (first, url)


def test_both_transports_serve_the_new_engine_after_a_reset(user: Any, rpc: Any) -> None:
    """A channel that was open before sees the fresh engine."""
    user.upload()
    rpc("StartInstance", definitionId="flow")
    user.stub.reset()
    assert rpc("ListInstances").total == 0


def test_who_waits_is_answered_at_a_reset(user: Any) -> None:
    """No poll hangs in an engine that is gone."""
    answers: list[Any] = []
    poller = threading.Thread(target=lambda: answers.append(user.poll(waitMs=30_000)))
    poller.start()
    while user.stub.state()["waiting"] < 1:
        pass
    user.stub.reset()
    poller.join(10)
    assert answers == [[]]


def test_who_asks_during_a_reset_is_answered(user: Any) -> None:
    """Workers that ask again at once never leave a reset waiting for a request that nobody works on."""
    over = threading.Event()
    statuses: set[int] = set()

    def work() -> None:
        asked = {"workerId": "w", "jobTypes": ["work"], "waitMs": 30_000}
        with httpx.Client(timeout=10) as http:
            while not over.is_set():
                try:
                    statuses.add(http.post(f"{user.stub.url}/v1/jobs/poll", json=asked).status_code)
                except httpx.TransportError:
                    assert over.is_set()  # the stub is gone, in the middle of connecting perhaps

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(50):
            user.stub.reset()
    finally:
        over.set()
        user.stub.stop()  # answers who waits
        for worker in workers:
            worker.join(10)
    assert statuses <= {200, 503}


def test_stubs_do_not_see_each_other(stubs: Any) -> None:
    """Each has its own engine and its own time."""
    one, other = stubs(), stubs()
    one.upload()
    one.stub.advance(3600)
    assert (other.call("GET", "/v1/definitions")["total"], other.stub.now.hour, one.stub.now.hour) == (0, 0, 1)


def test_nothing_is_left_behind() -> None:
    """Threads and sockets of a stub end with it, also when somebody waits inside."""

    def life() -> None:
        with EngineStub() as stub, httpx.Client() as http, grpc.insecure_channel(stub.grpc_target) as channel:
            http.get(f"{stub.url}/healthz")
            engine_pb2_grpc.WorkflowEngineStub(channel).ListInstances(engine_pb2.ListInstancesRequest(), timeout=10)
            asking = threading.Thread(target=_ignoring(lambda: httpx.post(f"{stub.url}/v1/jobs/poll", json=poll)))
            asking.start()
            while stub.state()["waiting"] < 1:
                pass
        asking.join(10)

    poll = {"workerId": "w", "jobTypes": ["x"], "waitMs": 30_000}
    life()  # what grpc keeps for the process is there now
    gc.collect()
    threads, files = _threads(), _sockets()
    life()
    gc.collect()
    assert (_threads(), _sockets()) == (threads, files)


def _ignoring(action: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        try:
            action()
        except httpx.HTTPError:
            return

    return run


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(("rochallor", "asyncio"))}


def _sockets() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():  # noqa: PTH208, PTH112 - /proc
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")  # noqa: PTH115 - as above
        except OSError:
            continue
    return found


def test_a_stub_that_is_not_running_says_so() -> None:
    """Forgetting `with` is answered with what to write."""
    with pytest.raises(StubError, match="with EngineStub"):
        EngineStub().advance(1)


def test_a_taken_port_is_an_error_of_the_start(stub: EngineStub) -> None:
    """Nothing of the second stub stays behind."""
    port = int(stub.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        EngineStub(rest_port=port).start()


async def test_async_code_has_it_on_its_own_loop() -> None:
    """The same names, awaited."""
    async with AsyncEngineStub() as stub, httpx.AsyncClient() as http:
        await http.get(f"{stub.url}/healthz")
        await stub.advance(60)
        assert (stub.now.minute, stub.journal[0].operation) == (1, "healthz")


async def test_async_stubs_and_grpc_clients_share_a_loop() -> None:
    """An async channel to a stub on the same loop works."""
    async with AsyncEngineStub() as stub, grpc.aio.insecure_channel(stub.grpc_target) as channel:
        answer = await engine_pb2_grpc.WorkflowEngineStub(channel).ListInstances(engine_pb2.ListInstancesRequest())
        assert answer.total == 0


async def test_time_moves_while_other_tasks_wait() -> None:
    """A task that long-polls is answered by an advance of its neighbour."""
    async with AsyncEngineStub() as stub, httpx.AsyncClient() as http:
        poll = {"workerId": "w", "jobTypes": ["x"], "waitMs": 20_000}
        asking = asyncio.create_task(http.post(f"{stub.url}/v1/jobs/poll", json=poll))
        while (await stub.state())["waiting"] < 1:
            await http.get(f"{stub.url}/__stub/now")
        await stub.advance(20)
        assert (await asking).json() == {"jobs": []}


def test_the_machine_can_be_made_wrong(stubs: Any) -> None:
    """A mutation of the step function changes what the engine decides, and only this engine's."""

    def forgetful(parts: Parts) -> None:
        def change(engine: Engine) -> None:
            right = engine.executor.step

            def step(definition: Any, instance: Any, command: Any, context: Any) -> Outcome:
                if command.kind == "CompleteJob":
                    return Outcome(instance, (), None)
                return right(definition, instance, command, context)

            engine.executor.step = step

        parts.on_engine.append(change)

    user = stubs(mutate=[forgetful])
    user.upload()
    instance = user.start()
    [job] = user.poll()
    user.http.post(f"{user.stub.url}/v1/jobs/{job['id']}/complete", json={"workerId": "w"})
    assert user.get(instance)["status"] == "ACTIVE"


def test_a_transport_can_be_made_wrong(stubs: Any) -> None:
    """REST and gRPC have their own wrappers, which also serve after a reset."""

    def rude(parts: Parts) -> None:
        def rest(_app: Any) -> Any:
            async def answer(_scope: Any, _receive: Any, send: Any) -> None:
                await send({"type": "http.response.start", "status": 418, "headers": []})
                await send({"type": "http.response.body", "body": b""})

            return answer

        parts.rest.append(rest)
        parts.rpcs.append(lambda _name, _rpc: lambda _raw: _bytes())

    async def _bytes() -> bytes:
        return engine_pb2.ListInstancesResponse(total=99).SerializeToString()

    user = stubs(mutate=[rude])
    user.stub.reset()
    with grpc.insecure_channel(user.stub.grpc_target) as channel:
        answer = engine_pb2_grpc.WorkflowEngineStub(channel).ListInstances(engine_pb2.ListInstancesRequest())
    assert (user.http.get(user.stub.url + "/healthz").status_code, answer.total) == (418, 99)


def test_health_is_asked_of_the_engine_that_serves(user: Any) -> None:
    """After a reset the gRPC health service still says SERVING."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415 - used by this test only

    user.stub.reset()
    with grpc.insecure_channel(user.stub.grpc_target) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
