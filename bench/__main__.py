"""The reports: `make bench` prints all of them as one table; `python -m bench growth` measures one in full.

Any error voids the run: an engine, load or timer that fails ends the program, and nothing is written.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from bench import chart, dispatch, flame, flamegraph, floors, growth, peers, shapes, steady, summary, throughput, timers
from bench.peer_turns import Peer
from bench.results import FOLDER, keep
from bench.running import Load
from bench.sdk import measure as sdk
from bench.sdk.modes import MODES
from bench.sidebyside import Effort
from bench.stores import KINDS, Stores, stores

BOTH = "both"
_CONNECTIONS = 64
_LOG_WIDTH = 136

Measure = Callable[[Console, Stores], Any]
Report = Callable[[Console, str, Any], None]


def _options(command: Callable[..., None], store: str = BOTH) -> Callable[..., None]:
    """Give a command the options that all reports have."""
    for option in (
        click.option("--quick", is_flag=True, help="Small fills and one round: to see that it works."),
        click.option("--rounds", type=click.IntRange(1), help="Rounds, each on fresh stores; 1 with --quick."),
        click.option("--store", type=click.Choice([*KINDS, BOTH]), default=store, show_default=True),
    ):
        command = option(command)
    return command


_options_on_postgres = partial(_options, store="postgres")
"""For reports that take long, and of which most is promised on one store."""


def _peer(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> tuple[Peer, ...]:
    try:
        return tuple(map(Peer.parse, values))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _beside(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say whom else to measure."""
    for option in (
        click.option("--dbos", is_flag=True, help="Also DBOS Transact, installed into an environment of its own."),
        click.option("--peer", multiple=True, callback=_peer, metavar="NAME=URL[,grpc=HOST:PORT]", help=_PEER_HELP),
    ):
        command = option(command)
    return command


