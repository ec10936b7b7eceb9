"""Control calls under /__stub/, and the process that offers them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from rochallor_stub.control import CALLS
from rochallor_stub.faults import FAULTS

README = Path(__file__).parents[2] / "README.md"


def test_time_is_moved_by_control_calls(user: Any) -> None:
    """`advance` and `jump` answer with the new time."""
    user.control("POST", "advance", {"seconds": 60})
    assert user.control("POST", "jump", {"seconds": -30})["now"] == "2026-01-01T00:00:30.000Z"
    assert user.control("GET", "now")["nowMs"] == 1_767_225_630_000


def test_faults_are_planted_and_taken_out_by_control_calls(user: Any) -> None:
    """The fields are those of `Fault`; the list says how each has fared."""
    ids = user.control("POST", "faults", [{"fault": "status", "status": 500}, {"fault": "duplicate", "nth": 2}])["ids"]
    user.http.get(user.stub.url + "/healthz")
    fared = [(each["id"], each["hits"]) for each in user.control("GET", "faults")["faults"]]
    user.call("DELETE", f"/__stub/faults?id={ids[0]}")
    left = user.control("GET", "faults")["faults"]
    assert (fared, [each["id"] for each in left]) == ([(ids[0], 1), (ids[1], 0)], [ids[1]])
    assert user.control("DELETE", "faults") == {"faults": []}


def test_the_journal_is_read_from_where_one_was(user: Any) -> None:
    """`after` leaves out what was read before; control calls are not in it."""
    for _ in range(3):
        user.call("GET", "/healthz")
    lines = user.http.get(user.stub.url + "/__stub/journal?after=1").text.splitlines()
    assert [json.loads(line)["number"] for line in lines] == [2, 3]
    user.control("DELETE", "journal")
    assert user.http.get(user.stub.url + "/__stub/journal").text == ""


def test_state_says_what_there_is(user: Any) -> None:
    """Instances by status, ready jobs by type, and when the next thing is due."""
    user.upload()
    user.start()
    user.start()
    user.poll(maxJobs=1)
    state = user.control("GET", "state")
    assert (state["instances"], state["readyJobs"]) == ({"ACTIVE": 2}, {"work": 1})
    assert state["nextDueMs"] == state["nowMs"] + 30_000


def test_a_lease_is_ended_by_a_control_call(user: Any) -> None:
    """The job can be had again at once; a job that nobody holds is told apart."""
    user.upload()
    user.start()
    [job] = user.poll()
    answers = [user.control("POST", "expire-lease", {"jobId": job["id"]})["expired"] for _ in range(2)]
    assert (answers, [each["attempt"] for each in user.poll()]) == ([True, False], [2])


def test_a_reset_is_a_control_call(user: Any) -> None:
    """With another seed the ids are others."""
    user.upload()
    first = user.start()
    user.control("POST", "reset", {"seed": 5})
    user.upload()
    assert user.start() != first


@pytest.mark.parametrize(
    ("method", "name", "body", "says"),
    [
        ("POST", "advance", {"second": 1}, "second"),
        ("POST", "advance", {"seconds": -1}, "jump"),
        ("POST", "faults", {"fault": "explode"}, "explode"),
        ("POST", "faults", {"fault": "delay", "operation": "completeJobs"}, "completeJob"),
        ("GET", "time", None, "/__stub/now"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(user: Any, method: str, name: str, body: Any, says: str) -> None:
    """400 says what is wrong and what there is."""
    answer = user.http.request(method, f"{user.stub.url}/__stub/{name}", json=body)
    assert (answer.status_code, says in answer.json()["message"]) == (400, True)


def test_every_call_and_fault_is_in_the_readme() -> None:
    """The page cannot forget one."""
    text = README.read_text(encoding="utf-8")
    missing = [name for name in FAULTS if f"`{name}`" not in text]
    missing += [f"{method} {name}" for method, name in CALLS if f"`{method} {name}`" not in text]
    assert missing == []


def test_the_process_prints_its_addresses_and_ends_when_told() -> None:
    """One line of JSON, then it serves; SIGTERM ends it with 0."""
    command = [sys.executable, "-c", "from rochallor_stub.cli import main; main()", "--seed", "3", "--auto"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            addresses = json.loads(process.stdout.readline())
            now = httpx.get(addresses["control"] + "now").json()
            process.send_signal(signal.SIGTERM)
            assert (now["auto"], process.wait(20)) == (True, 0)
        finally:
            process.kill()


def test_the_plugin_gives_a_fresh_engine_to_every_test(tmp_path: Path) -> None:
    """`engine_stub` is there without an import, and what one test did the next does not see."""
    (tmp_path / "test_mine.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('turn', [1, 2])\n"
        "def test_mine(engine_stub, turn):\n"
        "    assert engine_stub.now.minute == 0 and not engine_stub.journal\n"
        "    engine_stub.advance(60)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "2 passed" in done.stdout, done.stdout


def test_the_plugin_costs_nothing_until_it_is_used() -> None:
    """Neither grpc nor uvicorn is loaded by a test run that asks for no engine."""
    code = "import sys, rochallor_stub.pytest_plugin as p; print({'grpc', 'uvicorn', 'rochallor'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("call", "seconds"),
    [("advance", 1e12), ("advance", 1e300), ("jump", 1e18), ("jump", -1e18), ("jump", -1e11)],
)
def test_the_clock_stays_where_dates_are(user: Any, call: str, seconds: float) -> None:
    """A time outside of the calendar is refused with a sentence, and nothing is the worse for it."""
    answer = user.http.post(f"{user.stub.url}/__stub/{call}", json={"seconds": seconds})
    assert answer.status_code == 400
    assert "it goes from 0001-01-01 to 9998-12-31" in answer.json()["message"]
    assert user.control("GET", "now")["now"] == "2026-01-01T00:00:00.000Z"
    user.upload()
    assert user.start()


@pytest.mark.parametrize("seconds", [251_600_000_000, -63_900_000_000])
def test_at_the_ends_of_its_time_the_stub_still_works(user: Any, seconds: float) -> None:
    """Leases and timers have dates as long as the clock has one."""
    user.control("POST", "jump", {"seconds": seconds})
    user.upload()
    user.start()
    assert len(user.poll(maxJobs=1)) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"fault": "status", "status": 1000}, "status is 1000; an answer's is 200 to 599"),
        ({"fault": "status", "status": 101}, "status is 101"),
        ({"fault": "status", "retry_after_s": -3}, "retry_after_s is -3; seconds to wait are 0 or more"),
        ({"fault": "delay", "seconds": -1}, "nothing waits less than 0 s, only a clock_jump goes back"),
        ({"fault": "clock_jump", "seconds": 1e18}, "is longer than all the time that the stub's clock has"),
    ],
)
def test_a_fault_that_cannot_be_carried_out_is_refused(user: Any, fault: dict[str, Any], words: str) -> None:
    """It is said when it is planted, not when it is met; none of a list is planted then."""
    answer = user.http.post(user.stub.url + "/__stub/faults", json=[{"fault": "clock_jump", "seconds": -60}, fault])
    assert (answer.status_code, words in answer.json()["message"]) == (400, True)
    assert user.control("GET", "faults") == {"faults": []}
