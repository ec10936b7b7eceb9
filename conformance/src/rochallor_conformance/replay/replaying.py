"""Sends a take again, to a live engine and over either transport, and says where the answers differ.

Every exchange is sent in order; the first that differs ends the take, because what follows would stand on it. A
question that was repeated when it was recorded is repeated here until the answers agree.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from rochallor_conformance.cases.matchers import Mismatch
from rochallor_conformance.contract.operations import operations
from rochallor_conformance.engine.bench import ADDITIONS, Bench
from rochallor_conformance.engine.player import NOBODY
from rochallor_conformance.oracles.comparing import Said, differences, said_of
from rochallor_conformance.oracles.mapped import sayable
from rochallor_conformance.replay.binding import Bindings
from rochallor_conformance.replay.cassette import Recorded, Take
from rochallor_conformance.replay.recording import breathe, kept_headers
from rochallor_conformance.transports.exchange import Answer, Exchange, Journal

PATIENCE_MS = 10_000
LISTED = 3


class Outcome(msgspec.Struct, frozen=True):
    """How a take ended: `found` is empty when every answer was the recorded one. `at` is the exchange that differs.

    `slowest_ms` is how long the slowest answer took on the target's clock.
    """

    exchanges: list[Exchange]
    slowest_ms: float
    at: Recorded | None = None
    found: list[Mismatch] = []

    @property
    def message(self) -> str:
        """The differences in a sentence."""
        assert self.at is not None
        more = f"; and {len(self.found) - LISTED} more" if len(self.found) > LISTED else ""
        what = self.at.operation or (f"{self.at.http.method} {self.at.http.path}" if self.at.http else self.at.rpc)
        return f"{what} {'; '.join(map(str, self.found[:LISTED]))}{more}"


def why_not(take: Take, bench: Bench) -> str:
    """Return why a take cannot be sent to a bench, "" if it can."""
    if bench.transport.name not in take.about.transports:
        return f"is about {' and '.join(take.about.transports)} only"
    if ADDITIONS in take.about.requires and ADDITIONS not in bench.capabilities:
        return "the engine speaks the base contract only"
    lacking = {take.about.setting} - {""} - bench.capabilities
    return f"needs an engine with the setting {take.about.setting}" if lacking else ""


async def replay(take: Take, bench: Bench, namespace: str) -> Outcome:
    """Send a take again; `namespace` makes its names unique.

    Raises:
        Inexpressible: an exchange cannot be said over this transport.
        Unreachable: the engine does not answer at all.

    """
    bindings, journal = Bindings(take.about.namespace, namespace), Journal()
    slowest_ms = 0.0
    for recorded in take.exchanges:
        began_ms = bench.clock.now_ms()
        found = await _again(recorded, bench, bindings, journal)
        slowest_ms = max(slowest_ms, bench.clock.now_ms() - began_ms)
        if found:
            return Outcome(journal.exchanges, slowest_ms, recorded, found)
        await breathe(bench.clock)
    return Outcome(journal.exchanges, slowest_ms)


async def _again(recorded: Recorded, bench: Bench, bindings: Bindings, journal: Journal) -> list[Mismatch]:
    deadline = bench.clock.now_ms() + PATIENCE_MS
    best: list[Mismatch] | None = None
    base_only = ADDITIONS not in bench.capabilities
    while True:
        answer = await _send(recorded, bench, bindings, journal)
        live = said_of(answer, kept_headers(answer.exchange.response_headers))
        wanted = Said(recorded.transport, recorded.status, recorded.response, recorded.headers)
        if wanted.transport != live.transport and wanted.is_ok and live.is_ok:
            operation = operations()[recorded.operation]
            wanted, live = (each._replace(body=sayable(each.body, operation)) for each in (wanted, live))
        trial = bindings.copy()
        if wanted.is_ok and live.is_ok:
            trial.bind(wanted.body, live.body)
        in_live_words = wanted._replace(body=trial.live(wanted.body), headers=trial.live(wanted.headers))
        found = list(differences(in_live_words, live, bindings.was_said, base_only=base_only))
        if not found:
            bindings.take_over(trial)
            return []
        best = found if best is None or len(found) < len(best) else best
        if not recorded.awaited or bench.clock.now_ms() >= deadline:
            return best
        await bench.clock.look_again()


async def _send(recorded: Recorded, bench: Bench, bindings: Bindings, journal: Journal) -> Answer:
    token = _token(recorded.token, bench)
    request = bindings.live(recorded.request)
    bindings.say(request)
    if recorded.rpc:
        assert bench.grpc is not None
        return await bench.grpc.raw(recorded.rpc, request, journal, token=token)
    if recorded.http is not None:
        assert bench.rest is not None
        http = recorded.http
        path, headers = bindings.live(http.path), dict(bindings.live(http.headers))
        bindings.say([path, headers])
        if token:
            headers["authorization"] = f"Bearer {token}"
        content = request.encode() if isinstance(request, str) else _encoded(request)
        return await bench.rest.raw(http.method, path, headers, content, journal)
    return await bench.transport.call(operations()[recorded.operation], request, journal, token=token)


def _encoded(request: Any) -> bytes | None:
    return None if request is None else json.dumps(request).encode()


def _token(role: str, bench: Bench) -> str:
    if role in ("none", ""):
        return ""
    return NOBODY if role == "nobody" else bench.address.tokens.get(role, "")
