"""The command line against a real engine: what it prints, and how it exits."""

import asyncio
import json
import socket
import threading

import pytest
from click.testing import CliRunner
from rochallor import __version__
from rochallor.cli import rochallor as command

REVIEW = {
    "id": "review",
    "name": "Review",
    "steps": [
        {"id": "look", "name": "Look", "type": "USER_TASK", "nextStep": "pause"},
        {"id": "pause", "name": "Pause", "type": "WAIT", "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}
BROKEN = {"id": "a b", "name": "", "steps": [{"id": "x", "name": "X", "type": "END", "nextStep": "x"}]}


def call(*arguments):
    return CliRunner().invoke(command, arguments)


@pytest.fixture
async def cli(start_server):
    """Return a function that runs a command against a fresh engine and returns its result."""
    server = await start_server()

    async def run(*arguments):
        return await asyncio.to_thread(call, *arguments, "--engine", server.addresses.rest)

    return run


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves a definition and returns its path."""

    def save(definition):
        path = tmp_path / "definition.json"
        path.write_text(json.dumps(definition))
        return str(path)

    return save


def printed(result):
    """Return the rows of a successful command, printed as JSON Lines."""
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


async def test_a_workflow_is_walked_from_the_command_line(cli, saved):
    """Push, start, complete the task, signal, look at the history: all by commands."""
    await cli("definition", "push", saved(REVIEW))
    (started,) = printed(await cli("instance", "start", "review", "--vars", '{"name": "Ada"}', "--key", "K1"))
    (task,) = printed(await cli("task", "list"))
    assert (task["instanceId"], task["stepId"]) == (started["id"], "look")
    printed(await cli("task", "complete", started["id"], "look", "--result", '{"fine": true}', "--by", "me"))
    printed(await cli("instance", "signal", started["id"], "pause", "--vars", '{"go": 1}'))
    (described,) = printed(await cli("instance", "describe", started["id"]))
    assert described["status"] == "COMPLETED"
    assert described["variables"] == {"name": "Ada", "fine": True, "go": 1}
    history = printed(await cli("instance", "history", started["id"]))
    assert [item["stepId"] for item in history] == ["look", "pause", "end"]


async def test_lists_can_be_narrowed(cli, saved):
    """The list of instances filters as the contract does."""
    await cli("definition", "push", saved(REVIEW))
    await cli("instance", "start", "review")
    assert len(printed(await cli("instance", "list", "--status", "WAITING"))) == 1
    assert printed(await cli("instance", "list", "--status", "FAILED")) == []
    assert [row["id"] for row in printed(await cli("definition", "list"))] == ["review"]


async def test_a_definition_comes_back(cli, saved):
    """What was pushed can be shown."""
    await cli("definition", "push", saved(REVIEW))
    (shown,) = printed(await cli("definition", "show", "review", "--version", "1"))
    assert shown["steps"] == REVIEW["steps"]


async def test_an_instance_can_be_cancelled(cli, saved):
    """Cancel stops it with the reason given."""
    await cli("definition", "push", saved(REVIEW))
    (started,) = printed(await cli("instance", "start", "review"))
    (cancelled,) = printed(await cli("instance", "cancel", started["id"], "--reason", "enough"))
    assert (cancelled["status"], cancelled["failureReason"]) == ("CANCELLED", "enough")


async def test_a_table_is_for_people(cli, saved):
    """`-o table` prints columns, and what to try next."""
    result = await cli("definition", "push", saved(REVIEW), "-o", "table")
    assert "review" in result.stdout
    assert "Try next: rochallor instance start review" in result.stdout


async def test_a_refusal_exits_with_1_and_a_next_command(cli):
    """What the engine refuses is said in its words, with the command to try."""
    result = await cli("instance", "describe", "nobody")
    assert result.exit_code == 1
    assert "no instance has the id 'nobody'" in result.stderr
    assert result.stderr.endswith("Try next: rochallor instance list\n")


async def test_a_definition_that_is_refused_shows_every_problem(cli, saved):
    """The engine's details are printed with their pointers."""
    result = await cli("definition", "push", saved(BROKEN))
    assert result.exit_code == 1
    assert "/id  ID_FORMAT" in result.stderr
    assert "/name  NAME_REQUIRED" in result.stderr


async def test_a_start_that_fails_at_once_exits_with_1(cli, saved):
    """A script sees that the workflow failed."""
    decision = {"id": "d", "name": "D", "type": "DECISION", "conditionalNextSteps": {"nope > 1": "end"}}
    failing = {"id": "failing", "name": "F", "steps": [decision, {"id": "end", "name": "E", "type": "END"}]}
    await cli("definition", "push", saved(failing))
    result = await cli("instance", "start", "failing")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["status"] == "FAILED"


def test_no_engine_exits_with_3():
    """A script sees that nobody answers, a person what to start."""
    result = call("instance", "list", "--engine", "http://127.0.0.1:1")
    assert result.exit_code == 3
    assert "no engine answers at http://127.0.0.1:1" in result.stderr
    assert "Try next: rochallor dev" in result.stderr


@pytest.fixture
def answering():
    """Return a function that answers every connection with these bytes, and returns the URL to ask."""
    doors = []

    def serve(door, answer):
        while True:
            try:
                connection, _ = door.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

    def start(answer):
        door = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=serve, args=(door, answer))
        thread.start()
        doors.append((door, thread))
        return f"http://127.0.0.1:{door.getsockname()[1]}"

    yield start
    for door, thread in doors:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join()


NO_ENGINE = {
    "another protocol": b"\x00\x00\x18\x04\x00\x00\x00\x00\x00\r\n\r\n",
    "a web page": b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
    "bytes": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\xff\xff",
    "a list": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
    "a part": b'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"x"',
}


@pytest.mark.parametrize("answer", NO_ENGINE.values(), ids=NO_ENGINE)
@pytest.mark.parametrize("command", [("instance", "list"), ("instance", "tail", "i")], ids=" ".join)
def test_what_is_no_engine_exits_with_3_and_a_sentence(answering, monkeypatch, command, answer):
    """Something listens there, and a person learns that it may be the wrong port."""
    monkeypatch.setattr("rochallor.cli.remote.PAUSE_S", 0)
    url = answering(answer)
    result = call(*command, "--engine", url)
    assert result.exit_code == 3
    assert f"{url} answers, but not as an engine does; is this its REST port?" in result.stderr


@pytest.mark.parametrize("url", ["localhost:8080", "", "grpc://localhost:9090", "http://", "http://localhost:abc"])
def test_an_engine_that_is_no_url_is_a_usage_error(url):
    """It is found before anybody is asked, with an example."""
    result = call("instance", "list", "--engine", url)
    assert result.exit_code == 2
    assert "write http://127.0.0.1:8080" in result.stderr


@pytest.mark.parametrize(("status", "hint"), [(401, "Try next: --token-file FILE, or ROCHALLOR_TOKEN\n"), (403, "\n")])
def test_who_is_not_let_in_is_told_about_tokens(answering, status, hint):
    """Another command would be refused as well, so none is named."""
    answer = b'{"error": "x", "message": "not you", "reason": ""}'
    url = answering(b"HTTP/1.1 %d No\r\ncontent-length: %d\r\n\r\n%s" % (status, len(answer), answer))
    result = call("instance", "describe", "i", "--engine", url)
    assert (result.exit_code, result.stderr.partition("not you")[2].lstrip("\n") or "\n") == (1, hint)


def test_help_names_the_variable_of_the_engine():
    """Nobody has to write --engine twice."""
    assert "ROCHALLOR_ENGINE" in call("instance", "list", "--help").stdout


@pytest.mark.parametrize("text", ["{", "[1]", "@missing.json"])
def test_variables_that_are_no_object_are_a_usage_error(text):
    """Wrong variables are found before any engine is asked."""
    assert call("instance", "start", "x", "--vars", text).exit_code == 2


def test_lint_finds_problems_without_an_engine(saved):
    """Every problem has its pointer and code; the exit code is 1."""
    result = call("definition", "lint", saved(BROKEN))
    assert result.exit_code == 1
    found = {(row["pointer"], row["code"]) for row in map(json.loads, result.stdout.splitlines())}
    assert {("/id", "ID_FORMAT"), ("/name", "NAME_REQUIRED")} <= found


def test_lint_is_silent_about_what_is_well(saved):
    """A good definition prints nothing into a pipe and exits with 0."""
    result = call("definition", "lint", saved(REVIEW))
    assert (result.exit_code, result.stdout) == (0, "")


def test_version_and_contract_need_no_engine():
    """The program says what it is and what it speaks."""
    assert __version__ in call("version").stdout
    assert json.loads(call("openapi").stdout)["openapi"].startswith("3.1")


def test_a_token_that_has_expired_already_is_not_made():
    """Nobody is given a token that opens nothing."""
    result = call("token", "new", "--name", "ci", "--role", "operator", "--expires", "2020-01-31T00:00:00Z")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is past" in result.stderr


def test_two_places_for_state_are_one_too_many():
    """--db and --ephemeral exclude each other."""
    assert call("dev", "--db", "x.db", "--ephemeral").exit_code == 2
