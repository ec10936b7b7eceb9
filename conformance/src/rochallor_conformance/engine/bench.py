"""Where cases are played: one engine over one transport, with its clock, its tokens and what it can do."""

from __future__ import annotations

import httpx

from rochallor_conformance.contract.operations import operations
from rochallor_conformance.engine.clocks import Clock, RealClock, StubClock
from rochallor_conformance.transports.exchange import REST, Journal, Transport, Unreachable
from rochallor_conformance.transports.grpc import GrpcTransport
from rochallor_conformance.transports.rest import TIMEOUT_S, RestTransport, tls
from rochallor_conformance.verdict import Address

ADDITIONS, VIRTUAL_CLOCK = "additions", "virtual-clock"
PROBE = ("listUserTasks", {"pageSize": 1})
"""An addition that needs nothing to be there: however a router says that it has no such route, it is a refusal."""
NO_ROUTE = (404, 405, "NOT_FOUND", "UNIMPLEMENTED")


class Bench:
    """An engine over one transport, with the other at hand. `capabilities` is filled by `look`."""

    def __init__(self, address: Address, transport: str, settings: frozenset[str] = frozenset()) -> None:
        self.address = address
        self.rest = RestTransport(address.rest) if address.rest else None
        self.grpc = GrpcTransport(address.grpc) if address.grpc else None
        chosen = self.rest if transport == REST else self.grpc
        if chosen is None:
            raise Unreachable(f"the target has no {transport} address; name it: engine:URL,grpc=HOST:PORT")
        self.transport: Transport = chosen
        self._control = _control(address.control) if address.control else None
        self.clock: Clock = StubClock(self._control) if self._control else RealClock()
        self.settings = settings
        self.capabilities: frozenset[str] = frozenset()

    async def look(self) -> None:
        """Find out what the engine can do.

        Raises:
            Unreachable: it does not answer.

        """
        name, args = PROBE
        journal = Journal()
        token = self.address.tokens.get("admin", "")
        answer = await self.transport.call(operations()[name], dict(args), journal, token=token)
        found = set(self.settings)
        if answer.exchange.status not in NO_ROUTE:
            found.add(ADDITIONS)
        if self._control:
            found.add(VIRTUAL_CLOCK)
        self.capabilities = frozenset(found)

    async def fresh(self) -> None:
        """Begin again where that is possible: a stub forgets everything."""
        if self._control:
            (await self._control.post("/__stub/reset", json={})).raise_for_status()

    async def close(self) -> None:
        """Let go of connections."""
        for each in (self.rest, self.grpc):
            if each:
                await each.close()
        if self._control:
            await self._control.aclose()


def _control(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, verify=tls(), trust_env=False)
