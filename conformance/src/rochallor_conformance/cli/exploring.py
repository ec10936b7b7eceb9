"""`contract fuzz|model`: requests and stories that nobody wrote, made up from a seed; both need the extra `fuzz`."""

from __future__ import annotations

import asyncio
import importlib.util
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import httpx

from rochallor_conformance.cli.contract import SEED, contract
from rochallor_conformance.cli.judging import TARGET_HELP
from rochallor_conformance.contract.operations import operations
from rochallor_conformance.engine.bench import ADDITIONS
from rochallor_conformance.engine.targets import TOKENS, Fleet, Target, read_target
from rochallor_conformance.replay.model import Told
from rochallor_conformance.replay.reached import Tally
from rochallor_conformance.running import CONFORMANT, INCOMPLETE, UNEXPECTED
from rochallor_conformance.transports.exchange import REST, TRANSPORTS, Answer, Journal, Json, Unreachable


@contract.command("fuzz")
@click.option("--target", required=True, help=TARGET_HELP)
@click.option("--max-time", "seconds", type=click.IntRange(1), default=60, show_default=True, help="In seconds.")
@click.option("--rounds", type=click.IntRange(0), default=0, help="At most so many; 0 is until the time is up.")
@click.option("--operation", "only", multiple=True, type=click.Choice(sorted(operations())), help="Only these.")
@SEED
def fuzz_verb(target: str, *, seconds: int, rounds: int, only: tuple[str, ...], seed: int) -> int:
    """Send generated requests to every operation, and say which documented statuses were reached.

    Ends with 1 when an answer is not as the contract says, with 3 when something was not met and nobody says why.
    """
    _need("schemathesis", "fuzz")
    tally, has_tokens = asyncio.run(_fuzzed(read_target(target), seconds, (seed, rounds, frozenset(only))))
    for line in tally.lines(has_tokens=has_tokens):
        click.echo(line)
    for finding in tally.findings.values():
        click.echo(
            f"\n✗ {finding.operation} (seen {finding.times} times): {finding.sentence}\n  {finding.command[:2000]}"
        )
    missed = tally.missed(has_tokens=has_tokens)
    if tally.is_cut:
        click.echo(
            f"\nthe time was up before every operation was met once; give more than --max-time {seconds}", err=True
        )
    elif missed:
        click.echo(f"\nneither reached nor excused: {', '.join(missed)}; try a longer --max-time", err=True)
    if tally.base_only:
        click.echo("\nthe engine speaks the base contract only: our additions were not met")
    click.echo(f"\n{sum(tally.reached.values())} answers, {len(tally.findings)} findings; seed {seed}")
    if tally.findings:
        return UNEXPECTED
    return INCOMPLETE if missed or tally.is_cut else CONFORMANT


def _need(module: str, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise click.UsageError(f"{module} is not installed: pip install rochallor-conformance[{extra}]")


async def _fuzzed(subject: Target, seconds: int, rest: tuple[int, int, frozenset[str]]) -> tuple[Tally, bool]:
    from rochallor_conformance.replay.fuzzing import Session, fuzz, judge_rights  # noqa: PLC0415 - needs an extra

    with tempfile.TemporaryDirectory(prefix="rochallor-conformance-") as folder:
        async with Fleet(subject, Path(folder)) as fleet:
            bench = await fleet.bench(REST)
            ends = time.monotonic() + seconds
            session = Session(
                bench.address.rest,
                secrets.token_hex(4),
                lambda: time.monotonic() > ends,
                *rest,
                base_only=ADDITIONS not in bench.capabilities,
            )
            try:
                tally = await asyncio.to_thread(fuzz, session)
                if has_tokens := TOKENS in subject.settings:
                    guarded = await fleet.bench(REST, TOKENS)
                    await asyncio.to_thread(judge_rights, guarded.address.rest, guarded.address.tokens, tally)
            except httpx.HTTPError as error:
                raise Unreachable(f"{subject.name} does not give the fuzzer what it needs: {error}") from error
            return tally, has_tokens


@contract.command("model")
@click.option("--target", required=True, help=TARGET_HELP)
@click.option("--transport", type=click.Choice(TRANSPORTS), default=REST, show_default=True)
@click.option("--examples", type=click.IntRange(1), default=30, show_default=True, help="How many stories are told.")
@click.option("--steps", type=click.IntRange(1), default=25, show_default=True, help="The longest story, in acts.")
@click.option("--shrink/--no-shrink", default=True, help="Look for the shortest story that fails; it takes a while.")
@SEED
def model_verb(target: str, *, transport: str, seed: int, **numbers: Any) -> int:
    """Tell random stories to the target and to a small model of an engine; they must agree after each act."""
    _need("hypothesis", "fuzz")
    told = asyncio.run(_modelled(read_target(target), transport, {"seed": seed, **numbers}))
    if told.problem:
        click.echo(f"✗ {told.problem}\n\nthe story that ends so:\n{told.steps}\n")
    click.echo(f"{numbers['examples']} stories of at most {numbers['steps']} acts over {transport}, seed {seed}: "
               f"{'engine and model part' if told.problem else 'engine and model agree'}")  # fmt: skip
    return UNEXPECTED if told.problem else CONFORMANT


async def _modelled(subject: Target, transport: str, numbers: dict[str, Any]) -> Told:
    from rochallor_conformance.replay.machine import Story, tell  # noqa: PLC0415 - needs an extra

    with tempfile.TemporaryDirectory(prefix="rochallor-conformance-") as folder:
        async with Fleet(subject, Path(folder)) as fleet:
            bench, loop = await fleet.bench(transport), asyncio.get_running_loop()

            def call(operation: str, args: Json, journal: Journal) -> Answer:
                sending = bench.transport.call(operations()[operation], args, journal)
                return asyncio.run_coroutine_threadsafe(sending, loop).result()

            story = Story(call, secrets.token_hex(4), ADDITIONS not in bench.capabilities)
            return await asyncio.to_thread(tell, story, **numbers)


COMMANDS: tuple[click.Command, ...] = ()
"""They are verbs of `contract`."""
