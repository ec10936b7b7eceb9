"""The reports: `make bench` prints all of them in small; `python -m bench growth` measures one in full.

Any error voids the run: an engine, load or timer that fails ends the program, and nothing is written.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import click
from rich.console import Console

from bench import growth, throughput, timers
from bench.results import keep
from bench.running import Load
from bench.sdk import measure as sdk
from bench.sdk.modes import MODES
from bench.stores import KINDS, Stores, stores

BOTH = "both"
_CONNECTIONS = 64
_LOG_WIDTH = 120

Measure = Callable[[Console, Stores], object]


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that all reports have."""
    for option in (
        click.option("--quick", is_flag=True, help="Small fills and one round: to see that it works."),
        click.option("--rounds", type=click.IntRange(1), help="Rounds, each on fresh stores; 1 with --quick."),
        click.option("--store", type=click.Choice([*KINDS, BOTH]), default=BOTH, show_default=True),
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Measure; print tables with ratios first; write bench/results/*.json. Without a command: all of it, quickly."""
    if context.invoked_subcommand is None:
        for command in (throughput_command, growth_command, timers_command):
            context.invoke(command, store=BOTH, rounds=None, quick=True)
        context.invoke(sdk_command, rounds=None, quick=True, mode=())


@main.command("throughput")
@_options
@click.option("--instances", type=click.IntRange(1), help="Instances per round; 4,000, or 1,000 with --quick.")
@click.option("--connections", default=_CONNECTIONS, show_default=True, help="Connections that start and report.")
def throughput_command(
    store: str, rounds: int | None, quick: bool, instances: int | None = None, connections: int = _CONNECTIONS
) -> None:
    """Starts and jobs per second on an empty store, and what a job costs."""
    load = Load(instances or (1_000 if quick else 4_000), connections)
    _measure("throughput", store, partial(throughput.measure, rounds=_rounds(rounds, quick, 3), load=load))


@main.command("growth")
@_options
def growth_command(store: str, rounds: int | None, quick: bool) -> None:
    """The same load beside up to 1 M finished and 100,000 waiting jobs, compared with an empty store."""
    # Ten jobs per poll, not fifty: enough polls for a ninety-ninth percentile that means something.
    load = Load(1_000 if quick else 4_000, _CONNECTIONS, at_once=10)
    scale = 0.02 if quick else 1.0
    _measure("growth", store, partial(growth.measure, rounds=_rounds(rounds, quick, 5), load=load, scale=scale))


@main.command("timers")
@_options
def timers_command(store: str, rounds: int | None, quick: bool) -> None:
    """How late 10,000 timers fire that are due within a minute, and within a second, on an idle engine."""
    _measure("timers", store, partial(timers.measure, rounds=_rounds(rounds, quick, 2), quick=quick))


@main.command("sdk")
@click.option("--quick", is_flag=True, help="Short windows and one round: to see that it works.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds, each with fresh processes; 1 with --quick.")
@click.option("--mode", multiple=True, type=click.Choice([*MODES]), help="Only this one; can be repeated.")
def sdk_command(rounds: int | None, quick: bool, mode: tuple[str, ...]) -> None:
    """Our workers beside a plain loop, on a mock engine: jobs per second, CPU per job, idling, pickup, memory."""
    length = sdk.Length(0.5, 1.0, 2.0) if quick else sdk.Length()
    console = _console()
    with _void_on_error():
        figures = sdk.measure(console, rounds=_rounds(rounds, quick, 3), length=length, modes=mode or tuple(MODES))
    console.print(f"written to {keep('sdk', 'mock', figures)}", highlight=False)


def _rounds(wanted: int | None, quick: bool, usual: int) -> int:
    return wanted or (1 if quick else usual)


def _measure(what: str, store: str, measure: Measure) -> None:
    console = _console()
    for kind in KINDS if store == BOTH else (store,):
        with _void_on_error(), stores(kind) as place:
            figures: Any = measure(console, place)
        console.print(f"written to {keep(what, kind, figures)}", highlight=False)


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    return console


@contextmanager
def _void_on_error() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, subprocess.CalledProcessError) as error:
        raise click.ClickException(f"void: {error}") from error


if __name__ == "__main__":
    main(prog_name="python -m bench")
