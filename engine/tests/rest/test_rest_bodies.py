"""Bodies: what is refused and how it is said, what is tolerated."""

from __future__ import annotations

import pytest
from rochallor.shell.settings import Settings
from rochallor.transports.rest import create_app

START, POLL, REPORT = "/v1/instances", "/v1/jobs/poll", "/v1/jobs/report"
COMPLETE, FAIL = "/v1/jobs/I1-1-1/complete", "/v1/jobs/I1-1-1/fail"
TASK, SIGNAL = "/v1/instances/I1/user-tasks/t/complete", "/v1/instances/I1/signals/w"
CANCEL, RETRY = "/v1/instances/I1/cancel", "/v1/instances/I1/steps/s/retry"

# path, body, code and pointer of the first detail
MALFORMED = [
    (START, b"", "BODY_REQUIRED", ""),
    (START, b" \n", "BODY_REQUIRED", ""),
    (START, b"null", "FIELD_TYPE", ""),
    (START, b"[]", "FIELD_TYPE", ""),
    (START, b'"text"', "FIELD_TYPE", ""),
    (START, b'{"definitionId":"a"', "JSON_SYNTAX", ""),
    (START, b'{"definitionId":"a",}', "JSON_SYNTAX", ""),
    (START, b'{"definitionId":"a"} {}', "JSON_SYNTAX", ""),
    (START, b"{'definitionId':'a'}", "JSON_SYNTAX", ""),
    (START, b'{"definitionId":"\xff"}', "JSON_SYNTAX", ""),
    (START, b'{"definitionId":"a","unknown":"\xc3\x28"}', "JSON_SYNTAX", ""),
    (START, b'{"definitionId":"\\ud800"}', "JSON_SYNTAX", ""),
    (START, b'{"definitionId":"a","variables":{"a":NaN}}', "JSON_SYNTAX", ""),
    (START, b'{"definitionId":"a","variables":{"a":01}}', "JSON_SYNTAX", ""),
    (START, b'{"definitionId":"a","definitionId":"b"}', "DUPLICATE_KEY", "/definitionId"),
    (START, b"{}", "FIELD_REQUIRED", "/definitionId"),
    (START, b'{"definitionId":null}', "FIELD_TYPE", "/definitionId"),
    (START, b'{"definitionId":""}', "FIELD_TYPE", "/definitionId"),
    (START, b'{"definitionId":7}', "FIELD_TYPE", "/definitionId"),
    (START, b'{"definitionId":"a","definitionVersion":-1}', "FIELD_TYPE", "/definitionVersion"),
    (START, b'{"definitionId":"a","definitionVersion":2147483648}', "FIELD_TYPE", "/definitionVersion"),
    (START, b'{"definitionId":"a","definitionVersion":1.5}', "FIELD_TYPE", "/definitionVersion"),
    (START, b'{"definitionId":"a","definitionVersion":true}', "FIELD_TYPE", "/definitionVersion"),
    (START, b'{"definitionId":"a","variables":[]}', "FIELD_TYPE", "/variables"),
    (START, b'{"definitionId":"a","variables":"{}"}', "FIELD_TYPE", "/variables"),
    (START, b'{"definitionId":"a","businessKey":7}', "FIELD_TYPE", "/businessKey"),
    (POLL, b'{"jobTypes":["a"]}', "FIELD_REQUIRED", "/workerId"),
    (POLL, b'{"workerId":"w"}', "FIELD_REQUIRED", "/jobTypes"),
    (POLL, b'{"workerId":"w","jobTypes":null}', "FIELD_TYPE", "/jobTypes"),
    (POLL, b'{"workerId":"w","jobTypes":[]}', "FIELD_TYPE", "/jobTypes"),
    (POLL, b'{"workerId":"w","jobTypes":"a"}', "FIELD_TYPE", "/jobTypes"),
    (POLL, b'{"workerId":"w","jobTypes":["a",""]}', "FIELD_TYPE", "/jobTypes/1"),
    (POLL, b'{"workerId":"w","jobTypes":["a",null]}', "FIELD_TYPE", "/jobTypes/1"),
    (POLL, b'{"workerId":"","jobTypes":["a"]}', "FIELD_TYPE", "/workerId"),
    (POLL, b'{"workerId":"w","jobTypes":["a"],"maxJobs":-1}', "FIELD_TYPE", "/maxJobs"),
    (POLL, b'{"workerId":"w","jobTypes":["a"],"maxJobs":"5"}', "FIELD_TYPE", "/maxJobs"),
    (POLL, b'{"workerId":"w","jobTypes":["a"],"waitMs":-1}', "FIELD_TYPE", "/waitMs"),
    (COMPLETE, b"{}", "FIELD_REQUIRED", "/workerId"),
    (COMPLETE, b'{"workerId":"w","variables":7}', "FIELD_TYPE", "/variables"),
    (FAIL, b'{"workerId":"w","errorMessage":"x"}', "FIELD_REQUIRED", "/retryable"),
    (FAIL, b'{"workerId":"w","retryable":true}', "FIELD_REQUIRED", "/errorMessage"),
    (FAIL, b'{"workerId":"w","retryable":1,"errorMessage":"x"}', "FIELD_TYPE", "/retryable"),
    (FAIL, b'{"workerId":"w","retryable":true,"errorMessage":"x","retryAfterMs":-1}', "FIELD_TYPE", "/retryAfterMs"),
    (REPORT, b'{"outcomes":[]}', "FIELD_REQUIRED", "/workerId"),
    (REPORT, b'{"workerId":"w","outcomes":{}}', "FIELD_TYPE", "/outcomes"),
    (REPORT, b'{"workerId":"w","outcomes":[null]}', "FIELD_TYPE", "/outcomes/0"),
    (REPORT, b'{"workerId":"w","outcomes":[{"completed":{}}]}', "FIELD_REQUIRED", "/outcomes/0/jobId"),
    (REPORT, b'{"workerId":"w","poll":{}}', "FIELD_REQUIRED", "/poll/jobTypes"),
    (CANCEL, b'{"reason":7}', "FIELD_TYPE", "/reason"),
    (CANCEL, b"[]", "FIELD_TYPE", ""),
    (RETRY, b'{"variables":[]}', "FIELD_TYPE", "/variables"),
    (TASK, b'{"result":[]}', "FIELD_TYPE", "/result"),
    (TASK, b'{"variables":"x"}', "FIELD_TYPE", "/variables"),
    (TASK, b'{"result":{},"variables":{}}', "FIELD_CONFLICT", "/variables"),
    (TASK, b'{"completedBy":7}', "FIELD_TYPE", "/completedBy"),
    (SIGNAL, b"[1]", "FIELD_TYPE", ""),
    (SIGNAL, b"7", "FIELD_TYPE", ""),
    (SIGNAL, b'{"a":', "JSON_SYNTAX", ""),
    (SIGNAL, b'{"a":"\xff"}', "JSON_SYNTAX", ""),
]


