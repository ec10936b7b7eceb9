"""The security table: each role, each operation, over REST and over gRPC, on a real engine; allowed as declared."""

from __future__ import annotations

from types import SimpleNamespace

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from rochallor.access import ALLOWED, OPEN, Role
from rochallor.transports.grpc.rpcs import RPCS, STREAMS
from rochallor.transports.grpc.servicer import operation_of
from rochallor_proto import contract, engine_pb2_grpc
from rochallor_proto import engine_pb2 as pb

ROLES = [role.value for role in Role]
CALLERS = [*ROLES, "expired", "stranger", "nobody"]
MISSING = "01JD5Q8ZK3M4N5P6R7S8T9V0WX"
BODIES = {
    "uploadDefinition": {"id": "t", "name": "T", "steps": [{"id": "end", "name": "End", "type": "END"}]},
    "startInstance": {"definitionId": "unknown"},
    "pollJobs": {"workerId": "w", "jobTypes": ["none"]},
    "completeJob": {"workerId": "w"},
    "failJob": {"workerId": "w", "retryable": False, "errorMessage": "no"},
    "reportJobs": {"workerId": "w", "outcomes": []},
}
REQUESTS = {
    "UploadDefinition": pb.UploadDefinitionRequest(
        definition=pb.WorkflowDefinition(id="t", name="T", steps=[pb.WorkflowStep(id="end", name="End", type=8)])
    ),
    "PollJobs": pb.PollJobsRequest(worker_id="w", job_types=["none"]),
    "CompleteJob": pb.CompleteJobRequest(job_id=f"{MISSING}-1-1", worker_id="w"),
    "FailJob": pb.FailJobRequest(job_id=f"{MISSING}-1-1", worker_id="w", error_message="no"),
    "ReportJobs": pb.ReportJobsRequest(worker_id="w"),
}


def routes():
    """Return (operation, method, path), path parameters filled with an id that exists nowhere."""
    for template, methods in contract("openapi")["paths"].items():
        for method, entry in methods.items():
            path = template.replace("{version}", "1").replace("/jobs/{id}", f"/jobs/{MISSING}-1-1")
            yield (
                entry["operationId"],
                method.upper(),
                "/".join(MISSING if "{" in part else part for part in path.split("/")),
            )


ROUTES = sorted(routes())


@pytest.fixture
async def doors(secured):
    """A secured engine: `rest` and `grpc` are (operation, caller) -> what the door said."""
    server = await secured()

    async def rest(operation, caller):
        (_, method, path) = next(row for row in ROUTES if row[0] == operation)
        answer = await client.request(method, path, json=BODIES.get(operation), headers=server.headers(caller))
        return answer.status_code

    async def rpc(name, caller):
        request = REQUESTS.get(name) or (RPCS.get(name) or STREAMS[name]).request()
        call = getattr(stub, name)(request, metadata=tuple(server.headers(caller).items()))
        try:
            if name in STREAMS:
                async for _ in call:
                    break
            else:
                await call
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    async with (
        httpx.AsyncClient(base_url=server.addresses.rest) as client,
        grpc.aio.insecure_channel(server.addresses.grpc) as channel,
    ):
        stub = engine_pb2_grpc.WorkflowEngineStub(channel)
        yield SimpleNamespace(rest=rest, grpc=rpc, client=client, channel=channel, headers=server.headers, stub=stub)


def expected(operation, caller):
    """Return what the table declares: allowed, forbidden or unauthorized."""
    if operation in OPEN:
        return "allowed"
    if caller not in ROLES:
        return "unauthorized"
    return "allowed" if Role(caller) in ALLOWED[operation] else "forbidden"


REST_WORDS = {401: "unauthorized", 403: "forbidden"}
GRPC_WORDS = {"UNAUTHENTICATED": "unauthorized", "PERMISSION_DENIED": "forbidden"}


def show(title, rows):
    """Print the table, for those who run with -s."""
    print(f"\n{title:<22}" + "".join(f"{caller:>14}" for caller in CALLERS))  # noqa: T201 - the table is to be seen
    for operation, found in rows.items():
        print(f"{operation:<22}" + "".join(f"{found[caller]:>14}" for caller in CALLERS))  # noqa: T201 - as above


async def test_rest_does_what_the_table_declares(doors):
    """Every operation is tried with every role and with an expired, a wrong and no token."""
    found = {}
    for operation, _, _ in ROUTES:
        statuses = {caller: await doors.rest(operation, caller) for caller in CALLERS}
        assert not {status for status in statuses.values() if status >= 500}, (operation, statuses)
        found[operation] = {caller: REST_WORDS.get(status, "allowed") for caller, status in statuses.items()}
    show("REST", found)
    assert found == {row[0]: {caller: expected(row[0], caller) for caller in CALLERS} for row in ROUTES}


async def test_grpc_does_what_the_table_declares(doors):
    """The same over gRPC, rpc by rpc; what is answered beyond the check is the engine's own answer."""
    found = {}
    for name in (*RPCS, *STREAMS):
        statuses = {caller: await doors.grpc(name, caller) for caller in CALLERS}
        assert not set(statuses.values()) & {"UNKNOWN", "INTERNAL", "UNAVAILABLE"}, (name, statuses)
        found[name] = {caller: GRPC_WORDS.get(status, "allowed") for caller, status in statuses.items()}
    show("gRPC", found)
    names = {entry["rpc"] for entry in contract("mapping")["rpcs"]}
    assert found == {name: {caller: expected(operation_of(name), caller) for caller in CALLERS} for name in names}


@pytest.mark.parametrize(("caller", "status"), [("nobody", 401), ("stranger", 401), ("expired", 401), ("reader", 403)])
async def test_a_refusal_over_rest_is_the_contract_s(doors, caller, status):
    """Status, word, one sentence in both fields, `WWW-Authenticate` with 401, and nothing to keep in a cache."""
    answer = await doors.client.post("/v1/jobs/poll", json=BODIES["pollJobs"], headers=doors.headers(caller))
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, REST_WORDS[status])
    assert body["message"] == body["reason"]
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert answer.headers["cache-control"] == "no-store"


async def test_a_refusal_over_grpc_has_its_details(doors):
    """The status carries ErrorInfo, like every other refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await doors.stub.GetInstance(pb.GetInstanceRequest(id="x"))
    status = rpc_status.from_call(caught.value)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == ("UNAUTHORIZED", "workflow.v1")


async def test_probes_over_grpc_need_no_token(doors):
    """grpc.health.v1 answers everybody."""
    health = health_pb2_grpc.HealthStub(doors.channel)
    answer = await health.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_what_is_not_there_is_told_without_a_token(doors):
    """An unknown route, a wrong method, an unknown rpc: the contract is no secret, so 404, 405, UNIMPLEMENTED."""
    assert (await doors.client.get("/v2")).status_code == 404
    assert (await doors.client.delete("/v1/instances")).status_code == 405
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await doors.channel.unary_unary("/workflow.v1.WorkflowEngine/Drop")(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_page_of_another_origin_sees_why_it_is_refused(secured):
    """CORS headers are on a 401 too, and a preflight needs no token."""
    server = await secured(cors_origins=("https://app.example",))
    origin = {"origin": "https://app.example"}
    asking = {**origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    async with httpx.AsyncClient(base_url=server.addresses.rest) as client:
        refused = await client.get("/v1/instances", headers=origin)
        preflight = await client.options("/v1/instances", headers=asking)
        other = await client.get("/v1/instances", headers={"origin": "https://evil.example"})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://app.example")
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, "https://app.example")
    assert "access-control-allow-origin" not in other.headers
