"""A client of what every engine offers: upload, start, poll, complete, ask how an instance is. Over REST and over gRPC.

Nothing of our additions to the contract is used, except `waitMs` if the engine turns out to honour it. What would break
it: a field that only our engine fills. Any answer that is not a success raises, and so voids the run.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

import grpc
import msgspec
from rochallor_proto import engine_pb2 as pb
from rochallor_proto.engine_pb2_grpc import WorkflowEngineStub

from bench.flow import WORKER
from bench.wire import Connection

PATIENCE_S = 30.0
_PROBE_MS = 400
_CALLERS_PER_CHANNEL = 8


class Job(NamedTuple):
    """A job, and whose it is."""

    job_id: str
    instance_id: str


class Client(Protocol):
    """One connection, with one call at a time."""

    async def upload(self, definition: bytes) -> str:
        """Upload a definition; return its id."""
        ...

    async def start(self, definition_id: str, variables: bytes) -> str:
        """Start an instance; return its id."""
        ...

    async def poll(self, job_type: str, at_once: int, wait_ms: int) -> list[Job]:
        """Claim jobs; `wait_ms` 0 leaves the long poll out of the request."""
        ...

    async def complete(self, job_id: str, result: bytes) -> None:
        """Report a job."""
        ...

    async def status(self, instance_id: str) -> str:
        """Return an instance's status, as REST spells it."""
        ...


class _Named(msgspec.Struct):
    id: str


class _Instance(msgspec.Struct):
    id: str
    status: str


class _Job(msgspec.Struct):
    id: str
    instanceId: str  # noqa: N815  # as the contract spells it


class _Jobs(msgspec.Struct):
    jobs: list[_Job] | None = None  # some engines answer null when there are none


_named = msgspec.json.Decoder(_Named)
_instance = msgspec.json.Decoder(_Instance)
_jobs = msgspec.json.Decoder(_Jobs)


class Rest:
    """JSON over one HTTP connection. Of an answer only what is needed is decoded: variables are skipped."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def upload(self, definition: bytes) -> str:
        """POST /v1/definitions."""
        return _named.decode(await self._connection.post("/v1/definitions", definition)).id

    async def start(self, definition_id: str, variables: bytes) -> str:
        """POST /v1/instances."""
        body = b'{"definitionId":"%b","variables":%b}' % (definition_id.encode(), variables)
        return _named.decode(await self._connection.post("/v1/instances", body)).id

    async def poll(self, job_type: str, at_once: int, wait_ms: int) -> list[Job]:
        """POST /v1/jobs/poll."""
        wish: dict[str, Any] = {"workerId": WORKER, "jobTypes": [job_type], "maxJobs": at_once}
        wish |= {"waitMs": wait_ms} if wait_ms else {}
        answer = await self._connection.post("/v1/jobs/poll", msgspec.json.encode(wish))
        return [Job(job.id, job.instanceId) for job in _jobs.decode(answer).jobs or ()]

    async def complete(self, job_id: str, result: bytes) -> None:
        """POST /v1/jobs/{id}/complete."""
        body = b'{"workerId":"%b","variables":%b}' % (WORKER.encode(), result)
        await self._connection.post(f"/v1/jobs/{quote(job_id, safe='')}/complete", body)

    async def status(self, instance_id: str) -> str:
        """GET /v1/instances/{id}."""
        return _instance.decode(await self._connection.get(f"/v1/instances/{quote(instance_id, safe='')}")).status


class Grpc:
    """Unary calls over a channel, variables as Struct: an engine of the base contract knows no other."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = WorkflowEngineStub(channel)  # type: ignore[no-untyped-call]  # generated

    async def upload(self, definition: bytes) -> str:
        """UploadDefinition."""
        request = pb.UploadDefinitionRequest(definition=_definition(msgspec.json.decode(definition)))
        answer = await self._stub.UploadDefinition(request, timeout=PATIENCE_S)
        return str(answer.id)

    async def start(self, definition_id: str, variables: bytes) -> str:
        """StartInstance."""
        request = pb.StartInstanceRequest(definition_id=definition_id)
        request.variables.update(msgspec.json.decode(variables))
        answer = await self._stub.StartInstance(request, timeout=PATIENCE_S)
        return str(answer.instance.id)

    async def poll(self, job_type: str, at_once: int, wait_ms: int) -> list[Job]:
        """PollJobs."""
        wish = pb.PollJobsRequest(worker_id=WORKER, job_types=[job_type], max_jobs=at_once, wait_ms=wait_ms)
        answer = await self._stub.PollJobs(wish, timeout=PATIENCE_S)
        return [Job(job.id, job.instance_id) for job in answer.jobs]

    async def complete(self, job_id: str, result: bytes) -> None:
        """CompleteJob."""
        request = pb.CompleteJobRequest(job_id=job_id, worker_id=WORKER)
        request.variables_to_set.update(msgspec.json.decode(result))
        await self._stub.CompleteJob(request, timeout=PATIENCE_S)

    async def status(self, instance_id: str) -> str:
        """GetInstance."""
        answer = await self._stub.GetInstance(pb.GetInstanceRequest(id=instance_id), timeout=PATIENCE_S)
        name: str = pb.InstanceStatus.Name(answer.instance.status)
        return name.removeprefix("INSTANCE_STATUS_")


def _definition(given: dict[str, Any]) -> pb.WorkflowDefinition:
    """Return a definition of service tasks in a row; other shapes are measured over REST only."""
    steps = [
        pb.WorkflowStep(
            id=step["id"],
            name=step["name"],
            type=getattr(pb, f"STEP_TYPE_{step['type']}"),
            job_type=step.get("jobType", ""),
            next_step=step.get("nextStep", ""),
        )
        for step in given["steps"]
    ]
    return pb.WorkflowDefinition(id=given["id"], name=given["name"], steps=steps)


@asynccontextmanager
async def clients(transport: str, count: int, host: str, port: int) -> AsyncIterator[list[Client]]:
    """Connect `count` clients over `rest` or `grpc`."""
    if transport == "rest":
        connections = [await Connection.open(host, port) for _ in range(count)]
        yield [*map(Rest, connections)]
        for connection in connections:
            connection.close()
        return
    options = (("grpc.use_local_subchannel_pool", 1),)
    channels = [
        grpc.aio.insecure_channel(f"{host}:{port}", options=options) for _ in range(-(-count // _CALLERS_PER_CHANNEL))
    ]
    yield [Grpc(channels[number % len(channels)]) for number in range(count)]
    for channel in channels:
        await channel.close()


async def waits(client: Client) -> bool:
    """Tell whether the engine honours `waitMs`: one that does not know it answers an empty poll at once."""
    began_s = time.monotonic()
    with suppress(RuntimeError, grpc.aio.AioRpcError):
        await client.poll("bench-nobody-works-on-this", 1, _PROBE_MS)
        return time.monotonic() - began_s >= _PROBE_MS / 2000
    return False
