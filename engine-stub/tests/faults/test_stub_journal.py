"""The journal holds every exchange on both transports, and no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest


def test_an_exchange_is_written_down(user: Any) -> None:
    """Operation, path, bodies, status and times are there as soon as the client has its answer."""
    user.upload()
    user.stub.journal.clear()
    instance = user.start(variables={"n": 1})
    [entry] = user.stub.journal
    assert (entry.number, entry.transport, entry.operation, entry.method) == (1, "rest", "startInstance", "POST")
    assert (entry.path, entry.status, entry.outcome, entry.faults) == ("/v1/instances", 201, "answered", ())
    assert entry.request == {"definitionId": "flow", "variables": {"n": 1}}
    assert entry.response["id"] == instance
    assert entry.at == "2026-01-01T00:00:00.000Z"


def test_both_transports_share_one_journal(user: Any, rpc: Any) -> None:
    """The same operation has the same name over gRPC, and its message reads like the JSON."""
    user.upload()
    rpc("StartInstance", definitionId="flow")
    user.start()
    first, second = user.stub.journal.of("startInstance")
    assert (first.transport, first.status, second.transport, second.status) == ("grpc", "OK", "rest", 201)
    assert first.request == second.request == {"definitionId": "flow"}


def test_a_refusal_over_grpc_is_written_down(user: Any, rpc: Any) -> None:
    """The status is the name, the response what was said."""
    with pytest.raises(Exception, match="NOT_FOUND"):
        rpc("GetInstance", id="nobody")
    [entry] = user.stub.journal
    assert (entry.status, "nobody" in entry.response) == ("NOT_FOUND", True)


def test_a_lost_acknowledgement_is_told_from_an_answer(user: Any) -> None:
    """The journal knows what the client should have got, and that it did not."""
    user.upload()
    user.stub.faults.drop_after("startInstance")
    with pytest.raises(Exception, match=r"."):
        user.start()
    [entry] = user.stub.journal.of("startInstance")
    assert (entry.outcome, entry.status, entry.faults) == ("dropped", 201, ("drop_after",))


def test_no_credential_is_written_down(user: Any) -> None:
    """The value of an authorization header is nowhere in the journal."""
    user.call("GET", "/healthz", headers={"Authorization": "Bearer hush-hush", "X-Api-Key": "hush-hush"})
    assert b"hush-hush" not in user.stub.journal.ndjson()
    assert ("authorization", "[redacted]") in user.stub.journal[0].request_headers


@pytest.mark.parametrize(
    ("value", "credentials"),
    [
        ("Bearer hush-hush", "bearer sha256:fbdc077454d7"),
        ("bearer hush-hush", "bearer sha256:fbdc077454d7"),
        ("hush-hush", "sha256:fbdc077454d7"),
        ("Bearer undefined", "bearer sha256:eb045d78d273"),
    ],
)
def test_a_credential_is_told_by_its_scheme_and_a_digest(user: Any, value: str, credentials: str) -> None:
    """Who knows a token can tell whether it was sent, as a bearer token or bare; nobody can read it."""
    user.stub.journal.clear()
    user.call("GET", "/healthz", headers={"Authorization": value})
    user.call("GET", "/healthz")
    assert [entry.credentials for entry in user.stub.journal] == [credentials, ""]
    assert value.encode() not in user.stub.journal.ndjson()


def test_ndjson_has_one_exchange_per_line(user: Any) -> None:
    """Lines are numbered objects in order of arrival."""
    user.upload()
    user.start()
    lines = [json.loads(line) for line in user.stub.journal.ndjson().splitlines()]
    assert [(line["number"], line["operation"]) for line in lines] == [(1, "uploadDefinition"), (2, "startInstance")]


def test_a_stream_is_written_down(user: Any) -> None:
    """What a watcher was sent is one text."""
    user.upload({"id": "end", "type": "END"})
    instance = user.start()
    user.http.get(f"{user.stub.url}/v1/instances/{instance}/events")
    [entry] = user.stub.journal.of("watchInstance")
    assert "InstanceCompleted" in entry.response


def test_raw_bytes_are_kept_beside(user: Any) -> None:
    """Whoever judges the wire gets the very bytes."""
    user.upload()
    user.start()
    assert json.loads(user.stub.journal[1].request_body) == {"definitionId": "flow"}
