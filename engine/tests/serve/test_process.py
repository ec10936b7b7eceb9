"""`rochallor` as an operator meets it: a process, its signals, its exit codes."""

import re
import signal
import subprocess
import threading

import pytest

from rochallor.cli.remote import RemoteEngine


def test_sigterm_answers_a_long_poll_and_ends_well(rochallor):
    """A poll that waits 30 s is answered when the engine is told to stop, and the process exits with 0."""
    engine = rochallor("serve", WE_SQLITE_PATH="engine.db")
    remote = RemoteEngine(engine.until("ready")["rest"])
    answers = []

    def poll():
        answers.append(remote.post("jobs", "poll", body={"workerId": "w", "jobTypes": ["none"], "waitMs": 30_000}))

    waiting = threading.Thread(target=poll)
    waiting.start()
    remote.get(
        "definitions"
    )  # the poll is older than this answer, or arrives while the engine drains: both are answered
    engine.signal(signal.SIGTERM)
    waiting.join(timeout=10)
    assert answers == [{"jobs": []}]
    assert engine.ended() == 0


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "set WE_SQLITE_PATH"),
        ({"WE_POSTGRES_DSN": "postgresql://db/x"}, "PostgreSQL comes next"),
        ({"WE_SQLITE_PATH": "x.db", "WE_REST_PORT": "many"}, "WE_REST_PORT cannot be 'many'"),
        ({"WE_SQLITE_PATH": "x.db", "WE_HOST": "0.0.0.0"}, "WE_INSECURE=true"),
    ],
)
def test_wrong_settings_exit_with_2_and_a_sentence(rochallor, variables, sentence):
    """An engine that cannot start says which variable to change."""
    engine = rochallor("serve", **variables)
    assert engine.ended() == 2
    assert sentence in "".join(iter(engine.lines.get, None))


def test_a_database_in_use_exits_with_1(rochallor):
    """A second engine on one file is refused in a sentence."""
    rochallor("serve", WE_SQLITE_PATH="engine.db").until("ready")
    second = rochallor("serve", WE_SQLITE_PATH="engine.db")
    assert "another engine is running" in second.until("cannot start")["reason"]
    assert second.ended() == 1


def test_an_unknown_variable_is_warned_about(rochallor):
    """A typing error in a variable's name shows in the log."""
    engine = rochallor("serve", WE_SQLITE_PATH="engine.db", WE_REST_PROT="1")
    assert engine.until("WE_REST_PROT is set, but no setting has this name; it is ignored")["level"] == "warning"


def test_what_dev_prints_works_as_printed(rochallor, tmp_path):
    """Every command under `Try next` runs in a shell, and the worker finishes the instance that curl started."""
    engine = rochallor("dev", "--ephemeral")
    text = ""
    while not text.endswith("\nEND\n"):
        text += engine.process.stdout.readline()
    rest = re.search(r"http://\S+", text).group()
    script = text.partition("terminal:\n")[2]
    shell = subprocess.Popen(["sh", "-e"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, text=True)
    shell.stdin.write(script.replace(" - <<'END'", " -u - <<'END' &", 1) + "\nwait $!\n")
    shell.stdin.close()
    for line in shell.stdout:
        if line.startswith("greeting Ada"):
            break
    else:
        pytest.fail("the worker greeted nobody")
    (started,) = RemoteEngine(rest).get("instances")["items"]
    ended = RemoteEngine(rest).get("instances", started["id"], "await", query={"waitMs": 10_000})
    engine.signal(signal.SIGTERM)
    shell.terminate()
    shell.wait(timeout=10)
    shell.stdout.close()
    assert ended["instance"]["variables"] == {"name": "Ada", "greeting": "Hello, Ada!"}
