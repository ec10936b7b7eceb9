"""Whole lives of instances over REST, on a real engine over the memory store."""

from __future__ import annotations

import json

import pytest
from rochallor.shell.engine import Engine
from rochallor.stores.memory import MemoryStore
from rochallor.transports.rest import create_app

START_MS = 1_790_000_000_000
SCORE = {"id": "score", "name": "Score", "type": "SERVICE_TASK", "retryCount": 1, "nextStep": "end"}
REVIEW = {"id": "review", "name": "Review", "type": "USER_TASK", "nextStep": "end"}
SETTLED = {"id": "settled", "name": "Settled", "type": "WAIT", "nextStep": "end"}
END = {"id": "end", "name": "End", "type": "END"}


class Still:
    """Time that stands still, chance that counts."""

    def __init__(self) -> None:
        self.last = 0

    def now_ms(self) -> int:
        return START_MS

    def bits(self, count: int) -> int:
        self.last += 1
        return self.last % (1 << count)


@pytest.fixture
async def client(client_of):
    still = Still()
    engine = Engine(MemoryStore(), clock=still, entropy=still)
    await engine.start()
    async with client_of(create_app(engine)) as client:
        yield client
    await engine.stop()


@pytest.fixture
def upload(client):
    async def upload(*steps, id="LOS::loan", **fields):  # noqa: A002  # the contract's name
        body = {"id": id, "name": "Loan", "steps": steps, **fields}
        return (await client.post("/v1/definitions", json=body)).json()

    return upload


@pytest.fixture
def start(client, upload):
    """Upload a definition of these steps and start it; gives the instance's URL."""

    async def start(*steps, **fields):
        await upload(*steps)
        response = await client.post("/v1/instances", json={"definitionId": "LOS::loan", **fields})
        return f"/v1/instances/{response.json()['id']}"

    return start


@pytest.fixture
def poll(client):
    async def poll(job_type="score", **fields):
        body = {"workerId": "w1", "jobTypes": [job_type], **fields}
        return (await client.post("/v1/jobs/poll", json=body)).json()["jobs"]

    return poll


async def test_life_of_an_instance(client, start, poll):
    """Upload, start, poll, complete: the instance ends with the worker's variables, integers exact."""
    instance = await start(SCORE, END, variables={"amount": 9007199254740993, "rate": 10.0}, businessKey="k-1")
    (job,) = await poll()
    assert (job["variables"], job["status"]) == ({"amount": 9007199254740993, "rate": 10}, "LOCKED")
    body = {"workerId": "w1", "variables": {"score": 712}, "leaseToken": job["leaseToken"]}
    done = await client.post(f"/v1/jobs/{job['id']}/complete", json=body)
    assert (done.status_code, done.content) == (204, b"")
    found = (await client.get(instance)).json()
    assert (found["status"], found["currentStepIds"]) == ("COMPLETED", [])
    assert found["variables"] == {"amount": 9007199254740993, "rate": 10, "score": 712}
    history = (await client.get(f"{instance}/history")).json()["items"]
    assert [(item["stepId"], item["status"]) for item in history] == [("score", "COMPLETED"), ("end", "COMPLETED")]


async def test_audit_tells_who_changed_what(client, start, poll):
    """The audit has an entry per change, in order, with who made it."""
    instance = await start(SCORE, END)
    (job,) = await poll()
    await client.post(f"/v1/jobs/{job['id']}/complete", json={"workerId": "w1"})
    audit = (await client.get(f"{instance}/audit")).json()["items"]
    assert [entry["revision"] for entry in audit] == [1, 2]
    assert audit[1]["actor"] == "w1"


async def test_definitions_come_back_as_uploaded(client, upload):
    """A definition is found by id and version, and in the list; an unknown version is 404."""
    assert (await upload(SCORE, END))["version"] == 1
    latest = (await client.get("/v1/definitions/LOS%3A%3Aloan")).json()
    first = (await client.get("/v1/definitions/LOS::loan/versions/1")).json()
    assert latest == first
    assert [step["id"] for step in latest["steps"]] == ["score", "end"]
    page = (await client.get("/v1/definitions?keyword=LOAN")).json()
    assert ([item["id"] for item in page["items"]], page["page"], page["pageSize"], page["total"]) == (
        ["LOS::loan"],
        *(0, 20, 1),
    )
    assert (await client.get("/v1/definitions/LOS::loan/versions/2")).status_code == 404


async def test_all_problems_of_a_definition_are_told(client):
    """A bad definition is 400 with a pointer per problem."""
    bad = {"id": "x y", "name": "X", "steps": [{**SCORE, "nextStep": "nowhere", "colour": "red"}]}
    response = await client.post("/v1/definitions", json=bad)
    assert response.status_code == 400
    assert {"/id", "/steps/0/nextStep", "/steps/0/colour"} <= {it["pointer"] for it in response.json()["details"]}


