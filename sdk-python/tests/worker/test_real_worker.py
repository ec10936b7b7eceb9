"""Workers on real sockets, threads and the engine itself: what virtual time cannot show."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from workflow_sdk import HandlerRegistry, JobContext
from workflow_sdk.client.async_grpc import AsyncGrpcEngineClient
from workflow_sdk.client.async_rest import AsyncRestEngineClient
from workflow_sdk.client.ends import InstanceEnded
from workflow_sdk.client.grpc import GrpcEngineClient
from workflow_sdk.client.rest import RestEngineClient
from workflow_sdk.runner.async_runner import AsyncRunner
from workflow_sdk.runner.runner import Runner

if TYPE_CHECKING:
    from rochallor_stub import EngineStub, Exchange, Faults
    from typing_extensions import Unpack


WORK = {
    "id": "work",
    "name": "Work",
    "steps": [
        {"id": "do", "name": "Do", "type": "SERVICE_TASK", "retryCount": 3, "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}


@pytest.fixture
def stub() -> Iterator[EngineStub]:
    found = pytest.importorskip("rochallor_stub", reason="the engine's test double needs Python 3.11")
    with found.EngineStub() as engine:
        with RestEngineClient(engine.url) as client:
            client.upload_definition(WORK)
        yield engine


class Options(TypedDict, total=False):
    """What a test may set of a `Runner`."""

    parallelism: int
    lease_seconds: int
    batch_reports: bool


class House:
    """An engine with instances of `work`, and a worker on it."""

    def __init__(self, stub: EngineStub, transport: str) -> None:
        self.stub, self.transport = stub, transport
        self.registry = HandlerRegistry()
        self.ids: list[str] = []

    def start(self, count: int) -> None:
        with RestEngineClient(self.stub.url) as client:
            self.ids += [client.start_instance("work")["id"] for _ in range(count)]

    def statuses(self) -> set[str]:
        with RestEngineClient(self.stub.url) as client:
            return {client.get_instance(each)["status"] for each in self.ids}

    def until_completed(self) -> None:
        with RestEngineClient(self.stub.url) as client:
            for each in self.ids:
                client.instance(each).result(timeout=30)

    def until_ended(self) -> None:
        """Wait for all, also for those that fail."""
        with RestEngineClient(self.stub.url) as client:
            for each in self.ids:
                with suppress(InstanceEnded):
                    client.instance(each).result(timeout=30)

    def exchanges(self, operation: str) -> list[Exchange]:
        return [exchange for exchange in self.stub.journal if exchange.operation == operation]

    @contextmanager
    def working(self, **options: Unpack[Options]) -> Generator[None, None, None]:
        """Run a worker beside the test; leaving the block stops and drains it."""
        stop, face = threading.Event(), RestEngineClient if self.transport == "rest" else GrpcEngineClient
        with face(self.stub.url if self.transport == "rest" else self.stub.grpc_target) as client:
            runner = Runner(client, self.registry, "w", long_poll_ms=100, **options)
            thread = threading.Thread(target=runner.run, args=(stop,))
            thread.start()
            try:
                yield
            finally:
                stop.set()
                with self.stub.impatient():
                    thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(params=["rest", "grpc"])
def house(request: pytest.FixtureRequest, stub: EngineStub) -> House:
    return House(stub, request.param)


FAULTS: dict[str, Callable[[Faults, str], int]] = {
    "reset before the engine saw it": lambda faults, name: faults.drop_before(name),
    "lost acknowledgement": lambda faults, name: faults.drop_after(name),
    "internal error": lambda faults, name: faults.status(name, status=500),
    "unavailable, with a wish": lambda faults, name: faults.status(name, status=503, retry_after_s=0),
    "garbage": lambda faults, name: faults.garbage(name),
    "half an answer": lambda faults, name: faults.half_close(name),
    "many in a row": lambda faults, name: faults.status(name, status=503, times=4),
}


@pytest.mark.parametrize("batches", [True, False], ids=["batches", "single"])
@pytest.mark.parametrize("fault", FAULTS)
def test_results_get_through(house: House, fault: str, batches: bool) -> None:
    """Each handler runs once, every instance completes, and nothing is reported as failed."""
    ran: list[str] = []
    house.registry.register("do", lambda ctx: ran.append(ctx["id"]))
    house.start(5)
    FAULTS[fault](house.stub.faults, "reportJobs" if batches else "completeJob")
    with house.working(batch_reports=batches):
        house.until_completed()
    assert sorted(ran) == sorted(set(ran))
    assert len(ran) == 5
    assert not house.exchanges("failJob")
    reported = [each for exchange in house.exchanges("reportJobs") for each in exchange.request.get("outcomes", [])]
    assert not [each for each in reported if "failed" in each]


def test_batches_carry_reports_and_bring_jobs(house: House) -> None:
    """Forty jobs through four slots: far fewer calls than jobs, all done once."""
    house.registry.register("do", lambda _ctx: {"x": 1})
    house.start(40)
    with house.working(parallelism=4):
        house.until_completed()
    assert len(house.exchanges("completeJob")) == 0
    assert len(house.exchanges("reportJobs")) <= 40
    assert house.statuses() == {"COMPLETED"}


@pytest.mark.parametrize("batches", [True, False], ids=["batches", "single"])
@pytest.mark.parametrize("levels", [600, 100_000], ids=["for the engine", "for JSON"])
def test_a_result_nested_too_deeply_fails_its_own_job_alone(house: House, levels: int, batches: bool) -> None:
    """Its handler runs once and the failure says why; the results that ended with it arrive."""
    house.start(5)
    ran: list[str] = []

    @house.registry.register("do")
    def do(ctx: JobContext) -> dict[str, Any]:
        ran.append(ctx["id"])
        return _deep(levels) if ctx["instanceId"] == house.ids[0] else {"x": 1}

    with house.working(batch_reports=batches):
        house.until_ended()
    with RestEngineClient(house.stub.url) as client:
        found = [client.get_instance(each) for each in house.ids]
    assert [each["status"] for each in found] == ["FAILED", *["COMPLETED"] * 4]
    assert found[0]["failureReason"].startswith("the result cannot be delivered: ")
    assert len(ran) == 5


def _deep(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(levels):
        inner = {"x": inner}
    return inner


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_lease_is_extended_while_the_loop_is_blocked(house: House, kind: str) -> None:
    """A handler that blocks everything else in the worker: its lease is kept from another thread."""
    extended = threading.Event()

    def block() -> None:
        # Until the engine has seen two extensions, and no other handler or loop code can run meanwhile.
        while len([each for each in house.exchanges("reportJobs") if "extend" in str(each.request)]) < 2:
            time.sleep(0.01)
        extended.set()

    if kind == "async":

        @house.registry.register("do")
        async def do(_ctx: JobContext) -> None:
            block()
    else:
        house.registry.register("do", lambda _ctx: block())
    house.start(1)
    with house.working(lease_seconds=1, parallelism=1):
        house.until_completed()
    assert extended.is_set()


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_lost_lease_is_noticed_while_the_loop_is_blocked(house: House, kind: str) -> None:
    """The handler can ask, and sees it on whatever thread it blocks; its late result is not reported."""
    noticed = threading.Event()

    def block(ctx: JobContext) -> dict[str, Any]:
        house.stub.expire_lease(ctx["id"])
        while not ctx.cancelled:
            time.sleep(0.01)
        noticed.set()
        return {"late": True}

    if kind == "async":

        @house.registry.register("do")
        async def do(ctx: JobContext) -> dict[str, Any]:
            return block(ctx) if not noticed.is_set() else {"again": True}
    else:
        house.registry.register("do", lambda ctx: block(ctx) if not noticed.is_set() else {"again": True})
    house.start(1)
    with house.working(lease_seconds=1, parallelism=1), RestEngineClient(house.stub.url) as client:
        assert client.instance(house.ids[0]).result(timeout=30) == {"again": True}
    assert noticed.is_set()


@pytest.mark.parametrize("transport", ["rest", "grpc"])
async def test_async_runner_shares_the_loop(stub: EngineStub, transport: str) -> None:
    """Handlers are awaited beside the application's own tasks; the client stays open when the worker ends."""
    registry, stop = HandlerRegistry(), asyncio.Event()
    loops: set[asyncio.AbstractEventLoop] = set()

    @registry.register("do")
    async def do(_ctx: JobContext) -> dict[str, Any]:
        loops.add(asyncio.get_running_loop())
        return {"x": 1}

    face = AsyncRestEngineClient if transport == "rest" else AsyncGrpcEngineClient
    async with face(stub.url if transport == "rest" else stub.grpc_target) as client:
        running = asyncio.ensure_future(AsyncRunner(client, registry, "w", long_poll_ms=100).run(stop))
        handles = [await client.start("work") for _ in range(20)]
        assert [await handle.result(timeout=30) for handle in handles] == [{"x": 1}] * 20
        stop.set()
        await running
        assert (await client.get_definition("work"))["id"] == "work"
    assert loops == {asyncio.get_running_loop()}


def test_both_kinds_of_handlers_in_one_registry(house: House) -> None:
    """Blocking ones run on threads of the worker, `async def` ones on its loop."""
    threads: dict[str, str] = {}

    @house.registry.register("do")
    def do(ctx: JobContext) -> dict[str, Any]:
        threads["sync"] = threading.current_thread().name
        return {"sync": ctx["variables"].get("n")}

    house.start(3)
    with house.working():
        house.until_completed()
    assert threads["sync"].startswith("workflow-w-")


async def test_runner_inside_a_running_loop_blocks_it_as_ever(stub: EngineStub) -> None:
    """`Runner.run` called from a coroutine works on a thread of its own while the caller waits."""
    registry = HandlerRegistry()
    stop = threading.Event()

    @registry.register("do")
    async def do(_ctx: JobContext) -> None:
        stop.set()

    with RestEngineClient(stub.url) as client:
        client.start_instance("work")
        Runner(client, registry, "w", long_poll_ms=100).run(stop)
        assert client.list_instances(status="COMPLETED")["total"] == 1
