"""The command line as a shell meets it: processes, pipes, terminals, signals, against an engine process."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "rochallor"]
STAY = {
    "id": "stay",
    "name": "Stay",
    "steps": [
        {"id": "look", "name": "Look", "type": "USER_TASK", "nextStep": "pause"},
        {"id": "pause", "name": "Pause", "type": "WAIT", "nextStep": "work"},
        {"id": "work", "name": "Work", "type": "SERVICE_TASK", "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}


@pytest.fixture
def shell(rochallor, tmp_path):
    """Run a command in a process, against an engine in another one."""
    engine = rochallor("serve", WE_SQLITE_PATH="engine.db")
    environment = os.environ | {"ROCHALLOR_ENGINE": engine.until("ready")["rest"]}
    (tmp_path / "stay.json").write_text(json.dumps(STAY))

    def run(*arguments, **options):
        settings = {"capture_output": True, "text": True, "timeout": 60, "cwd": tmp_path, "env": environment}
        return subprocess.run([*COMMAND, *arguments], check=False, **(settings | options))

    run.environment = environment
    return run


def rows(ended):
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_every_command_does_its_work(shell):
    """One workflow is pushed, drawn, started, looked at, signalled and cancelled, by processes alone."""
    rows(shell("definition", "lint", "stay.json"))
    assert rows(shell("definition", "push", "stay.json"))[0]["version"] == 1
    assert [row["id"] for row in rows(shell("definition", "list"))] == ["stay"]
    assert rows(shell("definition", "show", "stay"))[0]["steps"] == STAY["steps"]
    assert shell("definition", "graph", "stay").stdout.startswith("flowchart TD")
    (first,) = rows(shell("instance", "start", "stay", "--vars", '{"n": 1}'))
    (second,) = rows(shell("instance", "start", "stay"))
    assert len(rows(shell("task", "list"))) == 2
    rows(shell("task", "complete", first["id"], "look", "--by", "ann"))
    rows(shell("instance", "signal", first["id"], "pause"))
    assert [row["jobType"] for row in rows(shell("job", "list"))] == ["work"]
    assert rows(shell("instance", "cancel", second["id"]))[0]["status"] == "CANCELLED"
    assert [row["id"] for row in rows(shell("instance", "list", "--status", "ACTIVE"))] == [first["id"]]
    assert rows(shell("instance", "describe", first["id"]))[0]["waitingFor"][0]["kind"] == "JOB"
    assert [row["stepId"] for row in rows(shell("instance", "history", first["id"]))] == ["look", "pause", "work"]
    refused = shell("instance", "retry", first["id"], "work")
    assert (refused.returncode, "Try next:" in refused.stderr) == (1, True)
    assert shell("version").returncode == 0
    assert json.loads(shell("openapi").stdout)["openapi"].startswith("3.1")


def test_pipe_that_closes_early_is_no_error(shell):
    """`… | head -1` gets its line and no traceback follows."""
    shell("definition", "push", "stay.json")
    for _ in range(3):
        shell("instance", "start", "stay")
    line = f"{' '.join(COMMAND)} instance list | head -1"
    ended = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=False, env=shell.environment, timeout=60
    )
    assert (json.loads(ended.stdout)["definitionId"], ended.stderr) == ("stay", "")


def on_a_terminal(arguments, environment, interrupt_at=None):
    """Run a command on a terminal of its own; return what it showed and its exit code."""
    pid, terminal = pty.fork()
    if not pid:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests in the background has it ignored
        os.execvpe(COMMAND[0], [*COMMAND, *arguments], environment)
    shown = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # how a terminal says that nobody writes to it any more
            break
        if not part:
            break
        shown += part
        if interrupt_at and interrupt_at in shown:
            os.kill(pid, signal.SIGINT)
            interrupt_at = None
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)  # not before the command has ended: it would be hung up on
    return shown.decode(), code


def test_a_terminal_gets_a_table_and_no_color_takes_the_colors_out(shell):
    """On a terminal there is a header and a row; with NO_COLOR the same words, none of them colored."""
    shell("definition", "push", "stay.json")
    wide = shell.environment | {"TERM": "xterm", "COLUMNS": "120"}
    colored, code = on_a_terminal(["definition", "list"], wide)
    plain, _ = on_a_terminal(["definition", "list"], wide | {"NO_COLOR": "1"})
    assert code == 0
    words = [re.sub(r"\x1b\[[0-9;]*m", "", shown).split() for shown in (colored, plain)]
    assert words[0][:7] == ["id", "version", "name", "uploadedAt", "stay", "1", "Stay"]
    assert words[0] == words[1]
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", plain)


def test_ctrl_c_ends_a_tail_quietly(shell):
    """An interrupted `tail` exits as an interrupted command does, and shows no traceback."""
    shell("definition", "push", "stay.json")
    (started,) = rows(shell("instance", "start", "stay"))
    tailing = ["instance", "tail", started["id"]]
    shown, code = on_a_terminal(tailing, shell.environment | {"TERM": "xterm"}, interrupt_at=b"look")
    assert code in {130, 1, -signal.SIGINT}
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["definition", "push", "missing.json"], 2),
        (["definition", "push", "."], 2),
        (["instance", "start", "stay", "--vars", "{"], 2),
        (["instance", "start", "stay", "--vars", "@missing"], 2),
        (["instance", "describe", "no\u00adbody"], 1),
        (["instance", "list", "--status", "ASLEEP"], 1),
        (["instance", "list", "--engine", "http://127.0.0.1:1"], 3),
        (["nonsense"], 2),
    ],
)
def test_bad_input_is_an_exit_code_and_a_sentence(shell, arguments, code):
    """What is wrong is said on standard error; there is never a traceback, and nothing on standard output."""
    ended = shell(*arguments)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.strip()
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell, name):
    """A shell can be taught the commands, as click has it."""
    taught = shell("version", env=shell.environment | {"_ROCHALLOR_COMPLETE": f"{name}_source"})
    assert "_ROCHALLOR_COMPLETE" in taught.stdout
