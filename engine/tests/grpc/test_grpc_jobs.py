"""Polls, results and batches of results over gRPC."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from rochallor.shell.requests import Poll
from rochallor.shell.views import OutcomeResult, ReportView
from rochallor_proto import engine_pb2 as pb


async def test_a_poll_gives_the_variables_as_a_struct(engine, stub, job_view):
    """An old client finds what it knows: the Struct filled, the JSON empty."""
    engine.script["poll_jobs"] = [job_view]
    job = (await stub.PollJobs(pb.PollJobsRequest(worker_id="w", job_types=["credit"]))).jobs[0]
    assert (job.variables["big"], job.variables_json) == (9007199254740992.0, b"")


async def test_a_poll_for_json_gives_exact_integers(engine, stub, job_view):
    """json_variables fills variables_json instead of the Struct."""
    engine.script["poll_jobs"] = [job_view]
    request = pb.PollJobsRequest(worker_id="w", job_types=["credit"], json_variables=True)
    job = (await stub.PollJobs(request)).jobs[0]
    assert job.variables_json == b'{"big":9007199254740993}'
    assert not job.HasField("variables")


async def test_a_job_carries_its_context(engine, stub, job_view):
    """Token, attempt, definition and times arrive."""
    engine.script["poll_jobs"] = [job_view]
    job = (await stub.PollJobs(pb.PollJobsRequest(worker_id="w", job_types=["credit"]))).jobs[0]
    assert (job.lease_token, job.attempt, job.definition_id, job.definition_version) == ("t1", 1, "loan", 3)
    assert job.lock_expires_at.ToJsonString() == "2026-03-01T12:00:00.123Z"


async def test_a_poll_that_does_not_say_how_many_gets_one(engine, stub):
    """The default of jobs per poll is gRPC's own."""
    engine.script["poll_jobs"] = []
    await stub.PollJobs(pb.PollJobsRequest(worker_id="w", job_types=["a", "b"], lease_seconds=5, wait_ms=20))
    poll = Poll(worker_id="w", job_types=["a", "b"], max_jobs=0, lease_seconds=5, wait_ms=20)
    name, arguments, options = engine.last
    assert (name, arguments, options["default_max_jobs"]) == ("poll_jobs", (poll,), 1)


async def test_a_poll_for_structs_gets_less_so_that_old_clients_can_read_it(engine, stub):
    """Variables as a Struct take several times the bytes, and clients refuse messages over 4 MiB."""
    room = []
    for as_json in (True, False):
        engine.script["poll_jobs"] = []
        await stub.PollJobs(pb.PollJobsRequest(worker_id="w", job_types=["a"], json_variables=as_json))
        room.append(engine.last[2]["max_bytes"])
    assert room == [3 * 1024 * 1024, 512 * 1024]


async def test_a_poll_answers_before_its_deadline(engine, stub):
    """The wait is cut to the caller's deadline, so that jobs are not claimed for nobody."""
    engine.script["poll_jobs"] = []
    await stub.PollJobs(pb.PollJobsRequest(worker_id="w", job_types=["a"], wait_ms=30_000), timeout=5)
    assert 1_000 < engine.last[1][0].wait_ms < 5_000


