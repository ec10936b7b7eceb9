"""Refusals: one shape for all of them, the status of the contract's table, nothing of the inside."""

from __future__ import annotations

import logging

import pytest
from rochallor.core import errors
from rochallor.core.errors import Detail
from rochallor.transports.rest.routes import ROUTES
from rochallor_proto import contract

# error, an operation that may raise it, status, word, headers that come with it
TABLE = [
    (errors.BadRequest("no"), "POST", "/v1/instances", "start_instance", 400, "bad-request", set()),
    (errors.Unauthorized("no"), "GET", "/v1/instances/I1", "get_instance", 401, "unauthorized", {"www-authenticate"}),
    (errors.Forbidden("no"), "GET", "/v1/instances/I1", "get_instance", 403, "forbidden", set()),
    (errors.NotFound("no"), "GET", "/v1/instances/I1", "get_instance", 404, "not-found", set()),
    (errors.Conflict("no"), "POST", "/v1/instances/I1/cancel", "cancel_instance", 409, "conflict", set()),
    (errors.BusinessKeyInUse("no"), "POST", "/v1/instances", "start_instance", 409, "conflict", set()),
    (errors.Gone("no"), "POST", "/v1/jobs/poll", "poll_jobs", 410, "gone", set()),
    (errors.PayloadTooLarge("no"), "POST", "/v1/instances", "start_instance", 413, "too-large", set()),
    (
        errors.TooManyRequests("no"),
        "POST",
        "/v1/instances",
        "start_instance",
        429,
        "too-many-requests",
        {"retry-after"},
    ),
    (errors.Unavailable("no"), "GET", "/readyz", "ready", 503, "unavailable", {"retry-after"}),
    (errors.InternalError("no"), "GET", "/v1/instances/I1", "get_instance", 500, "internal-error", set()),
]
BODIES = {"start_instance": {"definitionId": "a"}, "poll_jobs": {"workerId": "w", "jobTypes": ["a"]}}


@pytest.mark.parametrize(("error", "method", "path", "operation", "status", "word", "headers"), TABLE)
async def test_errors_have_the_status_of_the_table(  # noqa: PLR0917  # a row of the table
    client, engine, error, method, path, operation, status, word, headers
):
    """What the engine raises becomes status, word and headers as the contract's table says."""
    engine.answers[operation] = error
    response = await client.request(method, path, json=BODIES.get(operation))
    said = response.json()
    assert (response.status_code, said["error"], said["message"], said["reason"]) == (status, word, "no", "no")
    assert headers <= set(response.headers)


def test_every_row_of_the_table_has_a_status():
    """No code of the engine is unknown to REST."""
    codes = {row["code"] for row in contract("errors")["errors"]}
    assert {kind.code for kind in errors.WorkflowError.__subclasses__()} <= codes


async def test_details_are_told(refused, engine):
    """Problems of a definition arrive with code, pointer and sentence."""
    details = (Detail("REF_RESOLVES", "/steps/0/nextStep", "no such step"), Detail("ID_FORMAT", "/id", "bad"))
    engine.answers["upload_definition"] = errors.BadRequest("2 problems", details=details)
    said = await refused(400, "bad-request", "POST", "/v1/definitions", content=b"{}")
    assert said["details"][0] == {"code": "REF_RESOLVES", "pointer": "/steps/0/nextStep", "message": "no such step"}
    assert len(said["details"]) == 2


async def test_polling_in_the_wrong_mode_says_where_to_go(refused, engine):
    """410 names the dispatch mode and what to do."""
    engine.answers["poll_jobs"] = errors.Gone("polling is off")
    said = await refused(410, "gone", "POST", "/v1/jobs/poll", json=BODIES["poll_jobs"])
    assert (said["dispatch_mode"], bool(said["hint"])) == ("kafka_outbox", True)


@pytest.mark.parametrize(("wait_ms", "seconds"), [(None, "1"), (0, "0"), (1, "1"), (1000, "1"), (1001, "2")])
async def test_retry_after_is_whole_seconds_never_too_early(client, engine, wait_ms, seconds):
    """Retry-After is rounded up; one second when the engine does not say."""
    engine.answers["ready"] = errors.Unavailable("no", retry_after_ms=wait_ms)
    assert (await client.get("/readyz")).headers["retry-after"] == seconds


@pytest.mark.parametrize("path", ["/v1/jobs/I1-1-1/complete", "/v1/definitions"])
async def test_bugs_leak_nothing_and_are_logged(refused, engine, caplog, path):
    """An unexpected exception is 500 without a word of the inside; the log has it all."""
    for operation in ("complete_job", "upload_definition"):
        engine.answers[operation] = RuntimeError("SELECT secret FROM jobs")
    with caplog.at_level(logging.ERROR, "rochallor.rest"):
        said = await refused(500, "internal-error", "POST", path, json={"workerId": "w"})
    assert "secret" not in str(said)
    assert "SELECT secret" in caplog.text


async def test_half_a_character_in_a_sentence_can_be_sent(refused, engine):
    """A message that UTF-8 cannot carry is sent with a question mark, not as a 500."""
    details = (Detail("X", "/\ud800", "y"), Detail("X", "", "y"))
    engine.answers["get_instance"] = errors.NotFound("no \ud800", details=details)
    said = await refused(404, "not-found", "GET", "/v1/instances/I1")
    assert (said["message"], said["details"][0]["pointer"]) == ("no ?", "/?")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/",
        "/v1/definitions/",
        "/v1/instances/",
        "/v1/jobs//complete",
        "/v1/instances/I1/cancel/now",
        "/v1/jobs/x/y/complete",
        "/v2/instances",
        "/V1/instances",
        "/healthz/",
        "/%00",
        "/%ff",
        "/../etc/passwd",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_unknown_paths_are_not_found(refused, method, path):
    """A path that no route has is 404 in the usual shape."""
    await refused(404, "not-found", method, path)


@pytest.mark.parametrize("template", sorted({route.template for route in ROUTES}))
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "QUERY"])
async def test_wrong_methods_name_the_right_ones(client, template, method):
    """A known path with a method that it does not have is 405, and Allow names all that it has."""
    response = await client.request(method, template.replace("{", "").replace("}", ""))
    allowed = {route.method for route in ROUTES if route.template == template}
    allowed |= {"HEAD"} if "GET" in allowed else set()
    assert (response.status_code, response.json()["error"]) == (405, "method-not-allowed")
    assert set(response.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/jobs/poll"), ("GET", "/v1/jobs/x/fail"), ("POST", "/v1/instances/I1")]
)
async def test_hot_paths_know_wrong_methods_too(refused, method, path):
    """The routes that the door finds itself answer 405 like all others."""
    await refused(405, "method-not-allowed", method, path)
