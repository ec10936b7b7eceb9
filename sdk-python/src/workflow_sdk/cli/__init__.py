"""The command line of workers: `workflow-worker run | check | list`.

Belongs here: which command is what, and how a command ends. Each command is loaded when it is called.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from workflow_sdk.cli.failures import FAILED, CommandFailed
from workflow_sdk.cli.options import Settings, parse

_COMMANDS = {
    "run": "workflow_sdk.cli.run",
    "check": "workflow_sdk.cli.check",
    "list": "workflow_sdk.cli.listing",
}


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Be the console script; return the exit code.

    Args:
        arguments: instead of those of the process.
        environment: instead of that of the process.

    """
    try:
        command, settings = parse(arguments, os.environ if environment is None else environment)
        perform: Callable[[Settings], int] = import_module(_COMMANDS[command]).perform
        return perform(settings)
    except CommandFailed as failure:
        return tell(failure)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED


def tell(failure: CommandFailed) -> int:
    """Tell people why a command ends; return the exit code."""
    sys.stderr.write(f"{failure.trace}workflow-worker: {failure}\n")
    return failure.code
