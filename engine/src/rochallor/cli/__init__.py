"""The command line: `rochallor …`. One module per group of commands, loaded when one of its commands is called."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

import click

from rochallor.cli.lazy import LazyGroup

COMMANDS = {
    "dev": "rochallor.cli.dev:dev",
    "serve": "rochallor.cli.serving:serve",
    "definition": "rochallor.cli.definition:definition",
    "instance": "rochallor.cli.instance:instance",
    "task": "rochallor.cli.task:task",
    "job": "rochallor.cli.job:job",
    "doctor": "rochallor.cli.doctor:doctor",
    "migrate": "rochallor.cli.migrate:migrate",
    "token": "rochallor.cli.token:token",
    "openapi": "rochallor.cli.about:openapi",
    "version": "rochallor.cli.about:version",
}


@click.group(cls=LazyGroup, commands_at=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def rochallor() -> None:
    """Run workflows that survive anything, and talk to the engine that does.

    Begin with `rochallor dev --demo`, or `rochallor dev` to keep an engine running.
    """


def main() -> None:
    """Be the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no ✓ is no reason to fail
    # The demo starts its worker while grpc has threads; grpc's own fork handlers would only complain about that.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    rochallor(prog_name="rochallor")
