"""One run: plays the plan against a target, writes the report, and says how it ended.

Cases are independent, so several are played at a time; on a stub they share one virtual clock and go one by one.
Results are written in the order of the plan whatever finishes first.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timezone
from typing import NamedTuple, Protocol

from rochallor_conformance import __version__
from rochallor_conformance.cases.book import Book
from rochallor_conformance.in_order import in_order
from rochallor_conformance.known_failures import KnownFailures, bookkeeping
from rochallor_conformance.planning import Planned, Wanted
from rochallor_conformance.report.characters import whole
from rochallor_conformance.report.records import BROKEN, FAILED, KNOWN, Json, Writer, counts
from rochallor_conformance.transports.exchange import Unreachable

CONFORMANT, UNEXPECTED, BOOKKEEPING, INCOMPLETE, USAGE, SURVIVED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
"""The exit codes; scripts rely on them."""


class Order(NamedTuple):
    """What is to be run. `nonce` makes names unique from run to run, `tell` is told each result.

    `whole` is what a run without shards or patterns plays; empty when nobody is to know.
    """

    book: Book
    plays: list[Planned]
    wanted: Wanted
    seed: int
    nonce: str
    known: KnownFailures | None
    tell: Callable[[Json], None]
    whole: Sequence[Planned] = ()


class Subject(Protocol):
    """Who is judged: an engine or an SDK. `name` is the target's, `at_once` how many cases may be played at a time."""

    name: str
    at_once: int

    def transports(self) -> tuple[str, ...]:
        """Return over which transports it can be judged."""
        ...

    async def capabilities(self, transport: str) -> list[str]:
        """Return what it can do, as far as that is known; raises `Unreachable`."""
        ...

    async def outcome(self, planned: Planned, namespace: str, book: Book) -> Json:
        """Play a case; return its status with the reason or the failure; raises `Unreachable`."""
        ...


async def run(order: Order, subject: Subject, writer: Writer) -> tuple[int, list[str]]:
    """Run it; return the exit code, and what is to be done about the known failures."""
    began = time.monotonic()
    writer.write("header", _header(order, subject, await _look(order, subject)))
    results = await _play_all(order, subject, writer)
    today = date.today()  # noqa: DTZ011 - an expiry is a day in a calendar
    whole = [(each.case.name, each.transport) for each in order.whole]
    todo = list(bookkeeping(order.known, results, today, whole)) if order.known else []
    code = exit_code(results, len(order.plays), todo)
    footer = {"counts": counts(results), "finished": len(results), "exit": code, "bookkeeping": todo}
    writer.write("footer", {**footer, "ms": _ms_since(began)})
    return code, todo


def exit_code(results: list[Json], planned: int, todo: list[str]) -> int:
    """Return how a run with these results ended."""
    statuses = {result["status"] for result in results}
    if len(results) != planned or BROKEN in statuses:
        return INCOMPLETE
    if FAILED in statuses:
        return UNEXPECTED
    return BOOKKEEPING if todo else CONFORMANT


async def _look(order: Order, subject: Subject) -> list[str]:
    """Return what the target can do, so that the header can say it; nothing when nobody answers."""
    try:
        return await subject.capabilities(order.wanted.transports[0])
    except Unreachable:
        return []


def _header(order: Order, subject: Subject, capabilities: list[str]) -> Json:
    index, count = order.wanted.shard
    return {
        "format": 1,
        "harness": __version__,
        "revision": order.book.revision,
        "target": subject.name,
        "transports": list(order.wanted.transports),
        "capabilities": capabilities,
        "seed": order.seed,
        "shard": f"{index}/{count}",
        "planned": len(order.plays),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


async def _play_all(order: Order, subject: Subject, writer: Writer) -> list[Json]:
    def tell(result: Json) -> None:
        writer.write("result", result)
        order.tell(result)

    async def one(planned: Planned) -> Json:
        return await result_of(order, planned, subject)

    return await in_order(order.plays, one, at_once=subject.at_once, tell=tell)


async def result_of(order: Order, planned: Planned, subject: Subject) -> Json:
    """Play one case; return its result."""
    began = time.monotonic()
    try:
        outcome = _known(order, planned, await subject.outcome(planned, _namespace(order, planned), order.book))
    except Unreachable as error:
        outcome = {"status": BROKEN, "reason": str(error)}
    except Exception as error:  # noqa: BLE001 - the harness's own mistake must not end the run unseen
        outcome = {"status": BROKEN, "reason": f"the harness failed: {type(error).__name__}: {error}"}
    case = planned.case
    facts = {"case": case.name, "title": case.title, "area": case.area, "level": case.level}
    return {
        **facts,
        "transport": planned.transport,
        "requirements": case.spec,
        "ms": _ms_since(began),
        **whole(outcome),
    }


def _known(order: Order, planned: Planned, outcome: Json) -> Json:
    """Return an outcome, a failure that is known to happen as such."""
    if outcome["status"] != FAILED or order.known is None:
        return outcome
    entry = order.known.about(planned.case.name, planned.transport, outcome["failure"]["message"])
    return outcome if entry is None else {**outcome, "status": KNOWN, "reason": entry.reason}


def _namespace(order: Order, planned: Planned) -> str:
    text = f"{order.seed}/{order.nonce}/{planned.name}"
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _ms_since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
