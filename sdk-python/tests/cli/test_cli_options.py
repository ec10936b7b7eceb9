"""Options: from the command line, from the environment, in the help."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from workflow_sdk.cli import main
from workflow_sdk.cli.failures import CommandFailed
from workflow_sdk.cli.options import COMMANDS, OPTIONS, Settings, parse

FROM_ENVIRONMENT = {
    "WORKFLOW_REGISTRY": "app:registry",
    "WORKFLOW_ENGINE": "grpc://engine:9090",
    "WORKFLOW_WORKER_ID": "w",
    "WORKFLOW_PARALLELISM": "8",
    "WORKFLOW_LEASE_SECONDS": "300",
    "WORKFLOW_SHUTDOWN_TIMEOUT": "7.5",
    "WORKFLOW_PROCESSES": "3",
    "WORKFLOW_RELOAD": "yes",
    "WORKFLOW_HEALTH_PORT": "8081",
    "WORKFLOW_HEALTH_HOST": "0.0.0.0",
    "WORKFLOW_TOKEN_FILE": "token",
    "WORKFLOW_LOG_FORMAT": "text",
    "WORKFLOW_DEFINITION": os.pathsep.join(["a.json", "b.json"]),
    "WORKFLOW_ELSEWHERE": "pay",
}


def test_every_option_comes_from_its_variable() -> None:
    """Each setting of `run` and `check` is read from WORKFLOW_<its name>."""
    _, run = parse(["run"], FROM_ENVIRONMENT)
    _, check = parse(["check"], FROM_ENVIRONMENT)
    assert run == Settings(
        "app:registry", "grpc://engine:9090", "w", 8, 300, 7.5, 3, True, 8081, "0.0.0.0", "token", "text"
    )
    assert (check.definition, check.elsewhere) == (("a.json", "b.json"), ("pay",))
    assert {option.variable for option in OPTIONS} == FROM_ENVIRONMENT.keys()


def test_the_package_installs_the_command() -> None:
    """`pip install workflow-sdk` puts `workflow-worker` on the path."""
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'[project.scripts]\nworkflow-worker = "{main.__module__}:{main.__name__}"\n' in project


def test_the_command_line_wins() -> None:
    """What is given by hand overrules the environment, a switch that is turned off too."""
    _, settings = parse(["run", "other:registry", "--parallelism", "2", "--no-reload"], FROM_ENVIRONMENT)
    assert (settings.registry, settings.parallelism, settings.reload) == ("other:registry", 2, False)


def test_an_empty_variable_is_none() -> None:
    """An empty variable, as a template leaves it, is the default."""
    _, settings = parse(["run", "app:registry"], {"WORKFLOW_PARALLELISM": "", "WORKFLOW_ENGINE": ""})
    assert (settings.parallelism, settings.engine) == (64, "http://127.0.0.1:8080")


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (["run", "a:b", "--parallelism", "0"], {}, "--parallelism must be a number, 1 or more, not '0'."),
        (
            ["run", "a:b", "--lease-seconds", "7200"],
            {},
            "--lease-seconds must be a number of seconds, 1 to 3600, not '7200'.",
        ),
        (
            ["run", "a:b", "--shutdown-timeout", "inf"],
            {},
            "--shutdown-timeout must be a number of seconds, 0 or more, not 'inf'.",
        ),
        (["run", "a:b", "--health-port", "99999"], {}, "--health-port must be a port, 0 to 65535, not '99999'."),
        (["run", "a:b"], {"WORKFLOW_PROCESSES": "two"}, "WORKFLOW_PROCESSES must be a number, 1 or more, not 'two'."),
        (["run", "a:b"], {"WORKFLOW_RELOAD": "perhaps"}, "WORKFLOW_RELOAD must be 1 or 0, not 'perhaps'."),
        (["run", "a:b", "--log-format", "xml"], {}, "--log-format must be json or text, not 'xml'."),
        (["list"], {}, "Which registry? Name it: workflow-worker list app.workers:registry, or set WORKFLOW_REGISTRY."),
    ],
)
def test_a_wrong_value_is_named_with_its_source(
    arguments: list[str], environment: dict[str, str], sentence: str
) -> None:
    """The sentence names the flag or the variable, and what it should be."""
    with pytest.raises(CommandFailed) as caught:
        parse(arguments, environment)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_names_every_variable(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` of a command shows each of its options with the variable behind it."""
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"], {})
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    for option in OPTIONS:
        assert (f"[${option.variable}]" in shown) == any(
            other.variable == option.variable and command in other.commands for other in OPTIONS
        )
