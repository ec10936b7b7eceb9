"""What a REST client gets to feel when a fault is scripted."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from rochallor_stub import StubError


@pytest.fixture
def job(user: Any) -> Any:
    """A job that worker `w` holds."""
    user.upload()
    user.start()
    return user.poll()[0]


def completing(user: Any, job: Any) -> httpx.Response:
    return user.http.post(f"{user.stub.url}/v1/jobs/{job['id']}/complete", json={"workerId": "w"})


def test_a_dropped_request_is_never_seen_by_the_engine(user: Any, job: Any) -> None:
    """The connection ends without an answer, and nothing was done."""
    user.stub.faults.drop_before("completeJob")
    with pytest.raises(httpx.ReadError):
        completing(user, job)
    assert user.get(job["instanceId"])["status"] == "ACTIVE"


def test_a_lost_acknowledgement_was_processed(user: Any, job: Any) -> None:
    """The connection ends without an answer, and the work is done."""
    user.stub.faults.drop_after("completeJob")
    with pytest.raises(httpx.ReadError):
        completing(user, job)
    assert user.get(job["instanceId"])["status"] == "COMPLETED"


def test_a_drop_resets_the_connection(user: Any) -> None:
    """The client's socket sees RST, not an orderly end."""
    user.stub.faults.drop_before("healthz")
    host, port = user.stub.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as door:
        door.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            door.recv(1)


def test_a_duplicate_is_processed_twice(user: Any) -> None:
    """One request to start makes two instances, and the second one is answered."""
    user.upload()
    user.stub.faults.duplicate("startInstance")
    answered = user.start()
    items = user.call("GET", "/v1/instances")["items"]
    assert len(items) == 2
    assert answered in {item["id"] for item in items}


def test_a_scripted_status_is_answered_instead_of_the_engine(user: Any, job: Any) -> None:
    """Status, body and Retry-After are what the script says; the engine is not asked."""
    user.stub.faults.status("completeJob", status=503, body={"error": "busy"}, retry_after_s=7)
    answer = completing(user, job)
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (503, {"error": "busy"}, "7")
    assert user.get(job["instanceId"])["status"] == "ACTIVE"


def test_a_scripted_status_may_lie_about_work_that_was_done(user: Any, job: Any) -> None:
    """With `after` the engine has processed the request that is answered with 500."""
    user.stub.faults.status("completeJob", status=500, after=True)
    assert completing(user, job).status_code == 500
    assert user.get(job["instanceId"])["status"] == "COMPLETED"


def test_garbage_is_success_without_sense(user: Any, job: Any) -> None:
    """The answer is 200 and cannot be read; the work is done."""
    user.stub.faults.garbage("completeJob")
    answer = completing(user, job)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"."):
        answer.json()
    assert user.get(job["instanceId"])["status"] == "COMPLETED"


def test_a_half_close_ends_in_the_middle_of_the_body(user: Any) -> None:
    """Half of the announced bytes come, then the end."""
    user.upload()
    user.stub.faults.half_close("startInstance")
    with pytest.raises(httpx.RemoteProtocolError, match="received 95 bytes, expected 190"):
        user.start()
    assert user.call("GET", "/v1/instances")["total"] == 1


def test_a_half_close_of_an_answer_without_body_ends_in_its_head(user: Any, job: Any) -> None:
    """204 has no body to cut."""
    user.stub.faults.half_close("completeJob")
    with pytest.raises(httpx.RemoteProtocolError):
        completing(user, job)


def test_a_delay_lasts_until_the_clock_is_moved(user: Any, job: Any) -> None:
    """The engine sees the request when its time has come."""
    user.stub.faults.delay("completeJob", seconds=5)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(completing, user, job)
        while user.stub.state()["waiting"] < 1:
            pass
        before = user.get(job["instanceId"])["status"]
        user.stub.advance(5)
        assert (before, user.get(job["instanceId"])["completedAt"]) == ("ACTIVE", "2026-01-01T00:00:05.000Z")
        assert answer.result(timeout=10).status_code == 204


def test_a_delayed_answer_is_of_work_done_before(user: Any, job: Any) -> None:
    """With `after` the engine works at once and only the answer is late."""
    user.stub.faults.delay("completeJob", seconds=5, after=True)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(completing, user, job)
        while user.stub.state()["waiting"] < 1:
            pass
        assert user.get(job["instanceId"])["status"] == "COMPLETED"
        user.stub.advance(5)
        assert answer.result(timeout=10).status_code == 204


