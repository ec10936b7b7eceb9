"""The fuzzer reaches what is behind an id, and finds the answer that the contract does not allow."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rochallor_conformance.cli import code_of
from rochallor_conformance.contract.operations import operations
from rochallor_conformance.replay.live import SITUATIONS
from rochallor_conformance.replay.reached import Tally
from rochallor_stub import EngineStub

pytest.importorskip("schemathesis")


def answering(path_end: str, status: int, body: bytes):
    """Make an engine that gives one answer to every request whose path ends so and that it would have granted."""

    def mutate(parts):
        def wrap(app):
            async def wrong(scope, receive, send):
                async def other(message):
                    if message["type"] == "http.response.start" and message["status"] < 300:
                        message = {**message, "status": status, "headers": [(b"content-type", b"application/json")]}
                    elif message["type"] == "http.response.body" and is_granted:
                        message = {**message, "body": body}
                    await send(message)

                async def watch(message):
                    nonlocal is_granted
                    if message["type"] == "http.response.start":
                        is_granted = message["status"] < 300
                    await other(message)

                is_granted = False
                await app(scope, receive, watch if scope.get("path", "").endswith(path_end) else send)

            return wrong

        parts.rest.append(wrap)

    return mutate


def hanging_up(parts):
    """Make an engine that ends the connection where a body is of a kind that it does not take."""

    def wrap(app):
        async def wrong(scope, receive, send):
            if (b"content-type", b"text/plain") not in scope.get("headers", ()):
                await app(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})

        return wrong

    parts.rest.append(wrap)


OURS = ("/await", "/audit", "/events", "/report", "/openapi.json", "/v1/user-tasks", "/readyz", "-definition.json")


def of_the_base_contract(parts):
    """Make an engine that has none of our operations, and whose instances have no revision."""

    def wrap(app):
        async def base(scope, receive, send):
            if scope.get("path", "").endswith(OURS):
                await send(
                    {"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]}
                )
                await send({"type": "http.response.body", "body": b"404 page not found\n"})
                return
            begun: list[dict[str, Any]] = []

            async def without(message):
                if message["type"] == "http.response.start":
                    begun.append(message)
                    return
                body = re.sub(rb',"revision":\d+', b"", message["body"])
                kept = [pair for pair in begun[0]["headers"] if pair[0].lower() != b"content-length"]
                size = [(b"content-length", b"%d" % len(body))] if len(kept) < len(begun[0]["headers"]) else []
                await send({**begun[0], "headers": [*kept, *size]})
                await send({**message, "body": body})

            await app(scope, receive, without)

        return base

    parts.rest.append(wrap)


def fuzz(engine: EngineStub, *names: str, rounds: int = 2, seed: int = 1) -> int:
    only = [part for name in names for part in ("--operation", name)]
    target = f"engine:{engine.url},grpc={engine.grpc_target}"
    arguments = ["--target", target, "--rounds", str(rounds), "--seed", str(seed), "--max-time", "300"]
    return code_of(["contract", "fuzz", *arguments, *only])


def test_an_engine_that_hangs_up_is_a_finding(capsys) -> None:
    """A request that is not answered does not end the session; the finding says which it was."""
    with EngineStub(mutate=[hanging_up]) as engine:
        assert fuzz(engine, "signalWait", rounds=1) == 1
    told = capsys.readouterr().out
    assert "signalWait (seen 1 times): did not answer: " in told
    assert "curl -sS -X POST http://127.0.0.1:" in told


def test_live_ids_lead_behind_404(stub, capsys) -> None:
    """A right engine gives no finding, and jobs that are really held are really completed."""
    assert fuzz(stub, "completeJob") == 0
    table = capsys.readouterr().out
    assert "204 (" in table
    assert "404 (" in table
    assert "0 findings" in table


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b'{"items": null}', "None is not of type 'array'"),
        (418, b"{}", "status 418, which getInstanceHistory does not document"),
        (500, b'{"error": "internal-error", "message": "x", "reason": "x"}', "Server error"),
    ],
)
def test_an_answer_that_the_contract_does_not_allow_is_found(status, body, words, capsys) -> None:
    """A wrong shape, an undocumented status and a server error each end the session with 1 and a command."""
    with EngineStub(mutate=[answering("/history", status, body)]) as engine:
        assert fuzz(engine, "getInstanceHistory") == 1
    told = capsys.readouterr().out
    assert words in told
    assert "curl -X GET" in told


def test_an_engine_that_starts_nothing_is_found_out(capsys) -> None:
    """Where live ids cannot be made, that is the finding and no trouble of the harness."""
    with EngineStub(mutate=[answering("/v1/instances", 500, b"{}")]) as engine:
        assert fuzz(engine, "signalWait", rounds=1) == 1
    assert "cannot be met with live ids: POST /v1/instances answered 500" in capsys.readouterr().out


def test_an_engine_of_the_base_contract_is_met_as_one(capsys) -> None:
    """Its router's 404s and the fields that it does not have are no findings; what it does have is fuzzed."""
    with EngineStub(mutate=[of_the_base_contract]) as engine:
        assert fuzz(engine) == 0
    table = capsys.readouterr().out
    assert "our additions were not met" in table
    assert "completeJob" in table
    assert "awaitInstance" not in table


def test_what_was_not_met_makes_the_session_incomplete(monkeypatch, stub, capsys) -> None:
    """Without live ids nothing is completed, and a session that met too little ends with 3."""
    monkeypatch.delitem(SITUATIONS, "cancelInstance")
    assert fuzz(stub, "cancelInstance", rounds=1) == 3
    assert "neither reached nor excused: cancelInstance 200, cancelInstance 409" in capsys.readouterr().err


def test_the_same_seed_meets_the_same(stub, capsys) -> None:
    """Two sessions of one seed reach the same statuses equally often."""
    tables = []
    for _ in range(2):
        fuzz(stub, "signalWait", rounds=1, seed=5)
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]


def test_every_operation_that_is_about_something_has_a_situation() -> None:
    """An operation of the contract that takes an id is met with ids that exist."""
    about = {name for name, each in operations().items() if each.id_argument}
    assert about <= SITUATIONS.keys()


def test_a_status_is_reached_or_excused_or_missed() -> None:
    """The table has every documented status once, and what is neither is told."""
    tally = Tally(frozenset({"getInstance"}))
    tally.note("getInstance", 200)
    assert tally.missed(has_tokens=False) == ["getInstance 400", "getInstance 404"]
    assert tally.missed(has_tokens=True) == ["getInstance 400", "getInstance 401", "getInstance 403", "getInstance 404"]
    assert tally.lines(has_tokens=False)[0].startswith("getInstance  200 (1)  400 [!]  401 [1]")
