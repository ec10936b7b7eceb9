"""A whole SDK as the subject of a run: one stub, one driver at a time, one case after the other."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from rochallor_conformance.cases.book import Book
from rochallor_conformance.cases.model import SDK, Case
from rochallor_conformance.planning import Planned
from rochallor_conformance.report.failures import described
from rochallor_conformance.report.records import NOT_IMPLEMENTED, SKIPPED, Json
from rochallor_conformance.sdk.capabilities import needed, unspeakable
from rochallor_conformance.sdk.client import DriverClient, DriverFault
from rochallor_conformance.sdk.manifest import Manifest
from rochallor_conformance.sdk.player import play
from rochallor_conformance.sdk.process import DriverProcess
from rochallor_conformance.sdk.stub import Stub
from rochallor_conformance.verdict import Difference, Verdict

RESET_S = 10.0
SHOWN = 400
SETTINGS = frozenset({"tokens", "coercion", "shared-keys", "few-deliveries", "no-audit", "kafka-dispatch"})


class SdkSubject:
    """An SDK behind its driver, by itself or as one of a pair. `variables` go into the driver's environment."""

    at_once = 1

    def __init__(self, manifest: Manifest, variables: Mapping[str, str] | None = None, kind: str = SDK) -> None:
        self.name = f"{kind}:{manifest.name}"
        self._kind = kind
        self._manifest = manifest
        self._variables = dict(variables or {})
        self._stub = Stub()
        self._driver: DriverClient | None = None
        self._spoke = False
        self._hopeless = ""

    async def __aenter__(self) -> Self:
        await self._stub.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._drop()
        await self._stub.stop()

    def transports(self) -> tuple[str, ...]:
        """Return over which transports the SDK claims to speak."""
        return self._manifest.transports

    async def capabilities(self, transport: str) -> list[str]:
        """Return what the SDK claims."""
        del transport
        return sorted(self._manifest.capabilities)

    async def outcome(self, planned: Planned, namespace: str, book: Book) -> Json:
        """Play a case; return its status with the reason or the failure.

        Raises:
            Unreachable: the driver does not start.

        """
        case = planned.case
        if setting := next((each for each in case.requires if each in SETTINGS), ""):
            return {"status": SKIPPED, "reason": f"needs an engine with the setting {setting}"}
        if SDK not in case.targets and (why := unspeakable(case)):
            return {"status": SKIPPED, "reason": f"no SDK says that: {why}"}
        if lacking := [each for each in needed(case) if each not in self._manifest.capabilities]:
            return {"status": NOT_IMPLEMENTED, "reason": f"the SDK does not claim {', '.join(lacking)}"}
        verdict = await self._played(planned, namespace)
        if verdict.found is None:
            return {"status": verdict.status, **({"reason": verdict.reason} if verdict.reason else {})}
        return {"status": verdict.status, "failure": self._failure(case, verdict, book, planned.transport)}

    async def _played(self, planned: Planned, namespace: str) -> Verdict:
        try:
            driver = await self._fresh()
            return await play(planned.case, driver, self._stub, planned.transport, namespace)
        except DriverFault as fault:
            words = self._driver.process.stderr.strip()[-SHOWN:] if self._driver else ""
            await self._drop()
            found = Difference(str(fault), "a driver that speaks wf-driver/1", words or None)
            return Verdict("failed", [each.exchange() for each in await self._stub.sent()], "driver", found)

    async def _fresh(self) -> DriverClient:
        """Return a driver that knows nothing, before a stub that knows nothing."""
        await self._stub.reset()  # nobody waits any more, and no fault is left that keeps a worker busy
        if self._driver is not None and not await _forgets(self._driver):
            await self._drop()  # it was broken by another case; this one gets a driver of its own
        if self._driver is None:
            self._driver = await self._started()
        await self._stub.reset()
        return self._driver

    async def _started(self) -> DriverClient:
        """Start a driver. One that could not even say hello the first time is not started for every case again."""
        if self._hopeless:
            raise DriverFault(self._hopeless)
        self._driver = DriverClient(DriverProcess(self._manifest.command, self._manifest.folder, self._variables))
        try:
            await self._driver.start()
        except DriverFault as fault:
            self._hopeless = "" if self._spoke else str(fault)
            raise
        self._spoke = True
        return self._driver

    async def _drop(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            with suppress(DriverFault):
                await driver.end()

    def _failure(self, case: Case, verdict: Verdict, book: Book, transport: str) -> Json:
        command = shlex.join(["cd", str(self._manifest.folder)]) + " && " + shlex.join(self._manifest.command)
        target = shlex.quote(f"{self._kind}:{os.path.relpath(self._manifest.path)}")
        again = f"rochallor-conformance repro {shlex.quote(case.name)} --target {target} --transport {transport}"
        return {**described(case, verdict, book), "command": command, "repro": again}


async def _forgets(driver: DriverClient) -> bool:
    """Have a driver forget everything; return whether it did."""
    try:
        return (await driver.ask("reset", answer_s=RESET_S)).error is None
    except DriverFault:
        return False
