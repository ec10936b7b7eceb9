"""`rochallor doctor` beside a running engine, after it, and on what is no store of ours."""

import asyncio
import json
import sqlite3

from click.testing import CliRunner
from rochallor.cli import rochallor as command


def doctor(*arguments):
    return CliRunner().invoke(command, ["doctor", *arguments])


async def started(start_server, remote, hello, path):
    """Start an engine on a file, with one instance at its job."""
    server = await start_server(path)
    engine = remote(server)
    await engine.post("definitions", **hello)
    instance = await engine.post("instances", definitionId="hello")
    return server, instance["id"]


async def run(*arguments):
    return await asyncio.to_thread(doctor, *arguments)


async def test_a_running_engine_is_looked_at(start_server, remote, hello, tmp_path):
    """The engine's lock keeps other engines away, not the doctor."""
    path = tmp_path / "engine.db"
    await started(start_server, remote, hello, path)
    result = await run("--db", str(path), "-o", "table")
    assert (result.exit_code, result.stdout) == (0, "1 instance looked at, all is well.\n")


async def test_a_flaw_is_a_row_with_its_instance_and_exit_code_1(start_server, remote, hello, tmp_path):
    """A job that vanished is told as JSON: which instance, which check, what next."""
    path = tmp_path / "engine.db"
    server, instance_id = await started(start_server, remote, hello, path)
    await server.stop()
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM job")
    database.close()
    result = await run("--db", str(path))
    (row,) = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, row["instanceId"], row["check"], row["level"]) == (1, instance_id, "jobs", "problem")
    assert "1 problem in 1 instance." in result.stderr


async def test_the_environment_names_the_store(start_server, remote, hello, tmp_path, monkeypatch):
    """Without --db the engine's own settings say where to look."""
    path = tmp_path / "engine.db"
    await started(start_server, remote, hello, path)
    monkeypatch.setenv("WE_SQLITE_PATH", str(path))
    assert (await run()).exit_code == 0


def test_a_file_that_is_no_database_is_not_called_damaged(tmp_path):
    """Who named the wrong file needs another name, not a backup."""
    text = tmp_path / "notes.txt"
    text.write_text("no database " * 100)
    result = doctor("--db", str(text))
    assert result.exit_code == 3
    assert "this is not an SQLite database; name another file" in result.stderr


def test_a_file_that_is_missing_or_foreign_exits_with_3(tmp_path):
    """What cannot be read is said in a sentence, and nothing is created."""
    missing, foreign = tmp_path / "missing.db", tmp_path / "foreign.db"
    sqlite3.connect(foreign).execute("CREATE TABLE other (id)").connection.close()
    for path, sentence in ((missing, "there is no database file"), (foreign, "no database of this engine")):
        result = doctor("--db", str(path))
        assert (result.exit_code, sentence in result.stderr) == (3, True), result.output
    assert not missing.exists()