@pytest.mark.parametrize(("path", "body", "code", "pointer"), MALFORMED)
async def test_malformed_body_is_told_what_and_where(refused, engine, path, body, code, pointer):  # noqa: PLR0917  # a row of the table
    """A malformed body is 400 with code and pointer, and never reaches the engine."""
    said = await refused(400, "bad-request", "POST", path, content=body)
    assert [(detail["code"], detail["pointer"]) for detail in said["details"]] == [(code, pointer)]
    assert engine.calls == []


@pytest.mark.parametrize("path", [START, POLL, COMPLETE, FAIL, REPORT, TASK, SIGNAL, CANCEL, RETRY])
async def test_nesting_without_end_is_refused(engine, client_of, path):
    """A body nested a hundred thousand levels deep is 400, and the process lives."""
    engine.settings = Settings()
    async with client_of(create_app(engine)) as client:
        response = await client.post(path, content=b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    assert (response.status_code, response.json()["details"][0]["code"]) == (400, "JSON_SYNTAX")


async def test_nested_lists_are_no_map(engine, client_of):
    """A hundred thousand brackets where a map should be are 400."""
    engine.settings = Settings()
    async with client_of(create_app(engine)) as client:
        response = await client.post(SIGNAL, content=b"[" * 100_000 + b"]" * 100_000)
    assert (response.status_code, response.json()["details"][0]["code"]) == (400, "JSON_SYNTAX")


async def test_syntax_errors_name_line_and_column(refused):
    """Text that is not JSON is answered with the place of the mistake."""
    said = await refused(400, "bad-request", "POST", START, content=b'{\n  "definitionId": a\n}')
    assert "line 2, column 19" in said["message"]


@pytest.mark.parametrize("body", [b"", b"null", b" null\n", b"{}"])
@pytest.mark.parametrize(("path", "status"), [(TASK, 204), (SIGNAL, 204), (CANCEL, 200), (RETRY, 200)])
async def test_optional_bodies_may_be_empty_or_null(client, path, status, body):
    """Where a body is optional, nothing, null and an empty object are all fine."""
    assert (await client.post(path, content=body)).status_code == status


async def test_unknown_fields_are_ignored(client):
    """A field that nobody knows does no harm."""
    assert (await client.post(START, json={"definitionId": "a", "colour": {"x": 1}})).status_code == 201


async def test_variables_reach_the_engine_as_they_were_sent(client, engine):
    """Variables are not rebuilt: spelling, order and large integers stay."""
    sent = '{"z": 12345678901234567890, "a":1.50, "ü": null}'.encode()
    await client.post(START, content=b'{"definitionId":"a","variables":' + sent + b"}")
    assert engine.calls[0][1]["variables"] == sent


async def test_names_within_variables_may_repeat_field_names(client):
    """A variable called like a field of the body is no repeated field."""
    body = {"workerId": "w", "variables": {"workerId": "x", "variables": {"workerId": 1}}}
    assert (await client.post(COMPLETE, json=body)).status_code == 204


@pytest.mark.parametrize(
    "media",
    ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json", "", None],
)
async def test_json_by_any_name_is_read(client, media):
    """JSON media types and a missing content type are accepted."""
    headers = {} if media is None else {"content-type": media}
    assert (await client.post(START, content=b'{"definitionId":"a"}', headers=headers)).status_code == 201


@pytest.mark.parametrize("path", [START, POLL, COMPLETE, TASK, SIGNAL, "/v1/definitions"])
@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json"])
async def test_other_media_types_are_unsupported(refused, engine, path, media):
    """A body that does not call itself JSON is 415."""
    await refused(415, "unsupported-format", "POST", path, content=b"{}", headers={"content-type": media})
    assert engine.calls == []


async def test_an_absent_body_has_no_media_type(client):
    """A content type without a body is nobody's problem (curl -d '' sends one)."""
    response = await client.post(SIGNAL, content=b"", headers={"content-type": "application/x-www-form-urlencoded"})
    assert response.status_code == 204


@pytest.mark.parametrize(("path", "limit"), [(START, 2_000), (SIGNAL, 2_000), ("/v1/definitions", 1_000)])
async def test_bodies_over_the_limit_are_too_large(refused, engine, path, limit):
    """One byte over the limit is 413; a definition has its own limit."""
    body = b'{"definitionId":"a","x":"' + b"x" * limit + b'"}'
    said = await refused(413, "too-large", "POST", path, content=body)
    assert str(limit) in said["message"]
    assert engine.calls == []


async def test_a_body_at_the_limit_is_read(client, engine):
    """Exactly the limit is allowed."""
    body = b'{"definitionId":"a","x":"'
    body += b"x" * (engine.settings.max_body_bytes - len(body) - 2) + b'"}'
    assert (await client.post(START, content=body)).status_code == 201