async def test_failed_job_can_be_retried_by_hand(client, start, poll):
    """A final failure fails the instance; a manual retry brings it back, guarded by its revision."""
    instance = await start(SCORE, END)
    (job,) = await poll()
    body = {"workerId": "w1", "retryable": False, "errorMessage": "no such applicant"}
    assert (await client.post(f"/v1/jobs/{job['id']}/fail", json=body)).status_code == 204
    failed = await client.get(instance)
    assert (failed.json()["status"], "no such applicant" in failed.json()["failureReason"]) == ("FAILED", True)
    stale = await client.post(f"{instance}/steps/score/retry", headers={"if-match": '"999"'})
    assert (stale.status_code, stale.json()["error"]) == (409, "conflict")
    etag = failed.headers["etag"]
    back = await client.post(f"{instance}/steps/score/retry", json={"variables": {"a": 1}}, headers={"if-match": etag})
    assert (back.status_code, back.json()["status"], back.json()["variables"]) == (200, "ACTIVE", {"a": 1})
    assert len(await poll()) == 1


async def test_people_complete_user_tasks(client, start):
    """A user task is listed while it is open, completed once; a repeat is 204, a signal on it 400."""
    instance = await start({**REVIEW, "nextStep": "settled"}, SETTLED, END)
    (task,) = (await client.get("/v1/user-tasks?status=OPEN")).json()["items"]
    assert (task["stepId"], task["status"]) == ("review", "OPEN")
    wrong = await client.post(f"{instance}/signals/review", json={})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "bad-request")
    for _ in range(2):
        body = {"completedBy": "grace", "result": {"approved": True}}
        assert (await client.post(f"{instance}/user-tasks/review/complete", json=body)).status_code == 204
    assert (await client.get(instance)).json()["variables"] == {"approved": True}


async def test_completed_tasks_say_by_whom_and_when(client, start):
    """A completed user task stays in the list, with who completed it and when."""
    instance = await start(REVIEW, END)
    await client.post(f"{instance}/user-tasks/review/complete", json={"completedBy": "grace"})
    (task,) = (await client.get("/v1/user-tasks?status=COMPLETED")).json()["items"]
    assert (task["completedBy"], "completedAt" in task) == ("grace", True)


async def test_signals_wake_waits(client, start):
    """A signal sets its body as variables; a repeat is 409, completing a WAIT as a task 400."""
    instance = await start(SETTLED, END)
    assert (await client.post(f"{instance}/user-tasks/settled/complete")).status_code == 400
    assert (await client.post(f"{instance}/signals/settled", json={"amount": 5})).status_code == 204
    assert (await client.post(f"{instance}/signals/settled", json={"amount": 6})).status_code == 409
    assert (await client.get(instance)).json()["variables"] == {"amount": 5}


async def test_cancelled_instance_stays_cancelled(client, start):
    """Cancel answers with the reason and the end; a second cancel is 409."""
    instance = await start(SCORE, END)
    cancelled = (await client.post(f"{instance}/cancel", json={"reason": "withdrawn"})).json()
    assert (cancelled["status"], cancelled["failureReason"], "completedAt" in cancelled) == (
        *("CANCELLED", "withdrawn"),
        True,
    )
    assert (await client.post(f"{instance}/cancel")).status_code == 409


async def test_business_keys_are_unique_in_flight(client, start):
    """A key in use is 409 and says so."""
    await start(SCORE, END, businessKey="k-1")
    body = {"definitionId": "LOS::loan", "businessKey": "k-1"}
    response = await client.post("/v1/instances", json=body)
    assert (response.status_code, response.json()["error"]) == (409, "conflict")
    assert "business key already in use" in response.json()["message"]
    page = (await client.get("/v1/instances?businessKey=k-1&status=ACTIVE")).json()
    assert page["total"] == 1


async def test_report_settles_and_polls_in_one_round_trip(client, start, poll):
    """A report answers each outcome for itself and brings the next job."""
    await start(SCORE, END)
    await client.post("/v1/instances", json={"definitionId": "LOS::loan"})
    (job,) = await poll(maxJobs=1)
    outcomes = [
        {"jobId": job["id"], "leaseToken": job["leaseToken"], "completed": {"variables": {"a": 1}}},
        {"jobId": "nonsense", "completed": {}},
        {"jobId": job["id"], "completed": {"variables": []}},
    ]
    body = {"workerId": "w1", "outcomes": outcomes, "poll": {"jobTypes": ["score"]}}
    answer = (await client.post("/v1/jobs/report", json=body)).json()
    assert [result["status"] for result in answer["results"]] == ["ACCEPTED", "NOT_FOUND", "REJECTED"]
    assert len(answer["jobs"]) == 1


async def test_await_answers_when_the_status_is_there(client, start):
    """Await answers at once when the status is reached, and says when it is not."""
    instance = await start(REVIEW, END)
    reached = (await client.get(f"{instance}/await?until=WAITING&waitMs=30000")).json()
    assert (reached["reached"], reached["instance"]["status"]) == (True, "WAITING")
    assert (await client.get(f"{instance}/await")).json()["reached"] is False


