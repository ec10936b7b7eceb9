"""A whole run: an engine that is right, one that is wrong, one that knows only the base contract, and none at all."""

from __future__ import annotations

import json
import socket
from functools import partial
from pathlib import Path

import pytest
from rochallor_conformance.cli import code_of
from rochallor_conformance.report.records import BadReport, read_report
from rochallor_stub import EngineStub

SOME = ("--case", "signal", "--case", "gateway")


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


PLAIN, WORDS = (b"text/plain", b"404 page not found\n"), (b"application/json", b'{"error": "not-found"}')


def base_only(parts, *, kind: bytes = PLAIN[0], text: bytes = PLAIN[1]):
    """Make an engine that has none of our operations, and says so as its router does."""

    def rest(app):
        async def base(scope, receive, send):
            path = scope.get("path", "")
            if not path.endswith(("/await", "/audit", "/events", "/report", "openapi.json", "/user-tasks")):
                return await app(scope, receive, send)
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", kind)]})
            await send({"type": "http.response.body", "body": text})
            return None

        return base

    parts.rest.append(rest)


def test_a_right_engine_is_conformant(stub, judge) -> None:
    """Every case passes over both transports, and the report says so from header to footer."""
    code, report = judge(stub, *SOME)
    assert code == 0
    assert {result["status"] for result in report.results} == {"passed"}
    assert {result["transport"] for result in report.results} == {"rest", "grpc"}
    assert report.header["planned"] == report.footer["finished"] == len(report.results)


def test_a_wrong_engine_is_found_out(judge) -> None:
    """A failure names the requirement, both sides, the last messages, and how to see it again."""
    with EngineStub(mutate=[without_merging]) as engine:
        code, report = judge(engine, "--case", "signal-moves-on-with-its-variables", "--transport", "rest")
    [failed] = report.failures
    failure = failed["failure"]
    assert code == 1
    assert failure["requirements"][0].startswith("ENG-SIG-001: A signal's body")
    assert failure["expected"] == {"$exact": {"a": 1, "b": 2, "variables": {"c": 3}}}
    assert failure["actual"] == {"a": 1}
    assert failure["exchanges"][-1].startswith("4. GET /v1/instances/")
    assert failure["command"].startswith("curl -sS -X GET http://127.0.0.1:")
    assert "repro signal-moves-on-with-its-variables" in failure["repro"]


def hanging_up(parts):
    """Make an engine that ends the connection when somebody signals, and answers all else."""

    def wrap(app):
        async def wrong(scope, receive, send):
            if "/signals/" not in scope.get("path", ""):
                await app(scope, receive, send)
                return
            headers = [(b"content-type", b"application/json"), (b"content-length", b"9")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})

        return wrong

    parts.rest.append(wrap)


def test_an_engine_that_hangs_up_on_a_request_has_failed(judge, tmp_path: Path) -> None:
    """Who answers other requests has failed the case, no matter that this one was not answered; a cassette goes on."""
    case = ("--case", "signal-moves-on-with-its-variables", "--case", "signal-unknown-step", "--transport", "rest")
    with EngineStub(mutate=[hanging_up]) as engine:
        code, report = judge(engine, *case, "--case", "wire-health-*")
        out = ("--out", str(tmp_path / "cassette.ndjson"))
        recorded = code_of(["contract", "record", "--target", f"engine:{engine.url}", *case[:2], *out])
    statuses = {result["case"]: result["status"] for result in report.results}
    assert (code, statuses["signal-moves-on-with-its-variables"], statuses["wire-health-answers"]) == (
        1, "failed", "passed",
    )  # fmt: skip
    assert report.failures[0]["failure"]["message"].startswith("hung up, and answers other requests: POST http://")
    assert recorded == 0


@pytest.mark.parametrize("answer", [PLAIN, WORDS])
def test_an_engine_of_the_base_contract_lacks_our_additions(judge, answer) -> None:
    """What is ours is not implemented there; that is no failure and no crash."""
    with EngineStub(mutate=[partial(base_only, kind=answer[0], text=answer[1])]) as engine:
        code, report = judge(engine, "--case", "worker-*", "--case", "job-token-fences", "--transport", "rest")
    statuses = {result["case"]: result["status"] for result in report.results}
    assert statuses["job-token-fences"] == statuses["worker-report-fails"] == "not_implemented"
    assert statuses["worker-many-jobs-are-honoured"] == "passed"
    assert (code, "additions" in report.header["capabilities"]) == (0, False)


