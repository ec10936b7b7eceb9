"""One run: plays the plan against a target, writes the report, and says how it ended.

Cases are independent, so several are played at a time; on a stub they share one virtual clock and go one by one.
Results are written in the order of the plan whatever finishes first.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from datetime import date, datetime, timezone
from typing import Any, NamedTuple

from rochallor_conformance import __version__
from rochallor_conformance.cases.book import Book
from rochallor_conformance.engine.bench import ADDITIONS, Bench
from rochallor_conformance.engine.player import play
from rochallor_conformance.engine.targets import SETTINGS, Fleet, missing
from rochallor_conformance.known_failures import KnownFailures, bookkeeping
from rochallor_conformance.planning import Planned, Wanted
from rochallor_conformance.report.failures import failure_of
from rochallor_conformance.report.records import BROKEN, FAILED, KNOWN, SKIPPED, Json, Writer, counts
from rochallor_conformance.transports.exchange import Unreachable

AT_ONCE = 12
CONFORMANT, UNEXPECTED, BOOKKEEPING, INCOMPLETE, USAGE, SURVIVED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
"""The exit codes; scripts rely on them."""


class Order(NamedTuple):
    """What is to be run. `nonce` makes names unique from run to run, `tell` is told each result."""

    book: Book
    plays: list[Planned]
    wanted: Wanted
    seed: int
    nonce: str
    known: KnownFailures | None
    tell: Callable[[Json], None]


async def run(order: Order, fleet: Fleet, writer: Writer) -> int:
    """Run it; return the exit code."""
    began = time.monotonic()
    first = await _look(order, fleet)
    writer.write("header", _header(order, fleet, first))
    results = await _play_all(order, fleet, writer)
    todo = list(bookkeeping(order.known, results, date.today())) if order.known else []  # noqa: DTZ011 - a calendar day
    code = exit_code(results, len(order.plays), todo)
    footer = {"counts": counts(results), "finished": len(results), "exit": code, "bookkeeping": todo}
    writer.write("footer", {**footer, "ms": _ms_since(began)})
    return code


def exit_code(results: list[Json], planned: int, todo: list[str]) -> int:
    """Return how a run with these results ended."""
    statuses = {result["status"] for result in results}
    if len(results) != planned or BROKEN in statuses:
        return INCOMPLETE
    if FAILED in statuses:
        return UNEXPECTED
    return BOOKKEEPING if todo else CONFORMANT


async def _look(order: Order, fleet: Fleet) -> Bench | None:
    """Return a bench that answers, so that the header can say what the target can do; None when there is none."""
    try:
        return await fleet.bench(order.wanted.transports[0])
    except Unreachable:
        return None


def _header(order: Order, fleet: Fleet, bench: Bench | None) -> Json:
    index, count = order.wanted.shard
    return {
        "format": 1,
        "harness": __version__,
        "revision": order.book.revision,
        "target": fleet.target.name,
        "transports": list(order.wanted.transports),
        "capabilities": sorted((bench.capabilities if bench else frozenset()) | fleet.target.settings),
        "seed": order.seed,
        "shard": f"{index}/{count}",
        "planned": len(order.plays),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


async def _play_all(order: Order, fleet: Fleet, writer: Writer) -> list[Json]:
    gate = asyncio.Semaphore(1 if fleet.target.kind == "stub" else AT_ONCE)
    starting = asyncio.Lock()

    async def one(planned: Planned) -> Json:
        async with gate:
            return await result_of(order, planned, fleet, starting)

    tasks = [asyncio.create_task(one(planned)) for planned in order.plays]
    results = []
    try:
        for task in tasks:
            result = await task
            writer.write("result", result)
            order.tell(result)
            results.append(result)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return results


async def result_of(order: Order, planned: Planned, fleet: Fleet, starting: asyncio.Lock) -> Json:
    """Play one case; return its result. `starting` keeps two plays from starting the same engine."""
    began = time.monotonic()
    try:
        outcome = await _outcome(order, planned, fleet, starting)
    except Unreachable as error:
        outcome = {"status": BROKEN, "reason": str(error)}
    except Exception as error:  # noqa: BLE001 - the harness's own mistake must not end the run unseen
        outcome = {"status": BROKEN, "reason": f"the harness failed: {type(error).__name__}: {error}"}
    case = planned.case
    facts = {"case": case.name, "title": case.title, "area": case.area, "level": case.level}
    return {**facts, "transport": planned.transport, "requirements": case.spec, "ms": _ms_since(began), **outcome}


async def _outcome(order: Order, planned: Planned, fleet: Fleet, starting: asyncio.Lock) -> Json:
    case = planned.case
    setting = next((each for each in case.requires if each in SETTINGS), "")
    if setting and setting not in fleet.target.settings:
        return {"status": SKIPPED, "reason": f"needs an engine with the setting {setting}"}
    async with starting:
        bench = await fleet.bench(planned.transport, setting)
    if lacking := missing(case.requires, bench):
        return {"status": SKIPPED, "reason": lacking}
    if ADDITIONS in case.requires and ADDITIONS not in bench.capabilities:
        return {"status": "not_implemented", "reason": "the engine speaks the base contract only"}
    await bench.fresh()
    verdict = await play(case, bench, _namespace(order, planned))
    if verdict.status != FAILED:
        return {"status": verdict.status, **({"reason": verdict.reason} if verdict.reason else {})}
    failure = failure_of(case, verdict, order.book, bench.address, fleet.target.name)
    entry = order.known.about(case.name, planned.transport, failure["message"]) if order.known else None
    judged: dict[str, Any] = {"status": KNOWN, "reason": entry.reason} if entry else {"status": FAILED}
    return {**judged, "failure": failure}


def _namespace(order: Order, planned: Planned) -> str:
    text = f"{order.seed}/{order.nonce}/{planned.name}"
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _ms_since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
