"""Each operation reaches the engine with what the caller said, and answers with the contract's status."""

from __future__ import annotations

import pytest
from rochallor.transports.rest.routes import ROUTES
from rochallor_proto import contract

# method, path, body, status, operation of the engine, arguments that it must get
ROWS = [
    ("POST", "/v1/definitions", {"id": "a"}, 201, "upload_definition", {"raw": b'{"id":"a"}'}),
    ("GET", "/v1/definitions", None, 200, "list_definitions", {"keyword": "", "page": 0, "page_size": 0}),
    (
        "GET",
        "/v1/definitions?keyword=lo%20an&page=2&pageSize=5",
        None,
        200,
        "list_definitions",
        {"keyword": "lo an", "page": 2, "page_size": 5},
    ),
    ("GET", "/v1/definitions/LOS%3A%3Aloan", None, 200, "get_definition", {"definition_id": "LOS::loan"}),
    (
        "GET",
        "/v1/definitions/LOS::loan/versions/3",
        None,
        200,
        "get_definition",
        {"definition_id": "LOS::loan", "version": 3},
    ),
    (
        "POST",
        "/v1/instances",
        {"definitionId": "LOS::loan", "definitionVersion": 2, "variables": {"a": 1}, "businessKey": "k"},
        201,
        "start_instance",
        {"definition_id": "LOS::loan", "version": 2, "variables": b'{"a":1}', "business_key": "k"},
    ),
    (
        "POST",
        "/v1/instances",
        {"definitionId": "a", "definitionVersion": 0, "variables": None, "businessKey": None},
        201,
        "start_instance",
        {"definition_id": "a", "version": None, "variables": None, "business_key": None},
    ),
    (
        "GET",
        "/v1/instances?definitionId=d&status=ACTIVE&businessKey=k&page=1&pageSize=7",
        None,
        200,
        "list_instances",
        {"definition_id": "d", "status": "ACTIVE", "business_key": "k", "page": 1, "page_size": 7},
    ),
    ("GET", "/v1/instances/I1", None, 200, "get_instance", {"instance_id": "I1"}),
    ("GET", "/v1/instances/I1/history", None, 200, "get_history", {"instance_id": "I1"}),
    ("GET", "/v1/instances/I1/audit", None, 200, "get_audit", {"instance_id": "I1"}),
    (
        "GET",
        "/v1/instances/I1/await?waitMs=99999&until=WAITING&until=FAILED,COMPLETED",
        None,
        200,
        "await_instance",
        {"instance_id": "I1", "wait_ms": 30_000, "until": ["WAITING", "FAILED", "COMPLETED"]},
    ),
    ("GET", "/v1/instances/I1/await", None, 200, "await_instance", {"instance_id": "I1", "wait_ms": 0, "until": []}),
    (
        "POST",
        "/v1/instances/I1/cancel",
        {"reason": "enough"},
        200,
        "cancel_instance",
        {"instance_id": "I1", "reason": "enough", "expected_revision": None},
    ),
    ("POST", "/v1/instances/I1/cancel", None, 200, "cancel_instance", {"instance_id": "I1", "reason": ""}),
    (
        "POST",
        "/v1/instances/I1/steps/score/retry",
        {"variables": {"a": 1}},
        200,
        "retry_step",
        {"instance_id": "I1", "step_id": "score", "variables": b'{"a":1}'},
    ),
    ("POST", "/v1/instances/I1/steps/score/retry", None, 200, "retry_step", {"variables": None}),
    (
        "POST",
        "/v1/instances/I1/user-tasks/review/complete",
        {"completedBy": "grace", "result": {"ok": True}},
        204,
        "complete_user_task",
        {"instance_id": "I1", "step_id": "review", "completed_by": "grace", "result": b'{"ok":true}'},
    ),
    (
        "POST",
        "/v1/instances/I1/user-tasks/review/complete",
        {"workerId": "grace", "variables": {"ok": True}, "result": None},
        204,
        "complete_user_task",
        {"completed_by": "grace", "result": b'{"ok":true}'},
    ),
    (
        "POST",
        "/v1/instances/I1/user-tasks/review/complete",
        None,
        204,
        "complete_user_task",
        {"completed_by": "", "result": None},
    ),
    (
        "POST",
        "/v1/instances/I1/signals/settled",
        {"amount": 5},
        204,
        "signal_wait",
        {"instance_id": "I1", "step_id": "settled", "variables": b'{"amount":5}'},
    ),
    ("POST", "/v1/instances/I1/signals/settled", None, 204, "signal_wait", {"variables": None}),
    (
        "POST",
        "/v1/jobs/I1-1-1/complete",
        {"workerId": "w1", "variables": {"a": 1}, "leaseToken": "t"},
        204,
        "complete_job",
        {"job_id": "I1-1-1", "worker_id": "w1", "variables": b'{"a":1}', "lease_token": "t"},
    ),
    (
        "POST",
        "/v1/jobs/I1-1-1/complete",
        {"workerId": "w1", "variables": None, "leaseToken": None},
        204,
        "complete_job",
        {"variables": None, "lease_token": ""},
    ),
    (
        "POST",
        "/v1/jobs/I1-1-1/fail",
        {
            "workerId": "w1",
            "retryable": True,
            "errorMessage": "no",
            "leaseToken": "t",
            "retryAfterMs": 50,
            "errorCode": "E",
        },
        204,
        "fail_job",
        {
            "job_id": "I1-1-1",
            "worker_id": "w1",
            "retryable": True,
            "message": "no",
            "lease_token": "t",
            "retry_after_ms": 50,
            "error_code": "E",
        },
    ),
    (
        "POST",
        "/v1/jobs/I1-1-1/fail",
        {"workerId": "w1", "retryable": False, "errorMessage": ""},
        204,
        "fail_job",
        {"retryable": False, "message": "", "lease_token": "", "retry_after_ms": None, "error_code": ""},
    ),
    ("GET", "/v1/user-tasks", None, 200, "list_user_tasks", {"instance_id": "", "definition_id": "", "status": ""}),
    (
        "GET",
        "/v1/user-tasks?instanceId=I1&definitionId=d&status=OPEN&page=1&pageSize=2",
        None,
        200,
        "list_user_tasks",
        {"instance_id": "I1", "definition_id": "d", "status": "OPEN", "page": 1, "page_size": 2},
    ),
    ("GET", "/readyz", None, 200, "ready", {}),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "operation", "arguments"), ROWS)
