"""A worker's token for some job types only, and whose name the audit shows."""

from __future__ import annotations

import httpx
import pytest
from rochallor.access import ANYBODY, Caller
from rochallor.shell.acting import TAKES_ACTOR, TAKES_CALLER, acting_for
from rochallor.shell.engine import Engine


def one_job(job_type):
    job = {"id": "do", "name": "Do", "type": "SERVICE_TASK", "jobType": job_type, "nextStep": "end", "retryCount": 3}
    return {"id": job_type, "name": job_type, "steps": [job, {"id": "end", "name": "End", "type": "END"}]}


class Rest:
    """Calls one engine as the callers of the tokens file."""

    def __init__(self, client, headers):
        self._client = client
        self._headers = headers

    async def __call__(self, caller, method, path, body=None):
        return await self._client.request(method, f"/v1/{path}", json=body, headers=self._headers(caller))

    async def poll(self, caller, *types):
        return await self(caller, "POST", "jobs/poll", {"workerId": "w", "jobTypes": types})


@pytest.fixture
async def rest(secured):
    server = await secured()
    async with httpx.AsyncClient(base_url=server.addresses.rest) as client:
        rest = Rest(client, server.headers)
        for job_type in ("score", "mail"):
            assert (await rest("admin", "POST", "definitions", one_job(job_type))).status_code == 201
        yield rest


@pytest.fixture
async def mail(rest):
    """A job of the type mail, held by the worker w."""
    await rest("operator", "POST", "instances", {"definitionId": "mail"})
    return (await rest.poll("worker", "mail")).json()["jobs"][0]


async def test_a_limited_worker_gets_its_own_jobs(rest):
    """What the token is for is handed out and may be reported."""
    await rest("operator", "POST", "instances", {"definitionId": "score"})
    (job,) = (await rest.poll("scorer", "score")).json()["jobs"]
    assert (await rest("scorer", "POST", f"jobs/{job['id']}/complete", {"workerId": "w"})).status_code == 204


@pytest.mark.parametrize("types", [["mail"], ["score", "mail"]])
async def test_a_poll_for_another_type_is_refused_by_name(rest, types):
    """403 names the type that is not the token's; nothing is handed out."""
    refused = await rest.poll("scorer", *types)
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")
    assert "not for the job type 'mail'" in refused.json()["message"]


@pytest.mark.parametrize(
    ("action", "body"), [("complete", {}), ("fail", {"retryable": True, "errorMessage": "mine now"})]
)
async def test_a_report_about_another_type_changes_nothing(rest, mail, action, body):
    """Even with the worker's id and the lease token, another type's job is not theirs to report."""
    body |= {"workerId": "w", "leaseToken": mail["leaseToken"]}
    refused = await rest("scorer", "POST", f"jobs/{mail['id']}/{action}", body)
    assert refused.status_code == 403
    assert (await rest("worker", "POST", f"jobs/{mail['id']}/complete", body)).status_code == 204


@pytest.mark.parametrize(
    "result", [{"completed": {}}, {"failed": {"errorMessage": "x", "retryable": False}}, {"extend": {}}]
)
async def test_each_outcome_of_a_report_is_judged_for_itself(rest, mail, result):
    """In a batch, the outcome about another type is REJECTED with the reason; its neighbours count."""
    await rest("operator", "POST", "instances", {"definitionId": "score"})
    (job,) = (await rest.poll("scorer", "score")).json()["jobs"]
    outcomes = [{"jobId": mail["id"], **result}, {"jobId": job["id"], "completed": {}}]
    answer = await rest("scorer", "POST", "jobs/report", {"workerId": "w", "outcomes": outcomes})
    other, own = answer.json()["results"]
    assert (other["status"], own["status"]) == ("REJECTED", "ACCEPTED")
    assert "not for the job type 'mail'" in other["message"]


async def test_the_poll_within_a_report_is_limited_too(rest, mail):
    """A report whose poll asks for another type is refused whole: none of its outcomes counts."""
    poll = {"jobTypes": ["mail"]}
    outcomes = [{"jobId": mail["id"], "completed": {}}]
    answer = await rest("scorer", "POST", "jobs/report", {"workerId": "w", "outcomes": outcomes, "poll": poll})
    assert answer.status_code == 403
    assert (await rest("reader", "GET", f"instances/{mail['instanceId']}")).json()["status"] == "ACTIVE"


async def test_the_audit_names_the_token(rest, mail):
    """Who did what is the token's name; whom the caller names beside it stays in the detail."""
    await rest("worker", "POST", f"jobs/{mail['id']}/complete", {"workerId": "w"})
    entries = (await rest("reader", "GET", f"instances/{mail['instanceId']}/audit")).json()["items"]
    assert [entry["actor"] for entry in entries] == ["operator", "worker"]


async def test_completed_by_stays_beside_the_token(rest):
    """A user task is completed by a person through a token: the audit has both."""
    step = {"id": "look", "name": "Look", "type": "USER_TASK", "nextStep": "end"}
    review = {"id": "review", "name": "R", "steps": [step, {"id": "end", "name": "End", "type": "END"}]}
    await rest("admin", "POST", "definitions", review)
    started = (await rest("operator", "POST", "instances", {"definitionId": "review"})).json()
    path = f"instances/{started['id']}/user-tasks/look/complete"
    assert (await rest("operator", "POST", path, {"completedBy": "ada"})).status_code == 204
    entry = (await rest("reader", "GET", f"instances/{started['id']}/audit")).json()["items"][-1]
    assert entry["actor"] == "operator"
    assert "ada" in str(entry["detail"])


def test_every_change_is_made_in_somebodys_name():
    """Each operation that changes anything takes an actor or a caller; a new one is found by its signature."""
    assert {"poll_jobs", "complete_job", "fail_job", "report_jobs"} == TAKES_CALLER
    assert {
        "upload_definition",
        "start_instance",
        "cancel_instance",
        "retry_step",
        "complete_user_task",
        "signal_wait",
    } == TAKES_ACTOR


def test_acting_fills_in_one_argument():
    """Everything else of the engine is passed on as it is."""

    class Told:
        settings = "settings"

        def start_instance(self, **given):
            return given

        def poll_jobs(self, **given):
            return given

    caller = Caller("ci", ANYBODY.role)
    engine = acting_for(Told(), caller)
    assert engine.start_instance(x=1) == {"x": 1, "actor": "ci"}
    assert engine.poll_jobs() == {"caller": caller}
    assert engine.settings == "settings"
    assert hasattr(Engine, "start_instance")
