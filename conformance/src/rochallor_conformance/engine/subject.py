"""An engine as the subject of a run. Cases are independent, so several are played at a time; a stub has one clock."""

from __future__ import annotations

import asyncio

from rochallor_conformance.cases.book import Book
from rochallor_conformance.engine.bench import ADDITIONS
from rochallor_conformance.engine.player import play
from rochallor_conformance.engine.targets import SETTINGS, STUB, Fleet, missing
from rochallor_conformance.planning import Planned
from rochallor_conformance.report.failures import failure_of
from rochallor_conformance.report.records import FAILED, NOT_IMPLEMENTED, SKIPPED, Json

AT_ONCE = 12


class EngineSubject:
    """The engines of one fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self.name = fleet.target.name
        self.at_once = 1 if fleet.target.kind == STUB else AT_ONCE
        self._fleet = fleet
        self._starting = asyncio.Lock()

    def transports(self) -> tuple[str, ...]:
        """Return over which transports the engine answers."""
        return self._fleet.transports()

    async def capabilities(self, transport: str) -> list[str]:
        """Return what the engine can do, and with which settings it can be started."""
        bench = await self._fleet.bench(transport)
        return sorted(bench.capabilities | self._fleet.target.settings)

    async def outcome(self, planned: Planned, namespace: str, book: Book) -> Json:
        """Play a case; return its status with the reason or the failure."""
        case, target = planned.case, self._fleet.target
        setting = next((each for each in case.requires if each in SETTINGS), "")
        if setting and setting not in target.settings:
            return {"status": SKIPPED, "reason": f"needs an engine with the setting {setting}"}
        async with self._starting:
            bench = await self._fleet.bench(planned.transport, setting)
        if lacking := missing(case.requires, bench):
            return {"status": SKIPPED, "reason": lacking}
        if ADDITIONS in case.requires and ADDITIONS not in bench.capabilities:
            return {"status": NOT_IMPLEMENTED, "reason": "the engine speaks the base contract only"}
        await bench.fresh()
        verdict = await play(case, bench, namespace)
        if verdict.status != FAILED:
            return {"status": verdict.status, **({"reason": verdict.reason} if verdict.reason else {})}
        return {"status": FAILED, "failure": failure_of(case, verdict, book, bench.address, target.name)}
