"""The stub engine that an SDK is judged against: its process, its control calls, and the harness's own way in."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from rochallor_conformance.contract.operations import operations
from rochallor_conformance.engine.processes import Process
from rochallor_conformance.sdk.wire import HARNESS_HEADER, Sent, sent_by_sdk
from rochallor_conformance.transports.exchange import REST, Answer, Journal, Json
from rochallor_conformance.transports.rest import TIMEOUT_S, RestTransport


class Stub:
    """A stub in a process of its own."""

    def __init__(self) -> None:
        self._process = Process.stub()
        self._addresses: dict[str, str] = {}

    async def start(self) -> None:
        """Start it.

        Raises:
            Unreachable: it does not start; is rochallor-stub installed?

        """
        self._addresses = await self._process.start()
        self._control = httpx.AsyncClient(base_url=self._addresses["rest"], timeout=TIMEOUT_S, trust_env=False)
        self._rest = RestTransport(self._addresses["rest"], headers={HARNESS_HEADER: "1"})

    async def stop(self) -> None:
        """End it."""
        if self._addresses:
            await self._rest.close()
            await self._control.aclose()
        await self._process.stop()

    def address(self, transport: str) -> str:
        """Return what an SDK is to connect to."""
        return self._addresses["rest" if transport == REST else "grpc"]

    async def call(self, operation: str, args: Json, journal: Journal) -> Answer:
        """Carry out an operation as the harness; the SDK's requests are told from it by a header."""
        return await self._rest.call(operations()[operation], args, journal)

    async def reset(self) -> None:
        """Begin again: empty store, first moment, no faults, empty journal."""
        await self._do("reset", {})

    async def plant(self, fault: Json) -> None:
        """Plant a fault."""
        await self._do("faults", fault)

    async def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        await self._do("advance", {"seconds": seconds})

    async def expire_lease(self, job_id: str) -> None:
        """Let the lease of a job run out."""
        await self._do("expire-lease", {"jobId": job_id})

    async def sent(self) -> list[Sent]:
        """Return what the SDK has sent since the last reset."""
        response = await self._control.get("/__stub/journal")
        response.raise_for_status()
        return sent_by_sdk([msgspec.json.decode(line) for line in response.content.splitlines()])

    async def _do(self, call: str, body: Any) -> None:
        response = await self._control.post(f"/__stub/{call}", json=body)
        if response.is_error:
            raise ValueError(f"the stub refuses {call} {body}: {response.text}")
