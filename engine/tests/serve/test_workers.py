"""WE_WORKERS: several processes behind one set of ports, looked after by one more."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from rochallor.access import hash_of
from rochallor.cli.failures import Failure
from rochallor.cli.remote import RemoteEngine
from rochallor_proto import engine_pb2, engine_pb2_grpc

pytestmark = pytest.mark.slow

HELLO = {
    "id": "hello",
    "name": "Hello",
    "steps": [
        {"id": "greet", "name": "Greet", "type": "SERVICE_TASK", "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}


class Family:
    """`serve` with two workers: its log lines by event, and who it is made of."""

    def __init__(self, process):
        self.process = process
        self.addresses = process.until("ready")
        self.remote = RemoteEngine(self.addresses["rest"])

    def workers(self):
        """Return the process ids of the workers."""
        parent = self.process.process.pid
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]

    def lines_until_both(self, event):
        """Return the numbers of the workers that have logged `event`, once there are two."""
        seen = set()
        while len(seen) < 2:
            seen.add(self.process.until(event).get("worker"))
        return seen

    def metric(self, name):
        with urllib.request.urlopen(self.addresses["metrics"], timeout=30) as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


@pytest.fixture
def family(rochallor, postgres_database):
    return Family(rochallor("serve", WE_WORKERS="2", WE_POSTGRES_DSN=postgres_database))


def started(remote, count):
    """Start instances, each over a connection of its own."""
    with ThreadPoolExecutor(8) as callers:
        return list(callers.map(lambda _: remote.post("instances", body={"definitionId": "hello"})["id"], range(count)))


class Ends:
    """Watches processes that are not children of this one."""

    def __init__(self, pids):
        self.handles = [os.pidfd_open(pid) for pid in pids]

    def wait(self):
        """Return when all have ended; fails when one does not."""
        for handle in self.handles:
            assert select.select([handle], [], [], 30)[0], "a worker did not end"
            os.close(handle)


def test_both_workers_answer_and_their_metrics_add_up(family):
    """Forty connections reach both processes, and the page counts all forty starts once."""
    family.remote.post("definitions", body=HELLO)
    started(family.remote, 40)
    assert family.lines_until_both("request") == {1, 2}
    assert family.metric("workflow_instances_started_total") == 40
    assert family.metric("rochallor_waiting_jobs") == 40


def test_grpc_is_served_by_the_same_workers(family):
    """What REST has started is polled over gRPC."""
    family.remote.post("definitions", body=HELLO)
    ids = started(family.remote, 3)
    with grpc.insecure_channel(family.addresses["grpc"]) as channel:
        stub = engine_pb2_grpc.WorkflowEngineStub(channel)
        wish = engine_pb2.PollJobsRequest(worker_id="w", job_types=["greet"], max_jobs=10)
        assert {job.instance_id for job in stub.PollJobs(wish).jobs} == set(ids)


def test_long_polls_at_both_workers_are_served_by_a_start_at_one(family):
    """Sixteen polls wait, over as many connections; sixteen jobs started one after another reach every one of them."""
    family.remote.post("definitions", body=HELLO)
    wish = {"workerId": "w", "jobTypes": ["greet"], "maxJobs": 1, "waitMs": 25_000}
    with ThreadPoolExecutor(16) as callers:
        polls = [callers.submit(family.remote.post, "jobs", "poll", body=wish) for _ in range(16)]
        while family.metric("rochallor_pollers") < 16:
            pass
        ids = started(family.remote, 16)
        assert {job["instanceId"] for poll in polls for job in poll.result(timeout=25)["jobs"]} == set(ids)


def test_killed_worker_is_replaced_and_nothing_is_lost(family):
    """After kill -9 of one worker the other goes on, a new one comes, and no count on the page has fallen."""
    family.remote.post("definitions", body=HELLO)
    before = started(family.remote, 10)
    assert family.metric("workflow_instances_started_total") == 10
    first, second = family.workers()
    os.kill(first, signal.SIGKILL)
    family.process.until("a worker ended and is replaced")
    assert family.process.until("worker ready")["pid"] != first
    assert second in family.workers()
    assert {family.remote.get("instances", each)["status"] for each in before} == {"ACTIVE"}
    assert family.metric("workflow_instances_started_total") == 10


def test_sigterm_while_a_worker_is_replaced_ends_well(rochallor, postgres_database):
    """Who has just been started has nothing to finish, and who died before is no reason to exit with 1."""
    family = Family(rochallor("serve", WE_WORKERS="2", WE_POSTGRES_DSN=postgres_database))
    workers = family.workers()
    os.kill(workers[0], signal.SIGKILL)
    family.process.until("a worker ended and is replaced")
    family.process.signal(signal.SIGTERM)
    assert family.process.ended() == 0
    Ends([workers[1]] if Path(f"/proc/{workers[1]}").exists() else []).wait()


def test_sighup_reaches_a_worker_that_is_still_starting(rochallor, postgres_database, tmp_path):
    """The order to read the tokens anew waits until it can be followed; a signal would have ended the worker."""
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(json.dumps([{"name": "one", "role": "admin", "hash": hash_of("first")}]))
    settings = {"WE_POSTGRES_DSN": postgres_database, "WE_AUTH_TOKENS_FILE": str(tokens), "WE_HOST": "127.0.0.1"}
    process = rochallor("serve", WE_WORKERS="2", **settings)
    url = process.until("ready")["rest"]
    parent = process.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children")
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    process.until("a worker ended and is replaced")
    while len(children.read_text().split()) < 2:
        pass
    tokens.write_text(json.dumps([{"name": "two", "role": "admin", "hash": hash_of("second")}]))
    process.signal(signal.SIGHUP)
    process.until("worker ready")
    for _ in range(8):  # each over a connection of its own: refused by none of the two
        RemoteEngine(url, "second").get("instances")
    with pytest.raises(Failure, match="does not know this token"):
        RemoteEngine(url, "first").get("instances")


def test_sigterm_answers_who_waits_and_leaves_nobody_behind(family):
    """Long polls are answered, the exit code is 0, and no worker stays."""
    family.remote.post("definitions", body=HELLO)
    answers = []
    wish = {"workerId": "w", "jobTypes": ["none"], "waitMs": 30_000}
    waiting = threading.Thread(target=lambda: answers.append(family.remote.post("jobs", "poll", body=wish)))
    waiting.start()
    while not family.metric("rochallor_pollers"):
        pass
    workers = Ends(family.workers())
    family.process.signal(signal.SIGTERM)
    waiting.join(timeout=29)
    assert (answers, family.process.ended()) == ([{"jobs": []}], 0)
    workers.wait()


def test_workers_end_with_the_process_that_looked_after_them(family):
    """A parent that is killed leaves no worker on the port."""
    workers = Ends(family.workers())
    family.process.signal(signal.SIGKILL)
    workers.wait()
    port = int(family.addresses["rest"].rpartition(":")[2])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize(
    ("variables", "code", "sentence"),
    [
        ({"WE_SQLITE_PATH": "x.db"}, 2, "set WE_POSTGRES_DSN too"),
        ({"WE_POSTGRES_DSN": "postgresql://127.0.0.1:1/x"}, 1, "ended before it could serve"),
    ],
)
def test_workers_that_cannot_work_are_a_sentence_and_an_exit_code(rochallor, variables, code, sentence):
    """Without a database to share, or with one that is away, nothing is left running."""
    process = rochallor("serve", WE_WORKERS="2", **variables)
    assert process.ended() == code
    assert sentence in "".join(iter(process.lines.get, None))


def test_port_in_use_is_refused(rochallor, postgres_database):
    """A port that another program listens on is not shared with it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        process = rochallor("serve", WE_WORKERS="2", WE_POSTGRES_DSN=postgres_database, WE_REST_PORT=port)
        assert "address already in use" in process.until("cannot start")["reason"]
        assert process.ended() == 1