def test_a_draft_of_known_failures_makes_the_run_pass(judge, tmp_path: Path) -> None:
    """The draft covers what failed; with it the same engine is conformant but for nothing."""
    file = tmp_path / "known.yaml"
    case = ("--case", "signal-moves-on-with-its-variables", "--transport", "rest")
    with EngineStub(mutate=[without_merging]) as engine:
        judge(engine, *case, "--draft", str(file))
        code, report = judge(engine, *case, "--known-failures", str(file))
    assert (code, report.results[0]["status"]) == (0, "known")


def test_a_known_failure_that_passes_is_bookkeeping(stub, judge, tmp_path: Path) -> None:
    """An entry whose case passes ends the run with 2."""
    file = tmp_path / "known.yaml"
    code_of(["known-failures", "add", str(file), "--case", "signal-unknown-step", "--reason", "It was broken once.",
             "--owner", "ada", "--message", "something"])  # fmt: skip
    code, report = judge(stub, "--case", "signal-unknown-step", "--known-failures", str(file))
    assert (code, report.footer["bookkeeping"]) == (2, ["signal-unknown-step: passes; remove it"])


def test_a_shard_knows_that_others_play_the_rest(stub, judge, tmp_path: Path, capsys) -> None:
    """An entry for a case of another shard is no bookkeeping; one for no case is, and the terminal says so."""
    file = tmp_path / "known.yaml"
    entry = ("--reason", "It was broken once.", "--owner", "ada", "--message", "something")
    code_of(["known-failures", "add", str(file), "--case", "gateway-*", "--transport", "grpc", *entry])
    assert judge(stub, "--case", "signal", "--transport", "rest", "--known-failures", str(file))[0] == 0
    code_of(["known-failures", "add", str(file), "--case", "no-such-case", *entry])
    assert judge(stub, "--case", "signal", "--transport", "rest", "--known-failures", str(file))[0] == 2
    assert "known failure no-such-case: matches no case of this run" in capsys.readouterr().out
    report = tmp_path / "report.ndjson"
    assert code_of(["known-failures", "prune", str(file), "--report", str(report)]) == 0
    assert "no-such-case" not in file.read_text()


def test_an_engine_that_is_not_there_makes_the_run_incomplete(tmp_path: Path) -> None:
    """Nobody answers: every play is broken, and the exit code is 3."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    path = tmp_path / "report.ndjson"
    target = f"engine:http://127.0.0.1:{port}"
    code = code_of(["run", "--target", target, "--report", str(path), "--case", "wire-health-*"])
    assert code == 3
    assert [result["status"] for result in read_report(path).results] == ["broken"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--target", "engine:nonsense"],
        ["run", "--target", "engine:stub", "--case", "no-such-case"],
        ["run", "--target", "engine:stub", "--shard", "3/2"],
        ["dance"],
    ],
)
def test_a_wrong_command_ends_with_4(arguments: list[str]) -> None:
    """What the command line cannot mean is said, and nothing is run."""
    assert code_of(arguments) == 4


def test_the_same_inputs_give_the_same_report(stub, judge) -> None:
    """Two runs differ in ids and times only."""
    first, second = (judge(stub, *SOME)[1] for _ in range(2))
    assert [_timeless(each) for each in first.results] == [_timeless(each) for each in second.results]


def test_shards_cover_the_plan_once(stub, judge, tmp_path: Path) -> None:
    """The shards of a run have every play once, and merged they are the whole report."""
    parts = []
    for index in (1, 2, 3):
        _, report = judge(stub, *SOME, "--shard", f"{index}/3")
        part = tmp_path / f"{index}.ndjson"
        part.write_text("".join(json.dumps(line) + "\n" for line in (report.header, *report.results, report.footer)))
        parts.append(str(part))
    merged = tmp_path / "merged.ndjson"
    assert code_of(["report", "merge", *parts, "-o", str(merged)]) == 0
    _, whole = judge(stub, *SOME)
    assert [_timeless(each) for each in read_report(merged).results] == [_timeless(each) for each in whole.results]


def test_a_report_without_its_footer_is_none(stub, judge, tmp_path: Path) -> None:
    """A report that was cut off is refused, with a sentence."""
    _, report = judge(stub, "--case", "wire-health-*")
    cut = tmp_path / "cut.ndjson"
    cut.write_text(json.dumps(report.header) + "\n")
    with pytest.raises(BadReport, match="no footer"):
        read_report(cut)
    assert code_of(["report", "md", str(cut)]) == 3


def _timeless(result: dict) -> dict:
    return {name: value for name, value in result.items() if name != "ms"}
