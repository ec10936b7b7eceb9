"""The model knows what plain steps do, and an engine that does something else is found out by a story."""

from __future__ import annotations

import json

import pytest
from rochallor_conformance.cli import code_of
from rochallor_conformance.replay.model import Definition, Instance
from rochallor_stub import EngineStub

pytest.importorskip("hypothesis")


def model(engine: EngineStub, *arguments: str, examples: int = 15) -> int:
    target = f"engine:{engine.url},grpc={engine.grpc_target}"
    numbers = ("--examples", str(examples), "--steps", "15", "--seed", "1")
    return code_of(["contract", "model", "--target", target, *numbers, *arguments])


def changing(change):
    """Make an engine whose answers over REST go through `change(method and path, status, body)`."""

    def mutate(parts):
        def wrap(app):
            async def wrong(scope, receive, send):
                if scope["type"] != "http":
                    return await app(scope, receive, send)
                start, body = {}, b""

                async def hold(message):
                    nonlocal body
                    if message["type"] == "http.response.start":
                        start.update(message)
                    else:
                        body += message.get("body", b"")

                await app(scope, receive, hold)
                status, content = change(f"{scope['method']} {scope['path']}", start["status"], body)
                await send({**start, "status": status, "headers": [(b"content-type", b"application/json")]})
                return await send({"type": "http.response.body", "body": content})

            return wrong

        parts.rest.append(wrap)

    return mutate


def no_conflict(path, status, body):
    """A cancel of an ended instance is granted."""
    if path.endswith("/cancel") and status == 409:
        return 200, json.dumps({"id": "x"}).encode()
    return status, body


def no_jobs(path, status, body):
    """A poll finds nothing."""
    return (status, b'{"jobs": []}') if path.endswith("/jobs/poll") and status == 200 else (status, body)


def all_active(_, status, body):
    """An instance that waits for somebody is called ACTIVE."""
    return status, body.replace(b'"status":"WAITING"', b'"status":"ACTIVE"')


def one_more_retry(_, status, body):
    """A job says that it has a retry more than it has."""
    return status, body.replace(b'"retriesRemaining":0', b'"retriesRemaining":1')


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_a_right_engine_agrees_with_the_model(stub, transport: str, capsys) -> None:
    """Over both transports every story ends as the model says."""
    assert model(stub, "--transport", transport) == 0
    assert "engine and model agree" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (no_conflict, "cancelInstance should be refused with conflict"),
        (no_jobs, "jobs wait and 0 of at most"),
        (all_active, "'status': 'ACTIVE'"),
        (one_more_retry, "a job has"),
    ],
)
def test_an_engine_that_differs_is_found_out(change, words: str, capsys) -> None:
    """One wrong behaviour ends the session with 1, and the story of it is told."""
    with EngineStub(mutate=[changing(change)]) as engine:
        assert model(engine, "--no-shrink", examples=60) == 1
    told = capsys.readouterr().out
    assert words in told
    assert "1. POST /v1/definitions" in told


def test_a_story_is_shrunk(capsys) -> None:
    """The story that is told is the shortest: a definition, a start, and what goes wrong at once."""
    with EngineStub(mutate=[changing(all_active)]) as engine:
        assert model(engine) == 1
    lines = capsys.readouterr().out.splitlines()
    story = lines[lines.index("the story that ends so:") + 1 : lines.index("", 3)]
    assert [line.split()[2] for line in story] == ["/v1/definitions", "/v1/instances"]


def test_the_model_spends_retries_and_fails() -> None:
    """A retryable failure gives the job back while there are retries, then the instance fails; a retry revives it."""
    instance = Instance("i", Definition("d", ("S1", "U")), {"a": 1})
    instance.hand_out("j1", "")
    instance.fail(retryable=True)
    assert (instance.status, instance.waits_for_worker, instance.retries) == ("ACTIVE", True, 0)
    job = instance.hand_out("j2", "")
    instance.fail(retryable=True)
    assert (instance.status, job.is_live, instance.waits_for_worker) == ("FAILED", False, False)
    instance.retry({"a": 2})
    assert (instance.status, instance.retries, instance.variables) == ("ACTIVE", 1, {"a": 2})


def test_the_model_walks_to_the_end() -> None:
    """Each kind of step is entered in turn, and what is done is merged."""
    instance = Instance("i", Definition("d", ("W", "S0")), {})
    assert instance.seen == {"status": "WAITING", "currentStepIds": ["step-0"], "variables": {}}
    instance.go_on({"x": 1})
    assert (instance.status, instance.waits_for_worker) == ("ACTIVE", True)
    instance.go_on({"y": 2})
    assert instance.seen == {"status": "COMPLETED", "currentStepIds": [], "variables": {"x": 1, "y": 2}}
    assert instance.entered == ["step-0", "step-1", "end"]
