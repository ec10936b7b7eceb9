"""The mock engine over gRPC. An engine of the first generation has no `ReportJobs`, which gRPC itself then says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from rochallor_proto import engine_pb2 as pb

from bench.sdk.ledger import Given, Ledger
from bench.sdk.modes import JOB_TYPE

_SERVICE = pb.DESCRIPTOR.services_by_name["WorkflowEngine"].full_name
_COMPLETED = pb.CompleteJobResponse()


async def serve(ledger: Ledger, *, ours: bool) -> tuple[grpc.aio.Server, int]:
    """Start to serve a ledger; return the server and its port."""

    def jobs(given: list[Given]) -> list[pb.Job]:
        return [_job(each, ours=ours) for each in given]

    async def poll(request: pb.PollJobsRequest, _: Any) -> pb.PollJobsResponse:
        if ledger.may_wait:
            return pb.PollJobsResponse(jobs=jobs(await ledger.claim_held(request.wait_ms)))
        return pb.PollJobsResponse(jobs=jobs(ledger.claim(request.max_jobs)))

    async def complete(request: pb.CompleteJobRequest, _: Any) -> pb.CompleteJobResponse:
        ledger.complete([request.job_id])
        return _COMPLETED

    async def fail(_request: pb.FailJobRequest, _: Any) -> pb.FailJobResponse:
        ledger.failed += 1
        return pb.FailJobResponse()

    async def report(request: pb.ReportJobsRequest, _: Any) -> pb.ReportJobsResponse:
        outcomes = [(each.job_id, each.WhichOneof("result")) for each in request.outcomes]
        ledger.complete([job_id for job_id, what in outcomes if what == "completed"])
        ledger.failed += sum(what == "failed" for _, what in outcomes)
        results = [pb.JobOutcomeResult(job_id=job_id, status=pb.JOB_OUTCOME_STATUS_ACCEPTED) for job_id, _ in outcomes]
        most = request.poll.max_jobs if not ledger.may_wait else 0
        return pb.ReportJobsResponse(results=results, jobs=jobs(ledger.claim(most)) if most else ())

    methods: dict[str, tuple[Callable[[Any, Any], Awaitable[Any]], Any]] = {
        "PollJobs": (poll, pb.PollJobsRequest),
        "CompleteJob": (complete, pb.CompleteJobRequest),
        "FailJob": (fail, pb.FailJobRequest),
    }
    if ours:
        methods["ReportJobs"] = (report, pb.ReportJobsRequest)
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(method, request.FromString, _serialized)
        for name, (method, request) in methods.items()
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port


def _serialized(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def _job(given: Given, *, ours: bool) -> pb.Job:
    job = pb.Job(
        id=given.job_id,
        job_type=JOB_TYPE,
        instance_id="instance-1",
        step_id="step-1",
        step_execution_id=f"exec-{given.job_id}",
        retries_remaining=3,
    )
    job.lock_expires_at.seconds = 4_070_908_800
    if ours:
        job.variables_json = b'{"customer":"c-1","amount":1200,"atNs":%d}' % given.at_ns
        job.lease_token, job.attempt, job.definition_id, job.definition_version = "token-1", 1, "bench", 1
    else:
        job.variables.update({"customer": "c-1", "amount": 1200})
    return job
