"""The mock engine and the plain loop: what the SDK's figures rest on."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from bench.sdk.ledger import Ledger
from bench.sdk.plain import work
from bench.sdk.rest_engine import RestEngine
from bench.wire import Connection


async def served(ledger, *, ours):
    """Serve a ledger; return the server and a connection to it."""
    server = await asyncio.get_running_loop().create_server(lambda: RestEngine(ledger, ours=ours), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    return server, await Connection.open("127.0.0.1", port)


async def test_an_engine_of_the_first_generation_takes_one_report_per_call():
    """Without batches there are no lease tokens either, and a batch is told that there is no such route."""
    ledger = Ledger("endless", holds_polls=False)
    server, connection = await served(ledger, ours=False)
    jobs = json.loads(await connection.post("/v1/jobs/poll", b'{"maxJobs":3,"waitMs":2000}'))["jobs"]
    await connection.post(f"/v1/jobs/{jobs[0]['id']}/complete", b"{}")
    with pytest.raises(RuntimeError, match="404"):
        await connection.post("/v1/jobs/report", b'{"outcomes":[]}')
    connection.close()
    server.close()
    assert "leaseToken" not in jobs[0]
    assert ledger.figures() == {"polls": 1, "completed": 1, "failed": 0, "strays": 0, "out": 2}


async def test_our_engine_takes_reports_together_with_a_poll():
    """One call ends the jobs of the last one and brings the next, with tokens."""
    ledger = Ledger("endless", holds_polls=True)
    server, connection = await served(ledger, ours=True)
    jobs = json.loads(await connection.post("/v1/jobs/poll", b'{"maxJobs":2}'))["jobs"]
    outcomes = [{"jobId": job["id"], "completed": {"variables": {}}} for job in jobs]
    asked = {"outcomes": outcomes, "poll": {"maxJobs": 2}}
    answer = json.loads(await connection.post("/v1/jobs/report", json.dumps(asked).encode()))
    connection.close()
    server.close()
    assert [result["status"] for result in answer["results"]] == ["ACCEPTED", "ACCEPTED"]
    assert all(job["leaseToken"] and job["variables"]["amount"] == 1200 for job in answer["jobs"])
    assert ledger.figures() == {"polls": 2, "completed": 2, "failed": 0, "strays": 0, "out": 2}


def test_a_job_that_is_reported_twice_is_seen():
    """A worker that reports a job twice, or one that it never had, would make a figure void."""
    ledger = Ledger("endless", holds_polls=False)
    job = ledger.claim(1)[0].job_id
    ledger.complete([job, job, "job-of-somebody-else"])
    assert (ledger.completed, ledger.strays) == (1, 2)


async def test_the_plain_loop_finishes_what_it_claimed():
    """However it is stopped, every job that it claimed is reported once."""
    ledger, stop, handled = Ledger("endless", holds_polls=False), threading.Event(), []
    server, connection = await served(ledger, ours=False)
    port = server.sockets[0].getsockname()[1]

    def handler(job):
        handled.append(job["id"])
        if len(handled) >= 20:
            stop.set()
        return {}

    url = f"http://127.0.0.1:{port}"
    await asyncio.to_thread(work, url, "bench", handler, parallelism=4, sleep_s=0.0, stop=stop)
    connection.close()
    server.close()
    assert ledger.figures() == {
        "polls": ledger.polls,
        "completed": len(handled),
        "failed": 0,
        "strays": 0,
        "out": 0,
    }
    assert len(set(handled)) == len(handled) >= 20
