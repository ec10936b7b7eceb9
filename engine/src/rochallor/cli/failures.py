"""How a command ends when it does not end well. The codes are stable: scripts rely on them.

0 went well; 1 the workflow failed or the engine refused; 2 the command or a setting is wrong (click's own code);
3 no engine answers. Every message ends with the next command to try.
"""

from __future__ import annotations

import click

FAILED, USAGE, UNREACHABLE = 1, 2, 3


class Failure(click.ClickException):
    """Says what went wrong, and what to try next."""

    exit_code = FAILED

    def __init__(self, message: str, next_command: str = "") -> None:
        hint = f"\nTry next: {next_command}" if next_command else ""
        super().__init__(message + hint)


class WrongSetting(Failure):
    """The engine cannot start with these settings."""

    exit_code = USAGE


class Unreachable(Failure):
    """No engine answers."""

    exit_code = UNREACHABLE
