"""What comes beside the body: numbers of pages, ids in paths, If-Match."""

from __future__ import annotations

import pytest

LISTS = ["/v1/definitions", "/v1/instances", "/v1/user-tasks"]
GUARDED = [
    ("/v1/instances/I1/cancel", "cancel_instance"),
    ("/v1/instances/I1/steps/s/retry", "retry_step"),
    ("/v1/instances/I1/signals/w", "signal_wait"),
    ("/v1/instances/I1/user-tasks/t/complete", "complete_user_task"),
]


@pytest.mark.parametrize("number", ["-1", "x", "1.5", "", "%20", "1e3", "0x1", "+1", "1_0", "%D9%A3", "9" * 5000])
@pytest.mark.parametrize("name", ["page", "pageSize"])
@pytest.mark.parametrize("path", LISTS)
async def test_pages_are_numbers(refused, path, name, number):
    """A page that is not a number of 0 or more is 400, and the sentence names the parameter."""
    said = await refused(400, "bad-request", "GET", f"{path}?{name}={number}")
    assert name in said["message"]


@pytest.mark.parametrize("number", ["-5", "soon"])
async def test_wait_is_a_number(refused, number):
    """A waitMs that is not a number of 0 or more is 400."""
    await refused(400, "bad-request", "GET", f"/v1/instances/I1/await?waitMs={number}")


@pytest.mark.parametrize("version", ["0", "-1", "x", "1.0", "2147483648", "latest"])
async def test_versions_are_numbers_from_one(refused, version):
    """A version that cannot exist is 400."""
    await refused(400, "bad-request", "GET", f"/v1/definitions/a/versions/{version}")


async def test_first_of_repeated_parameters_counts(client, engine):
    """A parameter given twice counts once, the first time; unknown ones are ignored."""
    await client.get("/v1/instances?page=1&page=2&colour=red")
    assert engine.calls[0][1]["page"] == 1


@pytest.mark.parametrize("query", ["keyword=%FF", "keyword=%C3%28", "&".join("a=b" for _ in range(300))])
async def test_hostile_query_strings_are_refused(refused, query):
    """A query string that is not UTF-8, or has hundreds of parameters, is 400."""
    await refused(400, "bad-request", "GET", f"/v1/definitions?{query}")


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("LOS%3A%3Aloan", "LOS::loan"),
        ("LOS::loan", "LOS::loan"),
        ("a%2Fb", "a/b"),
        ("a%2fcomplete", "a/complete"),
        ("%C3%BC", "ü"),
        ("a%20b+c", "a b+c"),
        ("100%25", "100%"),
        ("poll", "poll"),
        ("..%2F..", "../.."),
        ("%00", "\x00"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/v1/instances/{}", "instance_id"),
        ("GET", "/v1/instances/{}/history", "instance_id"),
        ("POST", "/v1/jobs/{}/complete", "job_id"),
        ("GET", "/v1/definitions/{}/versions/1", "definition_id"),
        ("POST", "/v1/instances/I1/signals/{}", "step_id"),
    ],
)
async def test_ids_are_decoded_after_routing(client, engine, method, path, name, sent, meant):  # noqa: PLR0917  # a row of the table
    """An id arrives percent-encoded or raw, slashes included, on hot and other routes."""
    body = {"json": {"workerId": "w"}} if method == "POST" else {}
    await client.request(method, path.format(sent), **body)
    assert engine.calls[0][1][name] == meant


@pytest.mark.parametrize("path", ["/v1/instances/%FF", "/v1/instances/%C3%28/history"])
async def test_ids_are_utf8(refused, path):
    """An id that is not UTF-8 is 400."""
    await refused(400, "bad-request", "GET", path)


@pytest.mark.parametrize(("given", "meant"), [('"12"', 12), ("12", 12), (' "12" ', 12), ("*", None), (None, None)])
@pytest.mark.parametrize(("path", "operation"), GUARDED)
async def test_if_match_is_the_expected_revision(client, engine, path, operation, given, meant):  # noqa: PLR0917  # a row of the table
    """An ETag sent back as If-Match becomes the revision that the engine compares."""
    await client.post(path, headers={} if given is None else {"if-match": given})
    ((name, arguments),) = engine.calls
    assert (name, arguments["expected_revision"]) == (operation, meant)


@pytest.mark.parametrize("given", ["x", '"x"', 'W/"12"', '"12", "13"', "-1", '"12', '""', "9" * 50])
async def test_if_match_is_one_revision(refused, given):
    """An If-Match that is no revision is 400."""
    await refused(400, "bad-request", "POST", "/v1/instances/I1/cancel", headers={"if-match": given})