async def test_a_client_that_goes_away_ends_its_wait(engine, stub):
    """Cancelling the call cancels the engine's wait."""
    waiting, ended = asyncio.Event(), asyncio.Event()

    async def wait(*_args, **_kwargs):
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    engine.script["poll_jobs"] = wait
    call = stub.PollJobs(pb.PollJobsRequest(worker_id="w", job_types=["a"], wait_ms=30_000))
    running = asyncio.ensure_future(call)
    await waiting.wait()
    call.cancel()
    await asyncio.wait_for(ended.wait(), 5)
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_deadline_ends_the_wait(engine, house):
    """A call past its deadline does not linger in the engine."""
    ended = asyncio.Event()

    async def wait(*_args, **_kwargs):
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    engine.script["poll_jobs"] = wait
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await house.stub.PollJobs(pb.PollJobsRequest(worker_id="w", job_types=["a"], wait_ms=9_000), timeout=0.05)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(ended.wait(), 5)


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ({}, None),
        ({"variables_to_set": {}}, b"{}"),
        ({"variables_to_set": {"a": 10.0, "b": 0.5, "c": None}}, b'{"a":10,"b":0.5,"c":null}'),
        ({"variables_json": b'{"n":9007199254740993}'}, b'{"n":9007199254740993}'),
        ({"variables_to_set": {"n": 1}, "variables_json": b'{"n":2}'}, b'{"n":2}'),
    ],
    ids=["absent", "empty", "struct", "json", "json wins"],
)
async def test_a_completion_brings_its_variables(engine, stub, sent, received):
    """Struct and JSON are two ways to say the same; absent and empty differ."""
    await stub.CompleteJob(pb.CompleteJobRequest(job_id="j", worker_id="w", lease_token="t", **sent))
    name, args, kwargs = engine.last
    variables = kwargs.pop("variables")
    assert (name, args, kwargs) == ("complete_job", ("j", "w"), {"lease_token": "t"})
    assert variables == received or sorted(variables) == sorted(received)


async def test_a_failure_arrives_whole(engine, stub):
    """Every field of FailJob reaches the engine."""
    request = pb.FailJobRequest(
        job_id="j",
        worker_id="w",
        retryable=True,
        error_message="no",
        retry_after_ms=50,
        error_code="E",
        lease_token="t",
    )
    await stub.FailJob(request)
    expected = {"message": "no", "retryable": True, "lease_token": "t", "retry_after_ms": 50, "error_code": "E"}
    assert engine.last == ("fail_job", ("j", "w"), expected)


async def test_a_report_brings_every_kind_of_outcome(engine, stub, job_view):
    """Completed, failed, extended and empty outcomes arrive in order, with the poll that follows."""
    results = [OutcomeResult(job_id=str(n), status="ACCEPTED") for n in range(4)]
    engine.script["report_jobs"] = ReportView(results=results, jobs=[job_view])
    request = pb.ReportJobsRequest(
        worker_id="w",
        outcomes=[
            pb.JobOutcome(job_id="0", completed=pb.JobCompleted(variables_json=b'{"a":1}')),
            pb.JobOutcome(job_id="1", failed=pb.JobFailed(error_message="no", retryable=True, retry_after_ms=5)),
            pb.JobOutcome(job_id="2", extend=pb.LeaseExtension(lease_seconds=60)),
            pb.JobOutcome(job_id="3", lease_token="t"),
        ],
        poll=pb.PollJobsRequest(job_types=["credit"], json_variables=True),
    )
    response = await stub.ReportJobs(request)
    report = engine.last[1][0]
    first, second, third, fourth = report.outcomes
    assert bytes(first.completed.variables) == b'{"a":1}'
    assert (second.failed.error_message, second.failed.retry_after_ms) == ("no", 5)
    assert third.extend.lease_seconds == 60
    assert (fourth.completed, fourth.failed, fourth.extend, fourth.lease_token) == (None, None, None, "t")
    assert report.poll.worker_id == "w"
    assert [each.status for each in response.results] == [pb.JOB_OUTCOME_STATUS_ACCEPTED] * 4
    assert response.jobs[0].variables_json


async def test_a_report_without_a_poll_polls_nothing(engine, stub):
    """An absent poll is no poll, and an extended lease tells its new end."""
    result = OutcomeResult(job_id="j", status="REJECTED", message="why")
    engine.script["report_jobs"] = ReportView(results=[result], jobs=[])
    response = await stub.ReportJobs(pb.ReportJobsRequest(worker_id="w", outcomes=[pb.JobOutcome(job_id="j")]))
    assert engine.last[1][0].poll is None
    assert (response.results[0].status, response.results[0].message) == (pb.JOB_OUTCOME_STATUS_REJECTED, "why")