async def test_late_reports_succeed_and_change_nothing(client, start, poll):
    """A repeated completion is 204 and does not touch the variables."""
    instance = await start(SCORE, END)
    (job,) = await poll()
    for score in (1, 2):
        body = {"workerId": "w1", "variables": {"score": score}}
        assert (await client.post(f"/v1/jobs/{job['id']}/complete", json=body)).status_code == 204
    assert (await client.get(instance)).json()["variables"] == {"score": 1}


UNKNOWN = "01JD5Q8ZK3M4N5P6R7S8T9V0WX"
REFUSED = [
    ("GET", "/v1/definitions/none", None, 404),
    ("GET", "/v1/definitions/a%00b", None, 400),
    ("POST", "/v1/instances", {"definitionId": "none"}, 404),
    ("POST", "/v1/instances", {"definitionId": "a\x00b"}, 400),
    ("POST", "/v1/instances", {"definitionId": "none", "businessKey": "a\x00b"}, 400),
    ("GET", "/v1/instances?status=SLEEPING", None, 400),
    ("GET", "/v1/user-tasks?status=SLEEPING", None, 400),
    ("GET", f"/v1/instances/{UNKNOWN}", None, 404),
    ("GET", "/v1/instances/a%00b", None, 400),
    ("GET", f"/v1/instances/{UNKNOWN}/history", None, 404),
    ("GET", f"/v1/instances/{UNKNOWN}/audit", None, 404),
    ("GET", f"/v1/instances/{UNKNOWN}/await", None, 404),
    ("GET", f"/v1/instances/{UNKNOWN}/await?until=SLEEPING", None, 400),
    ("POST", f"/v1/instances/{UNKNOWN}/cancel", None, 404),
    ("POST", f"/v1/instances/{UNKNOWN}/steps/s/retry", None, 404),
    ("POST", f"/v1/instances/{UNKNOWN}/signals/s", None, 404),
    ("POST", f"/v1/instances/{UNKNOWN}/user-tasks/s/complete", None, 404),
    ("POST", f"/v1/jobs/{UNKNOWN}-1-1/complete", {"workerId": "w"}, 404),
    ("POST", "/v1/jobs/nonsense/complete", {"workerId": "w"}, 404),
    ("POST", "/v1/jobs/%00/fail", {"workerId": "w", "retryable": True, "errorMessage": "x"}, 404),
    ("POST", "/v1/jobs/poll", {"workerId": "w\x00", "jobTypes": ["a"]}, 400),
    ("POST", "/v1/definitions", None, 400),
    ("POST", "/v1/definitions", [], 400),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), REFUSED)
async def test_engine_refuses_by_the_table(client, method, path, body, status):
    """What does not exist is 404, what cannot be is 400, over a real engine."""
    response = await client.request(method, path, **({} if body is None else {"json": body}))
    assert response.status_code == status, response.text


@pytest.mark.parametrize(
    "variables",
    [
        b'{"a":"\\ud800"}',
        b'{"a":1e999}',
        b'{"a":' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"a":\x01}',
        b'{"a":"\x01"}',
        b'{"a":-}',
        b'{"a":Infinity}',
        b'{"\\udc00":1}',
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
async def test_hostile_variables_are_refused_and_the_engine_goes_on(client, upload, variables):
    """Variables that JSON cannot carry exactly are 400 wherever they come in, and the next request is served."""
    await upload(SETTLED, END)
    body = b'{"definitionId":"LOS::loan","variables":' + variables + b"}"
    assert (await client.post("/v1/instances", content=body)).status_code == 400
    good = (await client.post("/v1/instances", json={"definitionId": "LOS::loan"})).json()
    assert (await client.post(f"/v1/instances/{good['id']}/signals/settled", content=variables)).status_code == 400
    assert (await client.get(f"/v1/instances/{good['id']}")).json()["status"] == "WAITING"


async def test_variables_over_the_limit_are_too_large(client, upload):
    """Variables over the engine's limit are 413."""
    await upload(SCORE, END)
    body = json.dumps({"definitionId": "LOS::loan", "variables": {"a": "x" * 3 * 1024 * 1024}})
    response = await client.post("/v1/instances", content=body)
    assert (response.status_code, response.json()["error"]) == (413, "too-large")


async def test_readiness_follows_the_store(client_of):
    """An engine whose store is closed is alive and not ready."""
    still = Still()
    async with client_of(create_app(Engine(MemoryStore(), clock=still, entropy=still))) as client:
        assert (await client.get("/healthz")).status_code == 200
        response = await client.get("/readyz")
    assert (response.status_code, response.json()["error"], response.headers["retry-after"]) == (
        *(503, "unavailable"),
        "1",
    )
