"""One hunt: every strain of every mutant against the cases that claim to kill it, and what became of it.

A strain is killed by a case that fails on it and passes on the healthy stub; the second half is looked at in the end,
for all killers together. What a killing case finds is not looked at: what the strain broke, some promise noticed.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from rochallor_conformance.cases.book import Book
from rochallor_conformance.cases.model import ENGINE, SDK, Case, Step
from rochallor_conformance.engine.subject import EngineSubject
from rochallor_conformance.engine.targets import SETTINGS, STARTABLE, Fleet, mutant_target
from rochallor_conformance.mutants.catalogue import HEALTHY, PATCHES, mutant_of, strains_of
from rochallor_conformance.mutants.patch import misfits
from rochallor_conformance.planning import Planned, Wanted
from rochallor_conformance.report.records import BROKEN, FAILED, Json
from rochallor_conformance.running import CONFORMANT, SURVIVED, Order, result_of
from rochallor_conformance.sdk.capabilities import needed
from rochallor_conformance.sdk.manifest import Manifest
from rochallor_conformance.sdk.subject import SdkSubject
from rochallor_conformance.transports.exchange import TRANSPORTS

KILLED, SURVIVES, MISFIT, ELSEWHERE = "killed", "survived", "misfit", "elsewhere"
AT_ONCE = 2
PATIENCE_S = 5.0
"""How long a case may take before it counts as one that found its engine hanging."""
SETTING_COST, LOOK_COST, PARALLEL_COST = 100, 5, 3
"""What an engine of its own, a repeated look and each of many acts at once cost, in acts."""


class Hunt(NamedTuple):
    """What is hunted. With `all_cases` a strain is shown every case that claims it, not only the first that kills."""

    book: Book
    mutants: list[str]
    seed: int
    nonce: str
    all_cases: bool
    tell: Callable[[Json], None]
    sdk: Manifest | None = None
    """A driver that breaks its SDK as the variable SDK_MUTANT says, and not at all without it."""


class Bag(NamedTuple):
    """What a hunt brought: a row per strain, and the cases that killed nothing (only looked for with `all_cases`)."""

    rows: list[Json]
    idle: list[str]

    @property
    def code(self) -> int:
        """The exit code."""
        return SURVIVED if {row["status"] for row in self.rows} - {KILLED, ELSEWHERE} else CONFORMANT


async def hunt(wanted: Hunt) -> Bag:
    """Hunt them all; rows come in the order of the catalogue."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(mutant: str, strain: str) -> tuple[Json, list[Planned]]:
        async with gate:
            row, killers = await _chase(wanted, mutant, strain)
        wanted.tell(row)
        return row, killers

    places = [(mutant, strain) for mutant in wanted.mutants for strain in strains_of(mutant) or [""]]
    found = await asyncio.gather(*(one(mutant, strain) for mutant, strain in places))
    everywhere = await _fail_when_healthy(wanted, found)
    rows = [_without(row, killers, everywhere) for row, killers in found]
    return Bag(rows, _idle(wanted, found, everywhere) if wanted.all_cases else [])


def claims(book: Book, mutant: str, sdk: Manifest | None = None) -> list[Planned]:
    """Return the plays that claim to kill a mutant and can be played, the cheapest first."""
    transports = TRANSPORTS if sdk is None else sdk.transports
    plays = [
        Planned(case, transport)
        for case in book.cases
        if mutant in case.kills and _can_be_played(case, sdk)
        for transport in transports
        if transport in case.transports
    ]
    return sorted(plays, key=lambda planned: cost(planned.case))


def _can_be_played(case: Case, sdk: Manifest | None) -> bool:
    if sdk is None:
        return ENGINE in case.targets and not _settings(case) - STARTABLE
    return SDK in case.targets and not _settings(case) and sdk.capabilities.issuperset(needed(case))


def cost(case: Case) -> int:
    """Return about how long a case takes, in acts."""
    acts = sum(_cost_of(step) for _, step in case.steps)
    return len(case.given.definitions) + acts + SETTING_COST * bool(_settings(case))


def _cost_of(step: Step) -> int:
    looks = LOOK_COST if step.until or step.advance else 1
    return looks + PARALLEL_COST * len(step.parallel or ())


def _settings(case: Case) -> set[str]:
    return set(case.requires) & SETTINGS.keys()


