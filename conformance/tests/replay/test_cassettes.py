"""A whole cassette: recorded, sent again over both transports, judged without an engine, and refused when it is cut."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rochallor_conformance.cases.model import Case
from rochallor_conformance.cli import code_of
from rochallor_conformance.replay.cassette import BadCassette, read_cassette
from rochallor_conformance.replay.recording import LeftOut, refuse_unrecordable
from rochallor_conformance.report.records import read_report
from rochallor_stub import EngineStub

SOME = (
    "--case",
    "signal",
    "--case",
    "gateway",
    "--case",
    "job-complete-*",
    "--case",
    "task-c*",
    "--case",
    "error-poll-*",
)


def without_merging(parts):
    """Make an engine that forgets the variables of a signal over REST."""

    def wrap(app):
        async def wrong(scope, receive, send):
            async def emptied():
                message = await receive()
                return {**message, "body": b"{}" if message.get("body") else b""}

            await app(scope, emptied if "/signals/" in scope.get("path", "") else receive, send)

        return wrong

    parts.rest.append(wrap)


def base_only(parts):
    """Make an engine that has neither our operations nor our fields."""

    def rest(app):
        async def base(scope, receive, send):
            body = b""
            start = {}

            async def hold(message):
                nonlocal body
                if message["type"] == "http.response.start":
                    start.update(message)
                else:
                    body += message.get("body", b"")

            if scope.get("path", "").endswith(("/await", "/audit", "/events", "/report", "/user-tasks")):
                await send(
                    {"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]}
                )
                return await send({"type": "http.response.body", "body": b"404 page not found"})
            await app(scope, receive, hold)
            kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
            await send({**start, "headers": kept})
            return await send({"type": "http.response.body", "body": re.sub(rb',"revision":\d+', b"", body)})

        return base

    parts.rest.append(rest)


def target(engine: EngineStub) -> str:
    return f"engine:{engine.url},grpc={engine.grpc_target}"


@pytest.fixture(scope="session")
def tape(stub: EngineStub, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cassette that was recorded over REST from an engine that is right."""
    path = tmp_path_factory.mktemp("tape") / "some.ndjson"
    assert code_of(["contract", "record", "--target", target(stub), "--out", str(path), *SOME]) == 0
    return path


