"""`rochallor serve`: the engine for use."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from rochallor import serve as serving
from rochallor.cli.failures import WrongSetting
from rochallor.config import ConfigError, load_config


@click.command()
@click.option(
    "--config", "file", type=click.Path(path_type=Path), help="A YAML file; default /etc/workflow/engine.yaml."
)
@click.option("--insecure", is_flag=True, help="Listen beyond this machine although callers need no token.")
@click.pass_context
def serve(ctx: click.Context, file: Path | None, insecure: bool) -> None:
    """Run an engine, with settings from the environment and a YAML file."""
    try:
        loaded = load_config(os.environ, file)
        config = replace(loaded.config, insecure=loaded.config.insecure or insecure)
        ctx.exit(serving.serve(loaded._replace(config=config)))
    except ConfigError as error:
        raise WrongSetting(f"the engine cannot start.\n{error}", "rochallor dev") from None
