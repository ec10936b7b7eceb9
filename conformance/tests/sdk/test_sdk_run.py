"""A run against an SDK: a right one, one that claims too much or too little, drivers that break on the way."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from rochallor_conformance.cli import code_of
from rochallor_conformance.report.records import Report, read_report
from rochallor_conformance.sdk.client import DriverClient
from rochallor_conformance.sdk.process import DriverProcess

HERE = Path(__file__).parent
SOME = ("sdk-call-start-and-read", "sdk-call-cancel", "sdk-report-complete", "sdk-worker-drains")


@pytest.fixture
def judge_sdk(tmp_path: Path):
    """Judge an SDK by its driver; return the exit code and the report."""

    def run(manifest, *cases: str, transport: str = "rest") -> tuple[int, Report]:
        report = tmp_path / "report.ndjson"
        wanted = [word for case in cases for word in ("--case", case)]
        target = ["--target", f"sdk:{manifest.path}", "--transport", transport]
        return code_of(["run", *target, *wanted, "--report", str(report)]), read_report(report)

    return run


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_our_sdk_passes(ours, judge_sdk, transport) -> None:
    """The Python SDK passes calls, reports and a drain over each transport."""
    code, report = judge_sdk(ours, *SOME, transport=transport)
    assert {result["case"]: result["status"] for result in report.results} == dict.fromkeys(SOME, "passed")
    assert code == 0
    assert "worker" in report.header["capabilities"]


@pytest.mark.slow
def test_our_sdk_passes_all(ours, tmp_path: Path) -> None:
    """The Python SDK passes the whole corpus over both transports, and claims all of it."""
    path = tmp_path / "report.ndjson"
    assert code_of(["run", "--target", f"sdk:{ours.path}", "--report", str(path)]) == 0
    results = read_report(path).results
    assert {result["status"] for result in results} == {"passed"}
    assert len({result["case"].split("[")[0] for result in results}) >= 20


def test_what_is_not_claimed_is_not_implemented(wrong, judge_sdk) -> None:
    """A driver that claims nothing fails nothing, and every case stays in the denominator."""
    code, report = judge_sdk(wrong(""), *SOME)
    assert {result["status"] for result in report.results} == {"not_implemented"}
    assert report.results[0]["reason"] == "the SDK does not claim instances"
    assert (code, len(report.results)) == (0, len(SOME))


def test_what_is_claimed_and_absent_fails(broken, judge_sdk, monkeypatch) -> None:
    """An SDK that claims instances and cannot start one has failed."""
    monkeypatch.setenv("SDK_MUTANT", "lacks")
    code, report = judge_sdk(broken, "sdk-call-start-and-read")
    assert code == 1
    assert report.failures[0]["failure"]["message"].startswith("startInstance failed with unsupported")


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("crashes", "the driver ended with 7 without being told to"),
        ("hangs", "the driver did not answer call within 5 s"),
        ("prints", "the driver printed a line that is no JSON: 'it works!'"),
    ],
)
def test_a_driver_that_breaks_is_named_and_the_run_goes_on(broken, judge_sdk, monkeypatch, trouble, words) -> None:
    """The case in which it broke fails with what it did; the next one gets a new driver and passes."""
    monkeypatch.setenv("SDK_MUTANT", trouble)
    monkeypatch.setattr("rochallor_conformance.sdk.client.ANSWER_S", 5.0)
    code, report = judge_sdk(broken, "sdk-call-start-and-read", "sdk-call-cancel", "sdk-report-complete")
    statuses = {result["case"]: result["status"] for result in report.results}
    expected = {"sdk-call-start-and-read": "failed", "sdk-call-cancel": "passed", "sdk-report-complete": "passed"}
    assert (code, statuses) == (1, expected)
    assert words in report.failures[0]["failure"]["message"]


def test_a_log_is_read_to_its_end_however_much_came_before(monkeypatch) -> None:
    """What a driver wrote since a case began is known by all that it ever wrote, not by what is kept of it."""
    monkeypatch.setattr("rochallor_conformance.sdk.process.KEPT_BYTES", 1000)

    process = DriverProcess([sys.executable, "-c", "import sys; sys.stderr.write(input())"], HERE, {})

    async def write(line: bytes) -> None:
        await process.start()
        await process.write(line)
        assert await process.ended()
        await process.kill()  # it returns when all is read

    async def listen() -> tuple[str, str]:
        await write(b"x" * 5000 + b"\n")
        before = process.heard
        nothing = process.stderr_since(before)
        await write(b"a token\n")
        return nothing, process.stderr_since(before)

    assert asyncio.run(listen()) == ("", "a token")


def test_a_failure_tells_the_whole_story(broken, judge_sdk, monkeypatch, capsys) -> None:
    """A failure of an SDK names the requirement, the last requests, the driver's command, and how to see it again."""
    monkeypatch.setenv("SDK_MUTANT", "fails-job-on-409")
    code, report = judge_sdk(broken, "sdk-report-success-stays-success[conflict]")
    failure = report.failures[0]["failure"]
    assert code == 1
    assert failure["requirements"][0].startswith("SDK-REP-008: A job whose handler succeeded is never")
    assert any("/fail" in line for line in failure["exchanges"])
    assert "driver.py" in failure["command"]
    assert "repro 'sdk-report-success-stays-success[conflict]' --target sdk:" in failure["repro"]
    again = ["repro", "sdk-report-success-stays-success[conflict]", "--target", f"sdk:{broken.path}"]
    assert code_of(again) == 1
    assert "SDK-REP-008" in capsys.readouterr().out


