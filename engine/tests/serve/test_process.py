"""`rochallor` as an operator meets it: a process, its signals, its exit codes."""

import os
import re
import signal
import subprocess
import threading
import urllib.request

import pytest
from rochallor.cli.remote import RemoteEngine


def read(url):
    with urllib.request.urlopen(url, timeout=30) as page:
        return page.read().decode()


def test_sigterm_answers_a_long_poll_and_ends_well(rochallor):
    """A poll that waits 30 s is answered when the engine is told to stop, and the process exits with 0."""
    engine = rochallor("serve", WE_SQLITE_PATH="engine.db")
    addresses = engine.until("ready")
    remote, answers = RemoteEngine(addresses["rest"]), []

    def poll():
        answers.append(remote.post("jobs", "poll", body={"workerId": "w", "jobTypes": ["none"], "waitMs": 30_000}))

    waiting = threading.Thread(target=poll)
    waiting.start()
    while 'rochallor_pollers{job_type="none"} 1.0' not in read(addresses["metrics"]):
        pass
    engine.signal(signal.SIGTERM)
    waiting.join(timeout=29)
    assert answers == [{"jobs": []}]
    assert engine.ended() == 0


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "set WE_POSTGRES_DSN"),
        ({"WE_POSTGRES_DSN": "postgresql://db:port/x"}, "WE_POSTGRES_DSN: "),
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


@pytest.mark.parametrize(("arguments", "kept"), [(("--db", "mine.db"), {"mine.db"}), (("--ephemeral",), set())])
def test_dev_keeps_state_where_it_was_told_and_in_no_database_of_the_environment(rochallor, tmp_path, arguments, kept):
    """What is only tried never ends in a database that others use."""
    engine = rochallor("dev", *arguments, WE_POSTGRES_DSN="postgresql://127.0.0.1:1/x", WE_WORKERS="2")
    text = ""
    while not text.endswith("\nEND\n"):
        line = engine.process.stdout.readline()
        assert line, "it ended"
        text += line
    assert "PostgreSQL" not in text
    assert {path.name for path in tmp_path.glob("*.db")} == kept


def test_the_demo_uses_no_database_of_the_environment(rochallor):
    """It has a file of its own for the while."""
    demo = rochallor("dev", "--demo", WE_POSTGRES_DSN="postgresql://127.0.0.1:1/x", WE_WORKERS="2")
    assert demo.ended() == 0


def test_what_dev_prints_works_as_printed(rochallor, tmp_path):
    """Every command under `Try next` runs in a shell, and the worker finishes the instance that curl started."""
    engine = rochallor("dev", "--ephemeral")
    text = ""
    while not text.endswith("\nEND\n"):
        text += engine.process.stdout.readline()
    rest = re.search(r"http://\S+", text).group()
    script = text.partition("terminal:\n")[2]
    shell = subprocess.Popen(
        ["sh", "-ec", script], stdout=subprocess.PIPE, cwd=tmp_path, text=True, start_new_session=True
    )
    patience = threading.Timer(30, os.killpg, (shell.pid, signal.SIGKILL))
    patience.start()
    assert any(line.startswith("greeting Ada") for line in shell.stdout), "the worker greeted nobody"
    (started,) = RemoteEngine(rest).get("instances")["items"]
    ended = RemoteEngine(rest).get("instances", started["id"], "await", query={"waitMs": 10_000})
    engine.signal(signal.SIGTERM)
    patience.cancel()
    os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()
    shell.stdout.close()
    assert ended["instance"]["variables"] == {"name": "Ada", "greeting": "Hello, Ada!"}