_PEER_HELP = "Also an engine of the same contract that is running there; may be repeated."


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Measure; print tables with ratios first; write bench/results/*.json. Without a command: all of it, quickly."""
    if context.invoked_subcommand is None:
        context.invoke(all_command, store=BOTH, rounds=None, quick=True, peer=(), dbos=False)


@main.command("all")
@_options
@_beside
def all_command(store: str, rounds: int | None, quick: bool, **given: Any) -> None:
    """Measure everything, peers if they are named, and print one table, ratios and promises first."""
    console = _console()
    lines = [*summary.of_floors(_floors(console, store, _effort(_rounds(rounds, quick, 3), quick)))]
    lines += summary.of_sidebyside(_shapes(console, store, rounds, quick))
    if given["peer"] or given["dbos"]:
        lines += summary.of_sidebyside(_peers(console, store, rounds, quick, **given))
    for prepare in (_throughput, _growth, _timers, _dispatch, _steady):
        what, measure, _ = prepare(rounds, quick)
        for kind, measured in _each(console, what, store, measure):
            lines += summary.OF[what](kind, measured)
    lines += summary.of_sdk(_sdk(console, rounds, quick))
    console.print(summary.table_of(lines))


@main.command("throughput")
@_options
@click.option("--instances", type=click.IntRange(1), help="Instances per round; 4,000, or 1,000 with --quick.")
@click.option("--connections", default=_CONNECTIONS, show_default=True, help="Connections that start and report.")
def throughput_command(
    store: str, rounds: int | None, quick: bool, instances: int | None = None, connections: int = _CONNECTIONS
) -> None:
    """Starts and jobs per second on an empty store, and what a job costs."""
    _measure(store, *_throughput(rounds, quick, instances, connections))


@main.command("growth")
@_options
def growth_command(store: str, rounds: int | None, quick: bool) -> None:
    """The same load beside up to 1 M finished and 1 M waiting jobs, compared with an empty store."""
    _measure(store, *_growth(rounds, quick))


@main.command("timers")
@_options
def timers_command(store: str, rounds: int | None, quick: bool) -> None:
    """How late 10,000 timers fire that are due within a minute, and within a second, on an idle engine."""
    _measure(store, *_timers(rounds, quick))


@main.command("dispatch")
@_options
@click.option("--rate", "rates", multiple=True, type=click.FloatRange(1), help="Also at so many starts per second.")
def dispatch_command(store: str, rounds: int | None, quick: bool, rates: tuple[float, ...] = ()) -> None:
    """How long a job waits for its handler: idle and at half load, long and plain polls, one engine and two."""
    _measure(store, *_dispatch(rounds, quick, rates))


@main.command("steady")
@_options
def steady_command(store: str, rounds: int | None, quick: bool) -> None:
    """Drift over a minute, a forgotten transaction, a database never analysed, memory among 100,000 instances."""
    _measure(store, *_steady(rounds, quick))


@main.command("floors")
@_options
@click.option("--instances", type=click.IntRange(1), help="Instances that wait at the start; enough for the fastest.")
@click.option("--seconds", type=click.FloatRange(0.5), help="How long each turn is measured; 4, or 1.5 with --quick.")
@click.option("--only", multiple=True, help="Part of a contestant's name; may be repeated. The floor always runs.")
@click.option("--wide", is_flag=True, help="Also single REST reports from 1, 16 and 256 connections.")
def floors_command(store: str, rounds: int | None, quick: bool, **given: Any) -> None:
    """An engine over each transport beside bare loops on the same store: how close to what the store can do."""
    console = _console()
    measured = _floors(console, store, _effort(_rounds(rounds, quick, 3), quick, **given))
    floors.report(console, measured["rounds"])


@main.command("shapes")
@_options_on_postgres
@click.option("--seconds", type=click.FloatRange(0.5), help="How long each turn is measured; 1.2, or 0.8 with --quick.")
@click.option("--only", multiple=True, help="Part of a shape's name; may be repeated. Single reports always run.")
def shapes_command(store: str, rounds: int | None, quick: bool, **given: Any) -> None:
    """One engine under loads of all shapes: few and many callers, starts, fan-out, big variables, two engines."""
    console = _console()
    shapes.report(console, _shapes(console, store, rounds, quick, **given))


@main.command("peers")
@_options_on_postgres
@_beside
@click.option("--seconds", type=click.FloatRange(0.5), help="How long each turn is measured; 2.5, or 1 with --quick.")
def peers_command(store: str, rounds: int | None, quick: bool, **given: Any) -> None:
    """Our engine beside others of the same contract, and beside DBOS Transact, in one run."""
    if not (given["peer"] or given["dbos"]):
        raise click.UsageError("name somebody to measure: --peer NAME=URL, or --dbos")
    console = _console()
    peers.report(console, _peers(console, store, rounds, quick, **given))


@main.command("sdk")
@click.option("--quick", is_flag=True, help="Short windows and one round: to see that it works.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds, each with fresh processes; 1 with --quick.")
@click.option("--mode", multiple=True, type=click.Choice([*MODES]), help="Only this one; can be repeated.")
def sdk_command(rounds: int | None, quick: bool, mode: tuple[str, ...]) -> None:
    """Our workers beside a plain loop, on a mock engine: jobs per second, CPU per job, idling, pickup, memory."""
    console = _console()
    sdk.report(console, _sdk(console, rounds, quick, mode))


@main.command("flame")
@click.option("--store", type=click.Choice(KINDS), default="postgres", show_default=True)
@click.option("--instances", type=click.IntRange(1), default=15_000, show_default=True, help="More take longer.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="bench/results/flame-STORE.svg")
def flame_command(store: str, instances: int, output: Path | None) -> None:
    """Draw where an engine's time goes while 64 connections report single jobs, as a flame graph."""
    with _void_on_error(), stores(store) as place:
        calls = flame.measure(place.empty("flame"), instances)
    title = f"Engine on {place.name}, 64 connections that report one job a request: {calls.samples:,} samples"
    output = output or FOLDER / f"flame-{store}.svg"
    output.parent.mkdir(exist_ok=True)
    output.write_text(flamegraph.drawn(calls, title), encoding="utf-8")
    click.echo(f"written to {output}")


@main.command("chart")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default="chart.html", show_default=True
)
def chart_command(file: Path, output: Path) -> None:
    """Draw an artifact of `floors`, `shapes`, `peers`, `dispatch` or `steady` as one HTML page."""
    try:
        drawn = chart.page(json.loads(file.read_text()))
    except (ValueError, KeyError) as error:
        raise click.ClickException(f"{file.name} cannot be drawn: {error}") from error
    output.write_text(drawn, encoding="utf-8")
    click.echo(f"written to {output}")


def _throughput(
    rounds: int | None, quick: bool, instances: int | None = None, connections: int = _CONNECTIONS
) -> tuple[str, Measure, Report]:
    load = Load(instances or (1_000 if quick else 4_000), connections)
    return "throughput", partial(throughput.measure, rounds=_rounds(rounds, quick, 3), load=load), throughput.report


def _growth(rounds: int | None, quick: bool) -> tuple[str, Measure, Report]:
    # Ten jobs per poll, not fifty: enough polls for a ninety-ninth percentile that means something.
    load = Load(1_000 if quick else 4_000, _CONNECTIONS, at_once=10)
    scale = 0.02 if quick else 1.0
    measure = partial(growth.measure, rounds=_rounds(rounds, quick, 5), load=load, scale=scale)
    return "growth", measure, growth.report


def _timers(rounds: int | None, quick: bool) -> tuple[str, Measure, Report]:
    return "timers", partial(timers.measure, rounds=_rounds(rounds, quick, 2), quick=quick), timers.report


def _dispatch(rounds: int | None, quick: bool, rates: tuple[float, ...] = ()) -> tuple[str, Measure, Report]:
    length = dispatch.Length(0.2, 0.5) if quick else dispatch.Length()
    measure = partial(dispatch.measure, rounds=_rounds(rounds, quick, 3), length=length, rates=rates)
    return "dispatch", measure, dispatch.report


def _steady(rounds: int | None, quick: bool) -> tuple[str, Measure, Report]:
    usual = steady.Effort(rounds=_rounds(rounds, quick, 3))
    small = usual._replace(drift_s=6.0, warm_s=0.5, load=Load(500, at_once=10), open=2_000)
    return "steady", partial(steady.measure, effort=small if quick else usual), steady.report


def _sdk(console: Console, rounds: int | None, quick: bool, modes: tuple[str, ...] = ()) -> dict[str, Any]:
    length = sdk.Length(0.5, 1.0, 2.0) if quick else sdk.Length()
    with _void_on_error():
        figures = sdk.measure(console, rounds=_rounds(rounds, quick, 3), length=length, modes=modes or tuple(MODES))
    console.print(f"written to {keep('sdk', 'mock', figures)}", highlight=False)
    return figures


def _effort(
    rounds: int, quick: bool, *, instances: int | None = None, seconds: float | None = None, **who: Any
) -> floors.Effort:
    usual = floors.Effort()
    measure_s = seconds or (1.5 if quick else usual.measure_s)
    waiting = instances or round(usual.instances * measure_s / usual.measure_s)
    return floors.Effort(rounds, 0.5 if quick else usual.warm_s, measure_s, waiting, **who)


def _floors(console: Console, store: str, effort: floors.Effort) -> dict[str, Any]:
    return _all_at_once(console, "floors", store, partial(floors.measure, effort=effort))


def _shapes(
    console: Console,
    store: str,
    rounds: int | None,
    quick: bool,
    *,
    seconds: float | None = None,
    only: tuple[str, ...] = (),
) -> dict[str, Any]:
    usual = Effort(1, 0.3, 0.8) if quick else Effort()
    wanted = shapes.Wanted(_longer(usual, rounds, seconds), only)
    return _all_at_once(console, "shapes", store, partial(shapes.measure, wanted=wanted))


def _peers(
    console: Console,
    store: str,
    rounds: int | None,
    quick: bool,
    *,
    peer: tuple[Peer, ...],
    dbos: bool,
    seconds: float | None = None,
) -> dict[str, Any]:
    if dbos and store == "sqlite":
        raise click.UsageError("--dbos is measured on the same PostgreSQL: leave out --store sqlite")
    usual = Effort(1, 0.5, 1.0) if quick else peers.Wanted().effort
    wanted = peers.Wanted(peer, dbos, _longer(usual, rounds, seconds))
    return _all_at_once(console, "peers", store, partial(peers.measure, wanted=wanted))


def _longer(usual: Effort, rounds: int | None, seconds: float | None) -> Effort:
    return usual._replace(rounds=rounds or usual.rounds, measure_s=seconds or usual.measure_s)


def _all_at_once(console: Console, what: str, store: str, measure: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Measure all stores side by side, because some promises are about one beside the other."""
    with _void_on_error(), ExitStack() as stack:
        places = [stack.enter_context(stores(kind)) for kind in _kinds(store)]
        measured = measure(console, places)
    console.print(f"written to {keep(what, store, measured)}", highlight=False)
    return measured


def _measure(store: str, what: str, measure: Measure, report: Report) -> None:
    console = _console()
    for kind, measured in _each(console, what, store, measure):
        report(console, kind, measured)


def _each(console: Console, what: str, store: str, measure: Measure) -> Iterator[tuple[str, Any]]:
    """Measure one store after the other."""
    for kind in _kinds(store):
        with _void_on_error(), stores(kind) as place:
            measured = measure(console, place)
        console.print(f"written to {keep(what, kind, measured)}", highlight=False)
        yield kind, measured


def _kinds(store: str) -> tuple[str, ...]:
    return KINDS if store == BOTH else (store,)


def _rounds(wanted: int | None, quick: bool, usual: int) -> int:
    return wanted or (1 if quick else usual)


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    return console


@contextmanager
def _void_on_error() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        raise click.ClickException(f"void: {error}") from error


if __name__ == "__main__":
    main(prog_name="python -m bench")