def test_a_delay_may_be_real(user: Any, job: Any) -> None:
    """A real delay moves no clock."""
    user.stub.faults.delay("completeJob", seconds=0.01, real=True)
    completing(user, job)
    assert user.stub.now.second == 0


def test_a_lease_that_runs_out_makes_the_report_late(user: Any, job: Any) -> None:
    """The report finds that its job was given back: it succeeds and changes nothing."""
    user.stub.faults.expire_lease("completeJob")
    assert completing(user, job).status_code == 204
    assert [each["attempt"] for each in user.poll()] == [2]


def test_a_lease_can_run_out_as_soon_as_it_was_given(user: Any) -> None:
    """A worker that polls holds nothing; the next poll gets the same job."""
    user.upload()
    user.start()
    user.stub.faults.expire_lease("pollJobs")
    assert [[job["attempt"] for job in user.poll()] for _ in range(2)] == [[1], [2]]


def test_a_clock_jump_comes_before_the_request(user: Any, job: Any) -> None:
    """The clock is an hour further when the report is judged, so its lease is over."""
    user.stub.faults.clock_jump("completeJob", seconds=3600)
    completing(user, job)
    assert (user.stub.now.hour, user.get(job["instanceId"])["status"]) == (1, "ACTIVE")


def test_a_stream_can_be_cut(user: Any, job: Any) -> None:
    """A watcher loses its connection after the first event."""
    user.stub.faults.half_close("watchInstance")
    with (
        pytest.raises(httpx.RemoteProtocolError),
        user.http.stream("GET", f"{user.stub.url}/v1/instances/{job['instanceId']}/events") as events,
    ):
        list(events.iter_lines())


@pytest.mark.parametrize(
    ("where", "hit"),
    [
        ({"operation": "startInstance"}, [1]),
        ({"operation": "getInstance"}, []),
        ({"path": "/v1/inst*"}, [1]),
        ({"path": "/v1/inst*", "method": "GET"}, []),
        ({"operation": "startInstance", "nth": 2, "times": 2}, [2, 3]),
        ({"operation": "startInstance", "nth": 3, "times": None}, [3, 4]),
        ({"operation": "startInstance", "transport": "grpc"}, []),
    ],
)
def test_a_fault_meets_what_it_was_planted_for(user: Any, where: dict[str, Any], hit: list[int]) -> None:
    """Operation, path, method, transport, nth and times select exchanges, and nothing else is touched."""
    user.upload()
    user.stub.faults.status(status=500, **where)
    answers = [user.http.post(f"{user.stub.url}/v1/instances", json={"definitionId": "flow"}) for _ in range(4)]
    met = [number for number, answer in enumerate(answers, start=1) if answer.status_code == 500]
    assert met == (hit if "nth" in where else hit[:1])


@pytest.mark.parametrize("operation", ["pollJobs", "completeJob"])
def test_a_fault_can_be_for_one_job_type(user: Any, operation: str) -> None:
    """Polls are known by the types they ask for, reports by the type of their job."""
    for kind in ("good", "bad"):
        user.upload({"id": "do", "type": "SERVICE_TASK", "jobType": kind, "nextStep": "end"}, _END, id=kind)
        user.start(kind)
    jobs = [] if operation == "pollJobs" else [user.poll(kind)[0] for kind in ("good", "bad")]
    user.stub.faults.status(operation, status=500, job_type="bad", times=None)
    if operation == "pollJobs":
        url, bodies = f"{user.stub.url}/v1/jobs/poll", [{"jobTypes": ["good"]}, {"jobTypes": ["bad"]}]
        answers = [user.http.post(url, json={"workerId": "w", **body}).status_code for body in bodies]
        assert answers == [200, 500]
    else:
        assert [completing(user, job).status_code for job in jobs] == [204, 500]


_END = {"id": "end", "type": "END"}


def test_a_fault_that_could_meet_nothing_is_refused(stub: Any) -> None:
    """A misspelt operation is a mistake of the test, and the sentence lists the right ones."""
    with pytest.raises(StubError, match="completeJob"):
        stub.faults.drop_after("completeJobs")


def test_a_fault_taken_out_meets_nothing(user: Any) -> None:
    """What was removed is gone."""
    number = user.stub.faults.status("healthz", status=500)
    user.stub.faults.remove(number)
    assert user.call("GET", "/healthz") == {"status": "ok"}
