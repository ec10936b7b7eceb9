"""What commands that talk to an engine have in common."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import click

from rochallor.cli.output import Output, chosen
from rochallor.cli.remote import DEFAULT_URL, RemoteEngine

TOKEN = "ROCHALLOR_TOKEN"  # noqa: S105 - the variable's name
Command = Callable[..., Any]


def output_option(command: Command) -> Command:
    """Give a command `out`."""

    @click.option("-o", "--output", type=click.Choice(["table", "json"]), help="Default: json into a pipe, else table.")
    @functools.wraps(command)
    def wrapper(*args: Any, output: str | None, **kwargs: Any) -> Any:
        return command(*args, out=Output(chosen(output)), **kwargs)

    return wrapper


def talks_to_engine(command: Command) -> Command:
    """Give a command `engine` and `out`. A token is never an argument: others can read command lines."""

    @click.option(
        "--engine",
        "url",
        envvar="ROCHALLOR_ENGINE",
        show_envvar=True,
        default=DEFAULT_URL,
        show_default=True,
        metavar="URL",
    )
    @click.option(
        "--token-file",
        type=click.File("r", encoding="utf-8"),
        help=f"A file with the bearer token, `-` for standard input. Default: the variable {TOKEN}.",
    )
    @output_option
    @functools.wraps(command)
    def wrapper(*args: Any, url: str, token_file: TextIO | None, **kwargs: Any) -> Any:
        return command(*args, engine=RemoteEngine(url, _token(token_file)), **kwargs)

    return wrapper


def _token(file: TextIO | None) -> str:
    if file is None:
        return os.environ.get(TOKEN, "")
    try:
        token = file.read().strip()
    except ValueError:
        raise click.UsageError(f"{file.name} holds no token: it is not text") from None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise click.UsageError(f"{file.name} holds no token: it must be one line without spaces")
    return token


class JsonObject(click.ParamType[dict[str, Any]]):
    """A JSON object as text, or `@file` that holds one."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Return the object."""
        if isinstance(value, dict):
            return value
        try:
            text = Path(value[1:]).read_text(encoding="utf-8") if value.startswith("@") else value
            parsed = json.loads(text)
        except OSError as error:
            self.fail(f"{value[1:]} cannot be read: {error.strerror}", param, ctx)
        except ValueError as error:
            self.fail(f"this is not JSON: {error}", param, ctx)
        if not isinstance(parsed, dict):
            self.fail('this must be a JSON object, such as \'{"name": "Ada"}\'', param, ctx)
        return parsed


JSON_OBJECT = JsonObject()