@pytest.fixture
def changed(tape: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return the cassette with one line changed; the change says whether a line is the one."""

    def make(change: Callable[[dict[str, Any]], bool]) -> Path:
        rows = [json.loads(line) for line in tape.read_text().splitlines()]
        next(row for row in rows if change(row))
        path = tmp_path / "changed.ndjson"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return make


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_a_cassette_is_answered_alike_over_both_transports(stub, tape: Path, transport: str, capsys) -> None:
    """What was recorded over REST is replayed over REST and, through the mapping, over gRPC without a difference."""
    assert code_of(["contract", "replay", str(tape), "--target", target(stub), "--transport", transport]) == 0
    assert " passed" in capsys.readouterr().out


def test_a_cassette_of_grpc_is_answered_over_rest(stub, tmp_path: Path) -> None:
    """The way back works too."""
    path = tmp_path / "grpc.ndjson"
    case = ("--case", "job-complete-*", "--case", "signal", "--transport", "grpc")
    assert code_of(["contract", "record", "--target", target(stub), "--out", str(path), *case]) == 0
    assert {take.about.transport for take in read_cassette(path).takes} == {"grpc"}
    assert code_of(["contract", "replay", str(path), "--target", target(stub), "--transport", "rest"]) == 0


def test_an_engine_that_answers_differently_is_found_out(tape: Path, tmp_path: Path, capsys) -> None:
    """One lost variable ends the replay with 1, and the exchange, both values and a command are told."""
    report = tmp_path / "report.ndjson"
    with EngineStub(mutate=[without_merging]) as engine:
        arguments = ["--target", target(engine), "--case", "signal-moves-on-*", "--report", str(report)]
        code = code_of(["contract", "replay", str(tape), *arguments])
    told = capsys.readouterr().out
    [failed] = read_report(report).failures
    assert failed["failure"]["expected"] == 2
    assert failed["failure"]["repro"].startswith(f"rochallor-conformance contract replay {tape} --case signal-moves-on")
    assert code_of(["report", "junit", str(report)]) == 0
    assert code == 1
    assert "signal-moves-on-with-its-variables over rest" in told
    assert "getInstance /variables/b: expected 2, got (absent)" in told
    assert "curl -sS -X GET http://127.0.0.1:" in told


def test_two_targets_are_compared(stub, capsys) -> None:
    """`diff` plays the cases on the first and lists where the second answers differently."""
    case = ("--case", "signal-moves-on-with-its-variables", "--transport", "rest")
    with EngineStub(mutate=[without_merging]) as engine:
        assert code_of(["diff", target(stub), target(engine), *case]) == 1
    assert "/variables/b: expected 2, got (absent)" in capsys.readouterr().out
    assert code_of(["diff", target(stub), target(stub), *case]) == 0


def test_an_engine_of_the_base_contract_is_not_asked_for_more(tape: Path, capsys) -> None:
    """What is ours is left out, and its fields may be missing; everything else is compared."""
    with EngineStub(mutate=[base_only]) as engine:
        cases = ("--case", "gateway-*", "--case", "job-complete-*", "--case", "signal-*")
        assert code_of(["contract", "replay", str(tape), "--target", target(engine), *cases]) == 0
    assert "passed" in capsys.readouterr().out


def test_a_cassette_is_in_order_without_an_engine(tape: Path) -> None:
    """Every recorded answer is of the contract's shape and can be carried to the other transport."""
    assert code_of(["contract", "replay", str(tape), "--offline"]) == 0


OFFLINE = {
    "a field is renamed": (lambda body: body.update(stage=body.pop("status")), "'status' is a required property"),
    "a field is new": (lambda body: body.update(colour="red"), "'colour' was unexpected"),
    "a list is null": (lambda body: body.update(currentStepIds=None), "None is not of type 'array'"),
    "a number is a text": (lambda body: body.update(revision="1"), "'1' is not of type 'integer'"),
    "a word is unknown": (lambda body: body.update(status="DREAMING"), "'DREAMING' is not one of"),
}


@pytest.mark.parametrize("name", OFFLINE)
def test_a_changed_answer_is_found_without_an_engine(changed, name: str, capsys) -> None:
    """One field of one answer that is not as the contract says ends the replay with 1, with its place."""
    change, words = OFFLINE[name]

    def once(row: dict[str, Any]) -> bool:
        if row.get("operation") != "getInstance" or row["status"] != 200:
            return False
        change(row["response"])
        return True

    assert code_of(["contract", "replay", str(changed(once)), "--offline"]) == 1
    assert words in capsys.readouterr().out


def test_a_changed_schema_is_found_without_an_engine(tape: Path, monkeypatch, capsys) -> None:
    """One line less in the contract's document, and the recorded answers no longer fit."""
    from rochallor_conformance.contract import shapes  # noqa: PLC0415

    document = json.loads(json.dumps(shapes.contract("openapi")))
    del document["components"]["schemas"]["WorkflowInstance"]["properties"]["currentStepIds"]
    monkeypatch.setattr(shapes, "contract", lambda _: document)
    shapes._validator.cache_clear()
    try:
        assert code_of(["contract", "replay", str(tape), "--offline"]) == 1
    finally:
        shapes._validator.cache_clear()
    assert "'currentStepIds' was unexpected" in capsys.readouterr().out


def test_a_cassette_that_was_cut_is_none(tape: Path, tmp_path: Path) -> None:
    """Without its footer, or with a line missing, it is refused with a sentence and ends with 3."""
    lines = tape.read_text().splitlines(keepends=True)
    cut = tmp_path / "cut.ndjson"
    for kept, words in ((lines[:-1], "has no footer"), ([*lines[:5], *lines[6:]], "lines are missing")):
        cut.write_text("".join(kept))
        with pytest.raises(BadCassette, match=words):
            read_cassette(cut)
        assert code_of(["contract", "replay", str(cut), "--offline"]) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["contract", "replay", "x.ndjson"],
        ["contract", "replay", "x.ndjson", "--offline", "--target", "engine:stub"],
        ["contract", "record", "--target", "engine:stub"],
        ["diff", "engine:stub"],
    ],
)
def test_a_wrong_command_of_the_replay_ends_with_4(arguments: list[str]) -> None:
    """What the command line cannot mean is said, and nothing is run."""
    assert code_of(arguments) == 4


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"requires": ["virtual-clock"]}, "virtual clock"),
        ({"then": [{"parallel": [{"call": "healthz"}]}]}, "race"),
    ],
)
def test_what_depends_on_chance_or_time_is_left_out(book, more, words) -> None:
    """A race and a moved clock are not recorded, and the reason says so."""
    import msgspec  # noqa: PLC0415

    case = msgspec.convert({**msgspec.to_builtins(book.cases[0]), **more}, Case)
    with pytest.raises(LeftOut, match=words):
        refuse_unrecordable(case)


def test_a_question_that_was_repeated_is_one_exchange(stub, tmp_path: Path) -> None:
    """How often an answer was awaited is chance; the cassette has the last, and a replay asks until it comes."""
    path = tmp_path / "awaited.ndjson"
    case = ("--case", "chain-starts-the-next")
    code_of(["contract", "record", "--target", target(stub), "--out", str(path), "--case", "chain-*", *case])
    for take in read_cassette(path).takes:
        asked = [(each.operation, str(each.request)) for each in take.exchanges if each.awaited]
        assert len(asked) == len(set(asked))
