"""What a gRPC client gets to feel when a fault is scripted."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@pytest.fixture
def job(user: Any, rpc: Any) -> Any:
    """A job that worker `w` holds."""
    user.upload()
    user.start()
    return rpc("PollJobs", workerId="w", jobTypes=["work"]).jobs[0]


def refused(rpc: Any, job: Any) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        rpc("CompleteJob", jobId=job.id, workerId="w")
    return caught.value


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        ("drop_before", ("UNAVAILABLE", "ACTIVE")),
        ("drop_after", ("UNAVAILABLE", "COMPLETED")),
        ("half_close", ("UNAVAILABLE", "COMPLETED")),
        ("garbage", ("INTERNAL", "COMPLETED")),
    ],
)
def test_a_fault_ends_the_call(user: Any, rpc: Any, job: Any, fault: str, ends: tuple[str, str]) -> None:
    """The client sees the status of a connection that broke, or of bytes that are no message."""
    code, status = ends
    getattr(user.stub.faults, fault)("completeJob")
    assert refused(rpc, job).code().name == code
    assert user.get(job.instance_id)["status"] == status


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "UNAVAILABLE"), (500, "INTERNAL"), (429, "RESOURCE_EXHAUSTED"), (504, "DEADLINE_EXCEEDED")],
)
def test_a_scripted_status_has_an_equivalent(user: Any, rpc: Any, job: Any, *, status: int, code: str) -> None:
    """An HTTP status becomes what the contract's error table pairs it with."""
    user.stub.faults.status("completeJob", status=status)
    assert refused(rpc, job).code().name == code


def test_a_scripted_status_says_when_to_come_back(user: Any, rpc: Any, job: Any) -> None:
    """`retry_after_s` travels as RetryInfo."""
    user.stub.faults.status("completeJob", status=503, retry_after_s=7)
    info = error_details_pb2.RetryInfo()
    status = rpc_status.from_call(refused(rpc, job))
    assert status.details[0].Unpack(info)
    assert info.retry_delay.seconds == 7


def test_a_duplicate_is_processed_twice(user: Any, rpc: Any) -> None:
    """One call to start makes two instances."""
    user.upload()
    user.stub.faults.duplicate("startInstance", transport="grpc")
    rpc("StartInstance", definitionId="flow")
    assert user.call("GET", "/v1/instances")["total"] == 2


def test_a_refusal_of_the_engine_arrives_whole(rpc: Any) -> None:
    """Status and details of an ordinary error are the engine's own."""
    with pytest.raises(grpc.RpcError) as caught:
        rpc("GetInstance", id="nobody")
    assert caught.value.code().name == "NOT_FOUND"
    assert rpc_status.from_call(caught.value).details


def test_a_stream_can_be_cut(user: Any, rpc: Any, job: Any) -> None:
    """A watcher loses its call after the first event."""
    user.stub.faults.half_close("watchInstance")
    events = rpc("WatchInstance", id=job.instance_id)
    next(events)
    with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
        next(events)
