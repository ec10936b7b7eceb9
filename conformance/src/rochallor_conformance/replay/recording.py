"""Plays cases and keeps what was said: the only place where a cassette is made.

What depends on chance or on a moved clock is not recorded, with the reason: races (`parallel`), virtual time, bodies
that are not text. A repeated question (`until`) is one exchange with the last answer, `awaited`.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import msgspec

from rochallor_conformance.cases.model import Case
from rochallor_conformance.contract.operations import Operation
from rochallor_conformance.engine.bench import Bench
from rochallor_conformance.engine.clocks import Clock
from rochallor_conformance.engine.player import NOBODY, play
from rochallor_conformance.engine.targets import SETTINGS
from rochallor_conformance.replay.cassette import Http, Recorded, Take, TakeLine
from rochallor_conformance.transports.exchange import GRPC, REST, Answer, Exchange, Journal, Json, Transport

KEPT_HEADERS = ("allow", "content-type", "etag", "location", "www-authenticate")
"""The answer's headers that the contract speaks of."""
LONGEST = 64 * 1024
UNDECODABLE = "\ufffd"


class LeftOut(Exception):
    """A play is not for a cassette; the sentence says why."""


class RecordingTransport:
    """A transport that also keeps the arguments of each call, which the journal has in REST's pieces only."""

    def __init__(self, inner: Transport, clock: Clock) -> None:
        self.name = inner.name
        self.inner = inner
        self._clock = clock
        self.args: dict[int, Json] = {}

    async def call(self, operation: Operation, args: Json, journal: Journal, *, token: str = "") -> Answer:
        """Carry out one operation."""
        answer = await self.inner.call(operation, args, journal, token=token)
        self.args[answer.exchange.number] = args
        await breathe(self._clock)
        return answer

    async def close(self) -> None:
        """Let go of connections."""
        await self.inner.close()


async def breathe(clock: Clock) -> None:
    """Let a millisecond pass where time stands still: lists are ordered by it."""
    if clock.is_virtual:
        await clock.advance(0.001)


def refuse_unrecordable(case: Case) -> None:
    """Raise `LeftOut` for a case whose exchanges would not come out the same."""
    if "virtual-clock" in case.requires:
        raise LeftOut("it moves a virtual clock, and time is on no tape")
    if any(step.parallel is not None for _, step in case.steps):
        raise LeftOut("it is a race, and who wins is chance")


def setting_of(case: Case) -> str:
    """Return the setting that a case needs its engine to have, "" if none."""
    return next((each for each in case.requires if each in SETTINGS), "")


async def record(case: Case, bench: Bench, namespace: str) -> Take:
    """Play a case and return its take.

    Raises:
        LeftOut: it is not for a cassette.
        Unreachable: the engine does not answer at all.

    """
    refuse_unrecordable(case)
    recorder = RecordingTransport(bench.transport, bench.clock)
    own = copy(bench)  # others play on the same bench meanwhile
    own.transport = recorder
    verdict = await play(case, own, namespace)
    if verdict.status == "not_implemented":
        raise LeftOut(verdict.reason)
    exchanges = [_recorded(each, recorder.args, bench) for each in _once(verdict.exchanges)]
    by_hand = any(each.by_hand for each in exchanges)
    about = TakeLine(
        case=case.name,
        title=case.title,
        area=case.area,
        level=case.level,
        requirements=case.spec,
        transport=recorder.name,
        transports=[recorder.name] if by_hand else case.transports,
        requires=case.requires,
        setting=setting_of(case),
        namespace=namespace,
        verdict=verdict.status,
    )
    return Take(about, [_numbered(each, index) for index, each in enumerate(exchanges, 1)])


def _once(exchanges: list[Exchange]) -> list[Exchange]:
    """Return the exchanges without the vain looks of a question that was repeated."""
    kept: list[Exchange] = []
    for each in exchanges:
        if kept and each.awaited and kept[-1].awaited and (kept[-1].target, kept[-1].wire) == (each.target, each.wire):
            kept.pop()
        kept.append(each)
    return kept


def _recorded(exchange: Exchange, args: dict[int, Json], bench: Bench) -> Recorded:
    if exchange.status is None:
        raise LeftOut("an answer never came")
    if len(exchange.wire) > LONGEST or UNDECODABLE in exchange.wire:
        raise LeftOut("a body is too long for a line of text, or no text")
    sent = dict(exchange.request_headers)
    token = _role(sent.pop("authorization", ""), bench)
    http: Http | None = None
    if exchange.raw and exchange.transport == REST:
        method, _, path = exchange.target.partition(" ")
        http = Http(method, path, {name: str(text) for name, text in sent.items()})
    headers = exchange.response_headers
    return Recorded(
        number=exchange.number,
        transport=exchange.transport,
        operation=exchange.operation,
        request=exchange.request if exchange.raw else args[exchange.number],
        status=exchange.status,
        response=exchange.response,
        http=http,
        rpc=exchange.target if exchange.raw and exchange.transport == GRPC else "",
        token=token,
        awaited=exchange.awaited,
        headers=kept_headers(headers),
    )


def kept_headers(headers: dict[str, Any]) -> dict[str, str]:
    """Return the headers that are recorded and compared."""
    return {name: str(headers[name]) for name in KEPT_HEADERS if name in headers}


def _numbered(exchange: Recorded, number: int) -> Recorded:
    return msgspec.structs.replace(exchange, number=number)


def _role(authorization: str, bench: Bench) -> str:
    """Return whose token was sent, never the token."""
    token = authorization.removeprefix("Bearer ")
    if not token:
        return "none"
    if token == NOBODY:
        return "nobody"
    found = next((role for role, own in bench.address.tokens.items() if own == token), None)
    if found is None:
        raise LeftOut("it sends a credential that must not be written down")
    return found
