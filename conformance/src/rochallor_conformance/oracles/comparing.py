"""Is a live answer the recorded one? Status, shape and values; only ids (bound before) and times may differ.

The recorded side comes in live words. Over the same transport everything must be equal. From one transport to the
other the statuses must mean the same error, and mapping.yaml says which fields only one of them has; what a proto
message cannot tell from its default may be absent. A rule that is too lenient hides a defect: each has a test that it
still notices the next-smaller difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from rochallor_conformance.cases.matchers import ABSENT, Mismatch
from rochallor_conformance.contract.errors import codes_of_grpc, codes_of_http
from rochallor_conformance.contract.shapes import ours
from rochallor_conformance.transports.exchange import REST, Answer

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")
EPOCH_MS = 1e12
"""A number from here on, under a name that ends so, is a moment."""
OK_BELOW = 400
FREE = frozenset({"variables", "metadata", "detail", "outputs", "result"})
"""Fields whose inside is the user's: nothing in there is ever forgiven as a default."""

IN_ITS_OWN_WORDS = frozenset({"FIELD_TYPE", "PARAMETER_INVALID", "ENUM_UNKNOWN"})
"""Details of what a transport itself could not read: REST speaks of JSON and gRPC of fields, both of the same error."""
EXACT_DOUBLE = 2**53
SPANS = (("lockedAt", "lockExpiresAt"),)
"""Times may differ; how long the engine gave from one to the other was asked for, and may not."""
SPAN_SLACK_S = 0.1


class Said(NamedTuple):
    """An answer as it is compared: from a cassette or from an engine."""

    transport: str
    status: int | str
    body: Any
    headers: dict[str, str]

    @property
    def is_ok(self) -> bool:
        """Whether it was done."""
        return self.status == "OK" if isinstance(self.status, str) else self.status < OK_BELOW

    @property
    def codes(self) -> frozenset[str]:
        """The error codes that it may mean."""
        body = self.body if isinstance(self.body, dict) else {}
        if self.transport == REST:
            assert isinstance(self.status, int)
            return codes_of_http(self.status, body.get("error"))
        return codes_of_grpc(str(self.status), body.get("reason"))


def said_of(answer: Answer, headers: dict[str, str]) -> Said:
    """Return a live answer as it is compared."""
    assert answer.exchange.status is not None
    return Said(answer.exchange.transport, answer.exchange.status, answer.exchange.response, headers)


def differences(recorded: Said, live: Said, said: Any, *, base_only: bool = False) -> Iterator[Mismatch]:
    """Yield what differs; `said(text)` tells whether a text was part of a request.

    From one transport to the other, REST's side comes without what only REST has (`mapped.sayable`). A live engine
    that speaks only the base contract may lack the fields that are ours.
    """
    across = recorded.transport != live.transport
    rules = _Rules(said, across, ours() if base_only else frozenset())
    if recorded.is_ok != live.is_ok or (not across and recorded.status != live.status):
        yield Mismatch("status", _word(recorded), _word(live))
        return
    if not across:
        yield from _compared(recorded.headers, live.headers, "headers", rules)
        yield from _compared(recorded.body, live.body, "", rules)
    elif recorded.is_ok:
        yield from _compared(recorded.body, live.body, "", rules)
    else:
        if not recorded.codes & live.codes:
            yield Mismatch("error", sorted(recorded.codes), sorted(live.codes))
        if not (_detail_codes(recorded.body) | _detail_codes(live.body)) & IN_ITS_OWN_WORDS:
            yield from _compared(_refusal(recorded.body), _refusal(live.body), "", rules)


class _Rules(NamedTuple):
    """What may differ: texts that were `said` may not, `across` transports defaults may, and `lost` may be missing."""

    said: Any
    across: bool
    lost: frozenset[str]
    inside: bool = False


def _compared(recorded: Any, live: Any, pointer: str, rules: _Rules) -> Iterator[Mismatch]:
    if isinstance(recorded, dict) and isinstance(live, dict):
        for first, last in SPANS:
            one, other = _span_s(recorded, first, last), _span_s(live, first, last)
            if one is not None and other is not None and abs(one - other) > SPAN_SLACK_S:
                yield Mismatch(f"{pointer}/{last}", f"{one:g} s after {first}", f"{other:g} s after {first}")
        for name in [*recorded, *(name for name in live if name not in recorded)]:
            one, other = recorded.get(name, ABSENT), live.get(name, ABSENT)
            if ABSENT not in (one, other) or not _is_forgiven(name, other if one is ABSENT else one, rules):
                inner = rules._replace(inside=rules.inside or name in FREE)
                yield from _compared(one, other, f"{pointer}/{name}", inner)
    elif isinstance(recorded, list) and isinstance(live, list) and len(recorded) == len(live):
        for index, (one, other) in enumerate(zip(recorded, live, strict=True)):
            yield from _compared(one, other, f"{pointer}/{index}", rules)
    elif not _same(recorded, live, pointer, rules):
        yield Mismatch(pointer or "/", recorded, live)


def _span_s(body: Any, first: str, last: str) -> float | None:
    try:
        return (datetime.fromisoformat(body[last]) - datetime.fromisoformat(body[first])).total_seconds()
    except (KeyError, TypeError, ValueError):
        return None


def _same(recorded: Any, live: Any, pointer: str, rules: _Rules) -> bool:
    if isinstance(recorded, bool) or isinstance(live, bool):
        return recorded is live
    if isinstance(recorded, str) and isinstance(live, str):
        return recorded == live or _timeless(recorded, rules) == _timeless(live, rules)
    if isinstance(recorded, int | float) and isinstance(live, int | float):
        if pointer.endswith(("_ms", "Ms")) and min(recorded, live) >= EPOCH_MS:
            return True
        if rules.across:  # a Struct has doubles only
            return recorded == live or (abs(recorded) >= EXACT_DOUBLE and float(recorded) == float(live))
        return recorded == live and type(recorded) is type(live)
    return bool(recorded == live) and type(recorded) is type(live)


def _timeless(text: str, rules: _Rules) -> str:
    def shown(found: re.Match[str]) -> str:
        if not rules.said(found[0]):
            return "<time>"
        return _moment(found[0]) if rules.across else found[0]

    return TIME.sub(shown, text)


def _moment(text: str) -> str:
    """Return one spelling of a time: gRPC leaves out a fraction that is nothing."""
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        return text


def _is_forgiven(name: str, value: Any, rules: _Rules) -> bool:
    """Whether a field that one side lacks is no difference."""
    if rules.inside:
        return False
    return name in rules.lost or (rules.across and (value in ("", [], {}) or value is None or value == 0))


def _detail_codes(body: Any) -> set[str]:
    details = body.get("details") if isinstance(body, dict) else None
    return {str(each.get("code")) for each in details or [] if isinstance(each, dict)}


def _refusal(body: Any) -> Any:
    """Return what both transports say of a refusal; on gRPC `reason` is the code and not the sentence."""
    if not isinstance(body, dict):
        return body
    return {"message": body.get("message"), "details": body.get("details") or []}


def _word(said: Said) -> Any:
    body = said.body if isinstance(said.body, dict) else {}
    return f"{said.status} {body.get('message', '')}".strip()
