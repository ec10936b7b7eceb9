"""Long polls and awaits end when their time has passed on either clock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

TASK = {"id": "work", "type": "SERVICE_TASK", "jobType": "work", "nextStep": "end"}
END = {"id": "end", "type": "END"}


def parked(user: Any, count: int = 1) -> None:
    """Return when so many callers wait inside the stub."""
    while user.stub.state()["waiting"] < count:
        pass


def test_a_long_poll_ends_when_the_clock_is_moved_past_its_wait(user: Any) -> None:
    """Half a minute of waiting costs no real time."""
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(user.poll, waitMs=30_000)
        parked(user)
        user.stub.advance(30)
        assert answer.result(timeout=10) == []


def test_a_long_poll_ends_in_real_time_too(user: Any) -> None:
    """A worker whose test never moves the clock does not hang."""
    assert user.poll(waitMs=10) == []


def test_a_long_poll_gets_a_job_that_becomes_ready_while_time_passes(user: Any) -> None:
    """A retry with backoff reaches the worker that waits for it."""
    user.upload({**TASK, "retryCount": 1}, END)
    user.start()
    [job] = user.poll()
    failed = {"workerId": "w", "errorMessage": "no", "retryable": True, "retryAfterMs": 20_000}
    user.call("POST", f"/v1/jobs/{job['id']}/fail", failed)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(user.poll, waitMs=30_000)
        parked(user)
        user.stub.advance(20)
        assert [found["attempt"] for found in answer.result(timeout=10)] == [2]


def test_an_await_ends_when_the_clock_is_moved_past_its_wait(user: Any) -> None:
    """`await` answers what there is once its virtual time is over."""
    user.upload(TASK, END)
    instance = user.start()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(user.call, "GET", f"/v1/instances/{instance}/await?waitMs=20000")
        parked(user)
        user.stub.advance(20)
        assert answer.result(timeout=10)["reached"] is False


def test_an_await_ends_in_real_time_too(user: Any) -> None:
    """Nobody waits longer than they said."""
    user.upload(TASK, END)
    assert user.call("GET", f"/v1/instances/{user.start()}/await?waitMs=10")["reached"] is False


def test_nobody_waits_while_the_stub_is_impatient(user: Any) -> None:
    """A poll that waits is answered at once, and so is one that comes later."""
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(user.poll, waitMs=30_000)
        parked(user)
        with user.stub.impatient():
            assert (waiting.result(timeout=10), user.poll(waitMs=30_000)) == ([], [])
