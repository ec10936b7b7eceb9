"""`rochallor token new`: the entry on standard output, the token once on standard error; a CLI that carries one."""

from __future__ import annotations

import asyncio

import pytest
import yaml
from click.testing import CliRunner
from rochallor.access import read_tokens
from rochallor.cli import rochallor as command


def new(*arguments):
    return CliRunner().invoke(command, ["token", "new", *arguments])


def test_the_entry_knows_the_token():
    """What is printed for the file admits what is printed for the caller."""
    result = new("--name", "scorer", "--role", "worker", "--job-type", "score", "--job-type", "mail")
    assert result.exit_code == 0
    secret = result.stderr.splitlines()[-1]
    caller = read_tokens(result.stdout).caller_of(secret.encode(), 0)
    assert (caller.name, caller.role, caller.job_types) == ("scorer", "worker", {"score", "mail"})


def test_the_token_is_not_in_the_entry():
    """Appending standard output to the file keeps no secret there."""
    result = new("--name", "ci", "--role", "admin")
    assert result.stderr.splitlines()[-1] not in result.stdout
    assert result.stdout.startswith("- name: ci\n  role: admin\n  hash: sha256:")


def test_each_token_is_new():
    """Two calls, two tokens."""
    assert new("--name", "a", "--role", "admin").stderr != new("--name", "a", "--role", "admin").stderr


@pytest.mark.parametrize("given", ["2127-01-31T00:00:00Z", "2127-01-31T01:00:00+01:00"])
def test_an_expiry_is_kept_in_utc(given):
    """A time with any zone becomes one with Z."""
    (entry,) = yaml.load(new("--name", "a", "--role", "admin", "--expires", given).stdout, yaml.BaseLoader)
    assert entry["expires"] == "2127-01-31T00:00:00Z"


def test_an_expiry_may_be_a_duration():
    """P90D is ninety days from now."""
    result = new("--name", "a", "--role", "admin", "--expires", "P90D")
    assert len(read_tokens(result.stdout)) == 1
    assert "expires: '2" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--name", "a", "--role", "root"], "'admin', 'operator', 'worker', 'reader'"),
        (["--name", "a b", "--role", "admin"], "name must be 1 to 64"),
        (["--name", "a", "--role", "admin", "--job-type", "x"], "jobTypes is for workers only"),
        (["--name", "a", "--role", "admin", "--expires", "soon"], "neither a time with its zone"),
        (["--name", "a", "--role", "admin", "--expires", "2027-01-31"], "neither a time with its zone"),
    ],
)
def test_what_the_engine_would_refuse_is_not_made(arguments, sentence):
    """A usage error, before there is a token."""
    result = new(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


async def test_commands_carry_the_token_of_the_environment(secured, secrets, monkeypatch):
    """ROCHALLOR_TOKEN is sent along; without it the engine's refusal is shown."""
    server = await secured()
    call = ["definition", "list", "--engine", server.addresses.rest]
    refused = await asyncio.to_thread(CliRunner().invoke, command, call)
    monkeypatch.setenv("ROCHALLOR_TOKEN", secrets.reader)
    listed = await asyncio.to_thread(CliRunner().invoke, command, call)
    assert (refused.exit_code, listed.exit_code) == (1, 0)
    assert "this engine asks for a token" in refused.stderr
