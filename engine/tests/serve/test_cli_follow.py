"""Commands that follow an instance, and those about the schema, against a real engine."""

import asyncio
import json

import pytest
from click.testing import CliRunner
from rochallor.cli import rochallor as command

STRAIGHT = {
    "id": "straight",
    "name": "Straight",
    "steps": [
        {"id": "set", "name": "Set", "type": "TRANSFORMATION", "transformations": {"x": "${n + 1}"}, "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}
REVIEW = {
    "id": "review",
    "name": "Review",
    "steps": [
        {"id": "look", "name": "Look", "type": "USER_TASK", "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}


def call(*arguments, **environment):
    return CliRunner().invoke(command, arguments, env=environment)


@pytest.fixture
async def server(start_server):
    return await start_server()


@pytest.fixture
def cli(server):
    async def run(*arguments):
        return await asyncio.to_thread(call, *arguments, "--engine", server.addresses.rest)

    return run


@pytest.fixture
def saved(tmp_path):
    def save(definition):
        path = tmp_path / "definition.json"
        path.write_text(json.dumps(definition))
        return str(path)

    return save


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


async def test_run_uploads_starts_and_follows_to_the_end(cli, saved):
    """One command from a file to a completed instance, exit 0."""
    result = await cli("instance", "run", saved(STRAIGHT), "--vars", '{"n": 1}')
    *events, ended = lines(result)
    assert result.exit_code == 0
    assert [event["revision"] for event in events] == [1]
    assert (ended["status"], ended["variables"]) == ("COMPLETED", {"n": 1, "x": 2})


async def test_run_of_a_workflow_that_fails_exits_with_1(cli, saved):
    """A failed workflow is told from a completed one by the exit code, with its reason."""
    result = await cli("instance", "run", saved(STRAIGHT))
    assert result.exit_code == 1
    assert "ExpressionError" in lines(result)[-1]["failureReason"]


async def test_run_of_a_broken_definition_says_what_is_wrong(cli, saved):
    """What the engine refuses is told with pointers, and how to look closer."""
    result = await cli("instance", "run", saved({**STRAIGHT, "id": "a b"}))
    assert result.exit_code == 1
    assert "ID_FORMAT" in result.stderr
    assert "rochallor definition lint" in result.stderr


async def test_tail_prints_every_change_until_the_end(cli, server, saved):
    """A tail begun early sees what comes later, each revision once, and ends with the instance."""
    await cli("definition", "push", saved(REVIEW))
    [started] = lines(await cli("instance", "start", "review"))
    tail = asyncio.create_task(cli("instance", "tail", started["id"]))
    await server.engine.complete_user_task(started["id"], "look", completed_by="ada")
    result = await tail
    assert result.exit_code == 0
    assert [(event["revision"], event["status"]) for event in lines(result)] == [(1, "WAITING"), (2, "COMPLETED")]
    again = await cli("instance", "tail", started["id"], "--after", "1")
    assert [event["revision"] for event in lines(again)] == [2]


async def test_tail_of_an_unknown_instance_is_a_sentence(cli):
    """No instance, no stream: exit 1 and the next command to try."""
    result = await cli("instance", "tail", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert result.exit_code == 1
    assert "rochallor instance list" in result.stderr


def test_tail_without_an_engine_exits_with_3():
    """Nobody listens there: exit 3 at once."""
    result = call("instance", "tail", "x", "--engine", "http://127.0.0.1:9")
    assert result.exit_code == 3
    assert "rochallor dev" in result.stderr


def test_migrate_without_postgresql_says_what_to_set():
    """An embedded file needs no migrations; the sentence says so."""
    result = call("migrate", "status")
    assert result.exit_code == 2
    assert "WE_POSTGRES_DSN" in result.stderr


def test_migrate_goes_up_and_down(postgres_database):
    """Up, status, down, on a real PostgreSQL."""
    states = []
    for arguments in (("status",), ("up",), ("status",), ("down", "--yes"), ("status",)):
        result = call("migrate", *arguments, WE_POSTGRES_DSN=postgres_database)
        assert result.exit_code == 0, result.stderr
        if arguments == ("status",):
            states.append([bool(row["applied"]) for row in lines(result)])
    assert states == [[False] * len(states[0]), [True] * len(states[0]), [False] * len(states[0])]
