"""`job list`, and tokens that come from files."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner
from rochallor.cli import rochallor as command
from rochallor.shell.requests import Poll


def call(*arguments, **options):
    return CliRunner().invoke(command, arguments, **options)


def flow(name, job_type):
    task = {"id": "work", "name": "Work", "type": "SERVICE_TASK", "jobType": job_type, "nextStep": "end"}
    return json.dumps({"id": name, "name": name, "steps": [task, {"id": "end", "name": "End", "type": "END"}]}).encode()


@pytest.fixture
async def jobs(start_server):
    """Two jobs of type `a`, one of them held, and one of type `b`; returns `job list`, and the instances."""
    server = await start_server()
    for name in "ab":
        await server.engine.upload_definition(flow(name, name))
    ids = [(await server.engine.start_instance(name)).id for name in "aab"]
    await server.engine.poll_jobs(Poll(worker_id="ann", job_types=["a"], max_jobs=1), default_max_jobs=1)

    async def listed(*arguments):
        ended = await asyncio.to_thread(call, "job", "list", "--engine", server.addresses.rest, *arguments)
        assert ended.exit_code == 0, ended.output
        return [json.loads(line) for line in ended.stdout.splitlines()]

    return listed, ids


async def test_open_jobs_are_listed_with_who_holds_them(jobs):
    """Each job names its instance, type and step, and its worker while it has one."""
    listed, (held, free, other) = jobs
    rows = {row["instanceId"]: row for row in await listed()}
    assert set(rows) == {held, free, other}
    assert {row["instanceId"]: row.get("workerId") for row in rows.values()} == {held: "ann", free: None, other: None}
    assert {row["jobType"] for row in rows.values()} == {"a", "b"}


@pytest.mark.parametrize(
    ("arguments", "count"),
    [(["--type", "a"], 2), (["--definition", "b"], 1), (["--limit", "2"], 2), (["--type", "x"], 0)],
)
async def test_list_can_be_narrowed(jobs, arguments, count):
    """By type, by definition, to a number."""
    listed, _ = jobs
    assert len(await listed(*arguments)) == count


async def test_jobs_of_one_instance(jobs):
    """Of an instance alone, without looking at others."""
    listed, (held, *_) = jobs
    assert [row["instanceId"] for row in await listed("--instance", held)] == [held]


async def test_unknown_instance_is_a_failure(start_server):
    """An id that nobody has is said in the engine's words."""
    server = await start_server()
    ended = await asyncio.to_thread(call, "job", "list", "--instance", "x", "--engine", server.addresses.rest)
    assert (ended.exit_code, "no instance has the id 'x'" in ended.stderr) == (1, True)


def test_token_is_read_from_a_file(tmp_path, monkeypatch):
    """`--token-file` names a file, or standard input, and wins over the variable."""
    seen = []
    monkeypatch.setattr("rochallor.cli.options.RemoteEngine", lambda _url, token: seen.append(token) or Nobody())
    monkeypatch.setenv("ROCHALLOR_TOKEN", "from-variable")
    file = tmp_path / "token"
    file.write_text("from-file\n")
    call("job", "list")
    call("job", "list", "--token-file", str(file))
    call("job", "list", "--token-file", "-", input="from-pipe\n")
    assert seen == ["from-variable", "from-file", "from-pipe"]


class Nobody:
    """An engine without instances."""

    def get(self, *_path, **_query):
        return {"items": [], "total": 0}


@pytest.mark.parametrize("content", [b"", b"two words", b"two\nlines", b"\xff\xff", "ключ".encode()])
def test_file_without_a_token_is_a_usage_error(tmp_path, content):
    """Nothing is sent when the file holds no token, and what it holds is not repeated."""
    file = tmp_path / "token"
    file.write_bytes(content)
    ended = call("job", "list", "--token-file", str(file))
    assert (ended.exit_code, "holds no token" in ended.stderr) == (2, True)
    assert "words" not in ended.output