async def _chase(wanted: Hunt, mutant: str, strain: str) -> tuple[Json, list[Planned]]:
    """Play until a case kills, or all; return the row and the plays that killed."""
    facts = {"mutant": strain or mutant, "subject": wanted.book.mutants[mutant].subject}
    sdk = None
    if facts["subject"] != ENGINE:
        sdk = wanted.sdk
        if sdk is None:
            return {**facts, "status": ELSEWHERE, "message": "a defect of SDKs; --broken-sdk names a driver"}, []
    elif misfit := _misfit(strain):
        return {**facts, "status": MISFIT, "message": misfit}, []
    began = time.monotonic()
    row: Json = {**facts, "status": SURVIVES, "played": 0, "ms": 0.0}
    killers: list[Planned] = []
    async with _opened(strain or mutant, sdk) as subject:
        for planned in claims(wanted.book, mutant, sdk):
            result = await _played(wanted, planned, subject)
            row["played"] += 1
            if result["status"] == BROKEN:
                return {**row, "status": MISFIT, "message": result["reason"]}, []
            if result["status"] != FAILED:
                continue
            killers.append(planned)
            if len(killers) == 1:
                row |= _told(result, began)
            if not wanted.all_cases:
                break
    return row, killers


@asynccontextmanager
async def _opened(strain: str, sdk: Manifest | None) -> AsyncIterator[EngineSubject | SdkSubject]:
    """Give what carries a defect, or none when `strain` is HEALTHY; it ends with the block."""
    if sdk is not None:
        async with SdkSubject(sdk, {} if strain == HEALTHY else {"SDK_MUTANT": strain}) as subject:
            yield subject
        return
    with tempfile.TemporaryDirectory(prefix="rochallor-conformance-") as folder:
        async with Fleet(mutant_target(strain), Path(folder)) as fleet:
            yield EngineSubject(fleet)


def _misfit(strain: str) -> str:
    """Return why there is no such stub, empty if there is."""
    return next(iter(misfits(PATCHES[strain])), "") if strain else "no patch makes it; write one, or take it out"


def _told(result: Json, began: float) -> Json:
    ms = round((time.monotonic() - began) * 1000, 1)
    message = f"{result['failure']['where']}: {result['failure']['message']}"
    return {"status": KILLED, "case": result["case"], "transport": result["transport"], "ms": ms, "message": message}


async def _played(wanted: Hunt, planned: Planned, subject: EngineSubject | SdkSubject) -> Json:
    if isinstance(subject, EngineSubject):
        planned = planned._replace(case=replace(planned.case, limits={"seconds": PATIENCE_S}))
    order = Order(wanted.book, [planned], Wanted((planned.transport,)), wanted.seed, wanted.nonce, None, _silent)
    return await result_of(order, planned, subject)


def _silent(_result: Json) -> None:
    """Nobody is told of single plays."""


async def _fail_when_healthy(wanted: Hunt, found: Iterable[tuple[Json, list[Planned]]]) -> set[str]:
    """Return the names of the killing plays that fail on the healthy stub, or SDK, too: they prove nothing."""
    failing = set()
    for sdk, of_sdks in ((None, False), (wanted.sdk, True)):
        plays = {
            planned.name: planned
            for row, killers in found
            for planned in killers
            if (row["subject"] != ENGINE) is of_sdks
        }
        if plays:
            async with _opened(HEALTHY, sdk) as subject:
                results = {name: await _played(wanted, planned, subject) for name, planned in plays.items()}
            failing |= {name for name, result in results.items() if result["status"] in (FAILED, BROKEN)}
    return failing


def _without(row: Json, killers: list[Planned], everywhere: set[str]) -> Json:
    """Take a kill back that the healthy stub dies of too."""
    if not killers or killers[0].name not in everywhere:
        return row
    return {**row, "status": SURVIVES, "message": f"{killers[0].name} fails without the defect, too"}


def _idle(wanted: Hunt, found: Iterable[tuple[Json, list[Planned]]], everywhere: set[str]) -> list[str]:
    """Return the claims `case: mutant` that no strain bore out."""
    useful = Counter(
        (planned.case.id, mutant_of(row["mutant"]))
        for row, killers in found
        for planned in killers
        if planned.name not in everywhere
    )
    claimed = {
        (planned.case.id, mutant)
        for mutant in wanted.mutants
        for sdk in [None if wanted.book.mutants[mutant].subject == ENGINE else wanted.sdk]
        for planned in claims(wanted.book, mutant, sdk)
        if strains_of(mutant) or sdk is not None
    }
    return [f"{case}: {mutant}" for case, mutant in sorted(claimed - useful.keys())]
