"""`rochallor dev`: an engine to try things with, and the demo."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from rochallor import serve as serving
from rochallor.cli.failures import WrongSetting
from rochallor.cli.welcome import welcome
from rochallor.config import IN_MEMORY, Config, ConfigError, Loaded, load_config
from rochallor.demo import demo as play_demo
from rochallor.serve.plan import LOOPBACK

DEFAULT_DB = "./rochallor.db"
PIPE_WIDTH = 130
EMBEDDED: dict[str, Any] = {"postgres_dsn": None, "workers": 1}
ON_ITS_OWN: dict[str, Any] = {
    **EMBEDDED,
    **dict.fromkeys(("rest_port", "grpc_port", "metrics_port"), 0),
    **dict.fromkeys(("host", "auth_tokens_file", "tls_cert", "tls_key", "tls_client_ca")),
    "insecure": False,
}


@click.command()
@click.option("--db", metavar="FILE", help=f"Where state is kept; default {DEFAULT_DB}.")
@click.option("--ephemeral", is_flag=True, help="Keep nothing.")
@click.option("--demo", "is_demo", is_flag=True, help="Run the loan application to its end instead, with a worker.")
@click.pass_context
def dev(ctx: click.Context, db: str | None, ephemeral: bool, is_demo: bool) -> None:
    """Keep an engine running on this machine, and say what to try with it."""
    if db and ephemeral:
        raise click.UsageError(
            "--db keeps state in a file and --ephemeral keeps none; choose one. Try next: rochallor dev"
        )
    try:
        loaded = load_config(os.environ)
        run = _run_demo if is_demo else _keep_running
        ctx.exit(run(loaded, IN_MEMORY if ephemeral else db))
    except ConfigError as error:
        raise WrongSetting(
            f"the engine cannot start.\n{error}", "unset these variables and call rochallor dev"
        ) from None


def _keep_running(loaded: Loaded, db: str | None) -> int:
    path = db or loaded.config.sqlite_path or DEFAULT_DB
    config = replace(loaded.config, sqlite_path=path, cors_origins=loaded.config.cors_origins or "*")
    if db:  # what the command names wins: what is tried must not end in a database that others use
        config = replace(config, **EMBEDDED)
    if config.auth_tokens_file and not (config.host or config.insecure):
        config = replace(config, host=LOOPBACK)
    return serving.serve(
        loaded._replace(config=config), on_ready=_welcome("PostgreSQL" if config.postgres_dsn else path)
    )


def _welcome(path: str) -> Callable[[serving.Addresses], None]:
    kept = "Nothing is kept" if path == IN_MEMORY else f"State is kept in {path}"
    return lambda addresses: click.echo(welcome(addresses, kept))


def _run_demo(loaded: Loaded, db: str | None) -> int:
    """Run the demo on ports of its own, so that it never meets an engine that is running."""
    with tempfile.TemporaryDirectory(prefix="rochallor-demo-", ignore_cleanup_errors=True) as folder:
        path = db or str(Path(folder) / "demo.db")
        config = replace(loaded.config, sqlite_path=path, **ON_ITS_OWN)
        return serving.run(_demo(config))


async def _demo(config: Config) -> int:
    planned = serving.plan(config)
    server = serving.Server(config, planned.store, clock=planned.clock, host=planned.host)
    console = Console()
    return await play_demo(server, console if console.is_terminal else Console(width=PIPE_WIDTH))
