"""How late timers fire on an engine that has nothing else to do.

The store is filled with instances whose boundary timer is due soon, an engine is started, and lateness is read from
the history afterwards: the time of `TimerFired` less the due time. That is the time of the transaction; its commit,
which has the next timers waiting, is part of their lateness. A timer that did not fire, or fired early, voids the run.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import click
from rich.console import Console
from rich.table import Table
from rochallor.config import Config
from rochallor.core.events import Committed, TimerFired, TimerScheduled
from rochallor.ports import Reads
from rochallor.serve.visit import visit
from rochallor.shell.clocks import SystemClock

from bench.engine import EngineProcess
from bench.fill import clones, in_a_row, play
from bench.stores import Environment, Stores

WAITS_MS = 3_600_000
READY_MS = 5_000
GRACE_S = 3.0
ALLOWED_MS = 250
_PAGE = 500


class Case(NamedTuple):
    """So many timers, falling due evenly over so long."""

    timers: int
    spread_ms: int

    @property
    def label(self) -> str:
        """Say it."""
        return f"{self.timers:,} due within {self.spread_ms / 1000:g} s"


def cases(*, quick: bool) -> list[Case]:
    """Return what to measure: the promise, and the same number at once."""
    return [Case(1_000, 6_000), Case(1_000, 1_000)] if quick else [Case(10_000, 60_000), Case(10_000, 1_000)]


def definition() -> bytes:
    """Return a workflow in which a user task waits for an hour."""
    timer = {"type": "TIMER", "duration": "PT1H", "interrupting": True, "targetStepId": "end"}
    task = {"id": "ask", "name": "Ask", "type": "USER_TASK", "nextStep": "end", "boundaryEvents": [timer]}
    steps = [task, {"id": "end", "name": "End", "type": "END"}]
    return json.dumps({"id": "bench-timer", "name": "Timer", "steps": steps}).encode()


def measure(console: Console, stores: Stores, *, rounds: int, quick: bool) -> dict[str, list[dict[str, float]]]:
    """Run all rounds; return the figures of each round, per case."""
    seen: dict[str, list[dict[str, float]]] = {case.label: [] for case in cases(quick=quick)}
    for number in range(1, rounds + 1):
        console.print(f"{stores.name}: round {number} of {rounds} …")
        for case in cases(quick=quick):
            store = stores.empty(f"timers_{number}_{case.spread_ms}")
            seen[case.label].append(_round(store, stores, case))
            stores.drop(store)
    return seen


def _round(store: Environment, stores: Stores, case: Case) -> dict[str, float]:
    with EngineProcess(store) as engine:
        engine.upload(definition())
    first_ms = time.time_ns() // 1_000_000 + READY_MS
    original = play(definition(), b'{"amount":1200}', results=0)
    started = in_a_row(case.timers, first_ms - WAITS_MS, case.spread_ms / case.timers)
    stores.pour(store, clones(original, started))
    with EngineProcess(store) as engine:
        if time.time_ns() // 1_000_000 > first_ms:
            raise click.ClickException("void: timers were due before the engine was ready; is the machine busy?")
        before_s = engine.cpu_s()
        time.sleep((first_ms + case.spread_ms) / 1000 - time.time() + GRACE_S)
        cpu_s = engine.cpu_s() - before_s
    late = sorted(asyncio.run(_lateness(store)))
    if len(late) != case.timers or late[0] < 0:
        raise click.ClickException(f"void: {len(late)} of {case.timers} timers fired, the first {late[:1]} ms late")
    return {
        "p50_ms": late[len(late) // 2],
        "p99_ms": late[len(late) * 99 // 100],
        "max_ms": late[-1],
        "engine_cpu_us_per_timer": round(cpu_s * 1e6 / case.timers),
    }


async def _lateness(store: Environment) -> list[int]:
    config = Config(sqlite_path=store.get("WE_SQLITE_PATH"), postgres_dsn=store.get("WE_POSTGRES_DSN"))
    late: list[int] = []
    async with visit(config, SystemClock()) as there:
        after = ""
        while ids := await there.reads.instance_ids(after, _PAGE):
            after = ids[-1]
            late += await _late(there.reads, ids)
    return late


async def _late(reads: Reads, ids: list[str]) -> list[int]:
    dossiers = await reads.dossiers(ids)
    return [late for dossier in dossiers for late in _of_history(dossier.history)]


def _of_history(history: tuple[Committed, ...]) -> Iterator[int]:
    due_ms: dict[tuple[int, int], int] = {}
    for committed in history:
        for event in committed.events:
            if isinstance(event, TimerScheduled):
                due_ms[event.seq, event.index] = event.due_ms
            elif isinstance(event, TimerFired):
                yield committed.at_ms - due_ms[event.seq, event.index]


def report(console: Console, name: str, seen: Mapping[str, list[dict[str, float]]]) -> None:
    """Print the worst round of each case."""
    table = Table(f"{name}, worst round", "p99 ÷ 250 ms", "p50 ms", "p99 ms", "max ms", "CPU µs each", title="Timers")
    for label, runs in seen.items():
        worst = {key: max(figures[key] for figures in runs) for key in runs[0]}
        table.add_row(label, f"{worst['p99_ms'] / ALLOWED_MS:.2f}", *(f"{value:,g}" for value in worst.values()))
    console.print(table)
