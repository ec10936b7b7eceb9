"""Every option of `workflow-worker`, once, as a table: its flag, its variable, its default, who has it.

Parser, help, environment and reference page are made from this table. It would break if a command read the environment
by itself: then the page and `--help` would not know of it.
"""

from __future__ import annotations

import argparse
import math
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from workflow_sdk.cli.failures import CommandFailed
from workflow_sdk.worker.settings import DEFAULT_SHUTDOWN_SECONDS

PREFIX = "WORKFLOW_"
DEFAULT_ENGINE = "http://127.0.0.1:8080"
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_PORTS = range(65536)
_LEASES = range(1, 3601)  # what an engine grants


@dataclass(frozen=True)
class Settings:
    """What `run` was asked for; other commands leave most of it as it is.

    `lease_seconds` is 0 for the engine's default; `health_port` is None for no health server; `log_format` is None for:
    as the output is.
    """

    registry: str
    engine: str = ""
    worker_id: str = ""
    parallelism: int = 64
    lease_seconds: int = 0
    shutdown_timeout: float = DEFAULT_SHUTDOWN_SECONDS
    processes: int = 1
    reload: bool = False
    health_port: int | None = None
    health_host: str = "127.0.0.1"
    token_file: str | None = None
    log_format: str | None = None
    definition: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _lease(text: str) -> int:
    number = int(text)
    if number not in _LEASES:
        raise ValueError(text)
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not (0 <= number < math.inf):
        raise ValueError(text)
    return number


def _port(text: str) -> int:
    number = int(text)
    if number not in _PORTS:
        raise ValueError(text)
    return number