def test_a_failure_says_how_long_was_waited(broken, judge_sdk, monkeypatch) -> None:
    """What did not come in time is told with the time it had."""
    monkeypatch.setenv("SDK_MUTANT", "no-acknowledgement-retry")
    code, report = judge_sdk(broken, "sdk-report-again-when-unavailable")
    assert code == 1
    assert " within 5 s requests " in report.failures[0]["failure"]["message"]


def test_a_driver_that_is_not_there_is_the_runs_trouble(tmp_path: Path) -> None:
    """A driver that cannot be started is no verdict about an SDK: the play is broken, the exit code 3."""
    (tmp_path / "driver.toml").write_text(
        'name = "x"\ncommand = ["no-such-program"]\ntransports = ["rest"]\ncapabilities = ["instances"]\n'
    )
    path = tmp_path / "report.ndjson"
    arguments = ["run", "--target", f"sdk:{tmp_path}", "--case", "sdk-call-cancel", "--report", str(path)]
    assert code_of(arguments) == 3
    assert read_report(path).results[0]["reason"].startswith("the driver does not start: no-such-program")


def test_a_case_that_asks_a_driver_for_nonsense_is_the_harness_mistake(wrong) -> None:
    """What the schema of the protocol does not allow is never sent; the sentence says what it was."""

    async def send() -> None:
        manifest = wrong("")
        client = DriverClient(DriverProcess(manifest.command, manifest.folder, {}))
        await client.start()
        try:
            await client.send("job.reply", token="1", action="dance")
        finally:
            await client.end()

    with pytest.raises(ValueError, match=r"job.reply .* is not what schemas/driver.json allows: /action: 'dance'"):
        asyncio.run(send())


def test_a_driver_that_cannot_say_hello_is_tried_once(wrong, judge_sdk) -> None:
    """Every case fails with what was wrong with hello, and the driver is not started for each of them again."""
    manifest = wrong("counts-and-fails", capabilities='["instances"]')
    code, report = judge_sdk(manifest, "sdk-call-cancel", "sdk-call-history", "sdk-call-values-survive")
    messages = {result["failure"]["message"] for result in report.failures}
    assert (code, len(report.failures), len(messages)) == (1, 3, 1)
    assert "ended with 1 without being told to; its last words: I am number 1" in messages.pop()


def test_doctor_tells_what_an_sdk_claims(ours, capsys) -> None:
    """`doctor` names an SDK's transports and claims."""
    assert code_of(["doctor", "--target", f"sdk:{ours.path}"]) == 0
    said = capsys.readouterr().out
    assert "workflow-sdk (Python) over rest, grpc" in said
    assert "drain" in said


def test_a_pair_plays_the_engines_cases_through_the_sdk(ours, tmp_path: Path) -> None:
    """What an SDK can say is played over both transports; what no SDK says is skipped, with the reason."""
    path = tmp_path / "report.ndjson"
    cases = ["signal-*", "definition-refuses-an-unknown-boundary-type", "wire-health-*", "task-both-bodies-are-refused"]
    wanted = [word for case in cases for word in ("--case", case)]
    assert code_of(["run", "--target", f"pair:{ours.path}", *wanted, "--report", str(path)]) == 0
    report = read_report(path)
    statuses = {(result["case"], result["transport"]): result["status"] for result in report.results}
    assert report.header["target"] == "pair:workflow-sdk (Python)"
    assert statuses["definition-refuses-an-unknown-boundary-type", "grpc"] == "passed"
    reasons = {result["case"]: result["reason"] for result in report.results if result["status"] == "skipped"}
    assert reasons["task-both-bodies-are-refused"].startswith("when[0]: the SDK cannot say this: TypeError")
    assert any(reason.startswith("no SDK says that: ") for reason in reasons.values())
    assert sum(status == "passed" for status in statuses.values()) > len(reasons)


@pytest.mark.slow
def test_the_pair_passes_all(ours, tmp_path: Path) -> None:
    """Stub and Python SDK pass every case of the engine that an SDK can say."""
    path = tmp_path / "report.ndjson"
    assert code_of(["run", "--target", f"pair:{ours.path}", "--report", str(path)]) == 0
    passed = [result for result in read_report(path).results if result["status"] == "passed"]
    assert len(passed) > 600
