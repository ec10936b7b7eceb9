"""Whole cassettes against a target: recorded, replayed or judged offline, with the results that a report has.

Takes are independent, so several are on the way at a time; on a stub they share one virtual clock and go one by one.
Results come in the order of the plan.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from rochallor_conformance import __version__
from rochallor_conformance.cases.book import Book
from rochallor_conformance.engine.bench import ADDITIONS
from rochallor_conformance.engine.targets import STUB, Fleet, missing
from rochallor_conformance.in_order import in_order
from rochallor_conformance.planning import Planned
from rochallor_conformance.replay.cassette import Cassette, Header, Take
from rochallor_conformance.replay.offline import as_exchange, problems
from rochallor_conformance.replay.recording import LeftOut, record, refuse_unrecordable, setting_of
from rochallor_conformance.replay.replaying import LISTED, Outcome, replay, why_not
from rochallor_conformance.report.failures import LAST, command_of, line_of
from rochallor_conformance.report.records import BROKEN, FAILED, PASSED, SKIPPED, Json
from rochallor_conformance.transports.exchange import REST, Exchange, Inexpressible, Unreachable

AT_ONCE = 6
SLOW_MS, ATTEMPTS = 100.0, 3
"""When an answer took longer than this, what fell due meanwhile may be the whole difference: the take is sent again."""


class Chance(NamedTuple):
    """Where names come from: the same `seed` and `nonce` make the same; the nonce is of one session."""

    seed: int
    nonce: str

    def namespace(self, name: str) -> str:
        """Return what makes the names of one play unique."""
        return hashlib.sha256(f"{self.seed}/{self.nonce}/{name}".encode()).hexdigest()[:10]


async def record_all(book: Book, plays: Sequence[Planned], fleet: Fleet, chance: Chance) -> Cassette:
    """Play cases and return the cassette.

    Raises:
        Unreachable: the target does not start or does not answer.

    """
    starting = asyncio.Lock()
    left_out: dict[str, str] = {}

    async def one(planned: Planned) -> Take | None:
        try:
            return await _recorded(planned, fleet, chance, starting)
        except LeftOut as reason:
            left_out[planned.name] = str(reason)
            return None

    takes = await in_order(plays, one, at_once=_at_once(fleet))
    bench = await fleet.bench(plays[0].transport)
    header = Header(
        harness=__version__,
        revision=book.revision,
        target=fleet.target.name,
        capabilities=sorted(bench.capabilities | fleet.target.settings),
        seed=chance.seed,
        recorded=datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )
    return Cassette(header, [take for take in takes if take], dict(sorted(left_out.items())))


async def replay_all(
    takes: Sequence[Take], transport: str, fleet: Fleet, chance: Chance, tell: Callable[[Json], None]
) -> list[Json]:
    """Send takes again over one transport, or each over its own when it is ""; return a result per take."""
    starting = asyncio.Lock()

    async def one(take: Take) -> Json:
        began, over = time.monotonic(), transport or take.about.transport
        try:
            outcome = await _replayed(take, over, fleet, chance, starting)
        except Unreachable as error:
            outcome = {"status": BROKEN, "reason": str(error)}
        except Exception as error:  # noqa: BLE001 - the harness's own mistake must not end the run unseen
            outcome = {"status": BROKEN, "reason": f"the harness failed: {type(error).__name__}: {error}"}
        return _result(take, over, began, outcome)

    return await in_order(takes, one, at_once=_at_once(fleet), tell=tell)


def judge_all(cassette: Cassette, tell: Callable[[Json], None]) -> list[Json]:
    """Judge a cassette without any engine; return a result per take."""
    results = []
    for take in cassette.takes:
        began = time.monotonic()
        found = list(problems(take, base_only=ADDITIONS not in cassette.header.capabilities))
        outcome: Json = {"status": PASSED}
        if found:
            sentences = "; ".join(sentence for _, sentence in found[:LISTED])
            more = f"; and {len(found) - LISTED} more" if found[LISTED:] else ""
            heard = [as_exchange(each) for each in take.exchanges]
            failure = _failure(take, f"oracle {found[0][0]}", sentences + more, heard)
            outcome = {"status": FAILED, "failure": failure}
        results.append(_result(take, take.about.transport, began, outcome))
        tell(results[-1])
    return results


async def _recorded(planned: Planned, fleet: Fleet, chance: Chance, starting: asyncio.Lock) -> Take:
    refuse_unrecordable(planned.case)
    setting = setting_of(planned.case)
    if setting and setting not in fleet.target.settings:
        raise LeftOut(f"needs an engine with the setting {setting}")
    async with starting:
        bench = await fleet.bench(planned.transport, setting)
    if lacking := missing(planned.case.requires, bench):
        raise LeftOut(lacking)
    await bench.fresh()
    return await record(planned.case, bench, chance.namespace(planned.name))


async def _replayed(take: Take, over: str, fleet: Fleet, chance: Chance, starting: asyncio.Lock) -> Json:
    setting = take.about.setting
    if setting and setting not in fleet.target.settings:
        return {"status": SKIPPED, "reason": f"needs an engine with the setting {setting}"}
    async with starting:
        bench = await fleet.bench(over, setting)
    if reason := why_not(take, bench):
        return {"status": SKIPPED, "reason": reason}
    try:
        for attempt in range(ATTEMPTS):
            await bench.fresh()
            name = f"{take.about.case} over {take.about.transport} on {over}, attempt {attempt}"
            outcome = await replay(take, bench, chance.namespace(name))
            if outcome.at is None or outcome.slowest_ms < SLOW_MS:
                break
    except Inexpressible as error:
        return {"status": SKIPPED, "reason": f"cannot be said over {over}: {error}"}
    return {"status": PASSED} if outcome.at is None else {"status": FAILED, "failure": _differing(take, outcome, bench)}


def _differing(take: Take, outcome: Outcome, bench: Any) -> Json:
    assert outcome.at is not None
    failure = _failure(take, f"exchange[{outcome.at.number}]", outcome.message, outcome.exchanges)
    first = outcome.found[0]
    command = command_of(outcome.exchanges[-1], bench.address)
    return {**failure, "expected": _plain(first.expected), "actual": _plain(first.actual), "command": command}


def _failure(take: Take, where: str, message: str, exchanges: list[Exchange]) -> Json:
    return {
        "where": where,
        "message": message,
        "expected": "what the contract says",
        "actual": "what was recorded",
        "requirements": take.about.requirements,
        "exchanges": [line_of(each) for each in exchanges[-LAST:]],
        "command": "",
        "repro": "",
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict | None) else repr(value)


def _result(take: Take, transport: str, began: float, outcome: Json) -> Json:
    about = take.about
    facts = {"case": about.case, "title": about.title, "area": about.area, "level": about.level}
    ms = round((time.monotonic() - began) * 1000, 1)
    return {**facts, "transport": transport or REST, "requirements": about.requirements, "ms": ms, **outcome}


def _at_once(fleet: Fleet) -> int:
    return 1 if fleet.target.kind == STUB else AT_ONCE