def _yes_or_no(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise ValueError(text)
    return text.lower() in _TRUE


def _log_format(text: str) -> str:
    if text not in {"json", "text"}:
        raise ValueError(text)
    return text


@dataclass(frozen=True)
class Option:
    """One option.

    Args:
        name: as in `Settings`; the flag and the variable follow from it.
        metavar: what stands for the value in the help; empty for a switch.
        help: what it does, a sentence without its full stop.
        commands: who takes it.
        read: makes the value from text, or raises ValueError.
        expected: what a value must be, for whoever gave another one.
        default: how the default is told to people; empty when there is none.
        many: whether it takes several values.

    """

    name: str
    metavar: str
    help: str
    commands: tuple[str, ...]
    read: Callable[[str], Any] = str
    expected: str = "text"
    default: str = ""
    many: bool = False

    @property
    def flag(self) -> str:
        """The option as it is written; the registry is no option but an argument."""
        return self.metavar if self.name == "registry" else "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable that stands in for it."""
        return PREFIX + self.name.upper()


_RUN, _CHECK, _ALL = ("run",), ("check",), ("run", "check", "list")
_TALKS = ("run", "check")

OPTIONS: tuple[Option, ...] = (
    Option("registry", "MODULE:NAME", "the HandlerRegistry, for example app.workers:registry", _ALL),
    Option(
        "engine", "URL", "where the engine answers: http://, https:// or grpc://HOST:PORT", _RUN, default=DEFAULT_ENGINE
    ),
    Option("engine", "URL", "ask whether an engine answers there", _CHECK, default="nobody is asked"),
    Option(
        "worker_id",
        "ID",
        "names this worker to the engine; with several processes -1, -2, ... is appended",
        _RUN,
        default="HOST-PID",
    ),
    Option(
        "parallelism",
        "N",
        "jobs that each process works on at a time",
        _RUN,
        _at_least_one,
        "a number, 1 or more",
        "64",
    ),
    Option(
        "lease_seconds",
        "N",
        "how long a claimed job stays this worker's when it can extend nothing; a killed worker's jobs wait so long",
        _RUN,
        _lease,
        "a number of seconds, 1 to 3600",
        "the engine's, 30",
    ),
    Option(
        "shutdown_timeout",
        "SECONDS",
        "how long a stop waits for running handlers before it cancels them",
        _RUN,
        _seconds,
        "a number of seconds, 0 or more",
        f"{DEFAULT_SHUTDOWN_SECONDS:g}",
    ),
    Option(
        "processes", "N", "worker processes; one that dies is replaced", _RUN, _at_least_one, "a number, 1 or more", "1"
    ),
    Option(
        "reload",
        "",
        "restart when a .py file under the current folder changes; for development",
        _RUN,
        _yes_or_no,
        "1 or 0",
        "no",
    ),
    Option(
        "health_port",
        "PORT",
        "serve /healthz, /readyz and /metrics on this port; 0 takes a free one",
        _RUN,
        _port,
        "a port, 0 to 65535",
    ),
    Option(
        "health_host",
        "HOST",
        "address that the health port listens on; 0.0.0.0 for probes from outside",
        _RUN,
        default="127.0.0.1",
    ),
    Option("token_file", "FILE", "file with the bearer token; read again when it changes", _TALKS),
    Option(
        "log_format",
        "FORMAT",
        "json, or text for people",
        _RUN,
        _log_format,
        "json or text",
        "text on a terminal, else json",
    ),
    Option("definition", "FILE", "workflow definitions (JSON) that the registry should serve", _CHECK, many=True),
    Option("elsewhere", "TYPE", "job types that other workers serve", _CHECK, many=True),
)

COMMANDS: dict[str, str] = {
    "run": "Serve the registry's job types until SIGTERM or Ctrl-C; finish what was claimed, then leave.",
    "check": "Import the registry, show its job types, and exit with 1 if a definition asks for one that it lacks.",
    "list": "Show which handler serves which job type, under which limits.",
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; values that were not given are absent from what it returns."""
    parser = argparse.ArgumentParser(
        prog="workflow-worker",
        description="Run the handlers of a HandlerRegistry as a worker.",
        epilog="Exit codes: 0 fine, 1 something was found or cut off, 2 usage, 3 no engine there.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        for option in OPTIONS:
            if name in option.commands:
                _add(command, option)
    return parser


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    text = help_of(option).replace("%", "%%")
    common: dict[str, Any] = {"help": text, "default": argparse.SUPPRESS}
    if not option.metavar:
        parser.add_argument(option.flag, dest=option.name, action=argparse.BooleanOptionalAction, **common)
    elif option.name == "registry":
        parser.add_argument(option.name, metavar=option.metavar, nargs="?", **common)
    elif option.many:
        parser.add_argument(option.flag, dest=option.name, metavar=option.metavar, nargs="+", action="extend", **common)
    else:
        parser.add_argument(option.flag, dest=option.name, metavar=option.metavar, **common)


def help_of(option: Option) -> str:
    """Return what `--help` says about an option."""
    default = f"; default: {option.default}" if option.default else ""
    return f"{option.help}{default} [${option.variable}]"


def settings_of(given: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Return the settings: what was given, else what the environment says, else the default.

    Raises:
        CommandFailed: a value cannot be used, or the registry is missing.

    """
    command = given.get("command", "run")
    found: dict[str, Any] = {}
    for option in OPTIONS:
        if command not in option.commands:
            continue
        if option.name in given:
            found[option.name] = _value(option, option.flag, given[option.name])
        elif environment.get(option.variable):
            found[option.name] = _value(option, option.variable, environment[option.variable])
    if not found.get("registry"):
        raise CommandFailed(
            f"Which registry? Name it: workflow-worker {command} app.workers:registry, or set {PREFIX}REGISTRY."
        )
    if command == "run":
        found.setdefault("engine", DEFAULT_ENGINE)
    return Settings(**found)


def _value(option: Option, source: str, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if option.many:
        return tuple(value.split(os.pathsep) if isinstance(value, str) else value)
    try:
        return option.read(value)
    except ValueError:
        raise CommandFailed(f"{source} must be {option.expected}, not {value!r}.") from None


def default_worker_id() -> str:
    """Return a name that no other living worker has."""
    return f"{socket.gethostname()}-{os.getpid()}"


def parse(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> tuple[str, Settings]:
    """Return the command and its settings."""
    given = vars(build_parser().parse_args(arguments))
    return given["command"], settings_of(given, environment)


assert {option.name for option in OPTIONS} == {field.name for field in fields(Settings)}, "one row for each setting"