async def test_operation_reaches_the_engine(client, engine, method, path, body, status, operation, arguments):  # noqa: PLR0917  # a row of the table
    """A request becomes one call of the engine, and its answer the contract's status."""
    response = await client.request(method, path, **({} if body is None else {"json": body}))
    assert response.status_code == status, response.text
    ((name, given),) = engine.calls
    assert (name, {key: given.get(key) for key in arguments}) == (operation, arguments)


async def test_poll_hands_over_the_whole_wish(client, engine):
    """A poll tells the engine all that the worker asked for, with REST's own default of ten jobs."""
    wish = {"workerId": "w1", "jobTypes": ["a", "b"], "maxJobs": 64, "leaseSeconds": 90000, "waitMs": 0}
    response = await client.post("/v1/jobs/poll", json=wish)
    ((_, given),) = engine.calls
    poll = given["poll"]
    assert (poll.worker_id, poll.job_types, poll.max_jobs, poll.lease_seconds, poll.wait_ms) == (
        *("w1", ["a", "b"]),
        *(64, 90000, 0),
    )
    assert given["default_max_jobs"] == 10
    assert response.json()["jobs"][0]["variables"] == {"amount": 9007199254740993}


async def test_report_hands_over_every_kind_of_outcome(client, engine):
    """A report carries successes, failures and extensions; its poll belongs to the report's worker."""
    outcomes = [
        {"jobId": "1", "leaseToken": "t", "completed": {"variables": {"a": 1}}, "failed": None},
        {"jobId": "2", "failed": {"errorMessage": "no", "retryable": True, "retryAfterMs": 5}},
        {"jobId": "3", "extend": {"leaseSeconds": 9}},
    ]
    response = await client.post(
        "/v1/jobs/report", json={"workerId": "w1", "outcomes": outcomes, "poll": {"jobTypes": ["a"]}}
    )
    assert response.status_code == 200
    report = engine.calls[0][1]["report"]
    done, failed, extended = report.outcomes
    assert (bytes(done.completed.variables), done.lease_token, done.failed) == (b'{"a":1}', "t", None)
    assert (failed.failed.error_message, failed.failed.retryable, failed.failed.retry_after_ms) == ("no", True, 5)
    assert extended.extend.lease_seconds == 9
    assert (report.poll.worker_id, report.poll.job_types) == ("w1", ["a"])


async def test_report_without_outcomes_or_poll_is_fine(client):
    """Null lists and messages of a report are absent ones."""
    response = await client.post("/v1/jobs/report", json={"workerId": "w1", "outcomes": None, "poll": None})
    assert response.status_code == 200


@pytest.mark.parametrize("operation", ["poll", "report"])
async def test_waiting_calls_answer_as_soon_as_there_is_something(client, operation):
    """A long poll that finds jobs at once is an ordinary answer."""
    poll = {"workerId": "w1", "jobTypes": ["a"], "waitMs": 30_000}
    body = poll if operation == "poll" else {"workerId": "w1", "poll": poll}
    response = await client.post(f"/v1/jobs/{operation}", json=body)
    assert [job["id"] for job in response.json()["jobs"]] == ["I1-1-1"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/instances", {"definitionId": "a"}),
        ("GET", "/v1/instances/I1", None),
        ("POST", "/v1/instances/I1/cancel", None),
        ("POST", "/v1/instances/I1/steps/s/retry", None),
    ],
)
async def test_instances_carry_their_revision_as_etag(client, method, path, body):
    """An instance is answered with its revision as ETag."""
    response = await client.request(method, path, **({} if body is None else {"json": body}))
    assert response.headers["etag"] == '"7"'


def test_table_is_the_contract():
    """The table has each operation of the OpenAPI document, and no other."""
    promised = {
        (method.upper(), path, operation["operationId"])
        for path, methods in contract("openapi")["paths"].items()
        for method, operation in methods.items()
    }
    assert {(route.method, route.template, route.operation) for route in ROUTES} == promised
