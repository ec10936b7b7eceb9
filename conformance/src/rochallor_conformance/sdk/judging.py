"""One answer of a driver against what a step expects: the first difference, as a sentence with both sides."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from rochallor_proto import contract

from rochallor_conformance.cases.matchers import ABSENT, mismatches
from rochallor_conformance.cases.model import Expected, Step
from rochallor_conformance.sdk.client import Told
from rochallor_conformance.verdict import Difference

UNSET = msgspec.UNSET
ANY = "any"
"""The kind of a refusal whose name does not matter."""


def difference(step: Step, told: Told) -> Difference | None:
    """Return how a driver's answer differs from what a step expects, None if it does not."""
    if step.error is not None:
        return _refusal(step.error, told)
    if told.error is not None:
        return Difference(f"failed with {told.kind}: {told.error['message']}", "success", told.error)
    return differs(step.body, told.result, "body") if step.body is not UNSET else None


def differs(expected: Any, actual: Any, part: str) -> Difference | None:
    """Return the first difference of two values."""
    found = next(mismatches(expected, actual), None)
    return None if found is None else Difference(f"{part} {found}", found.expected, found.actual)


def kinds_of(expected: Expected) -> frozenset[str]:
    """Return what an SDK may call a refusal: the code itself, or what kind of error it is."""
    if not expected.code:
        return frozenset({expected.kind})
    kinds = {row["kind"] for row in contract("errors")["errors"] if row["code"] == expected.code}
    return frozenset({expected.code, *kinds})


def _refusal(expected: Expected, told: Told) -> Difference | None:
    wanted = " or ".join(sorted(kinds_of(expected)))
    if told.error is None:
        return Difference(f"succeeded and should fail with {wanted}", wanted, told.result)
    if expected.kind != ANY and told.kind not in kinds_of(expected):
        said = f"failed with {told.kind}, not {wanted}: {told.error['message']}"
        return Difference(said, wanted, told.error)
    for part, name in (("message", "message"), ("details", "details"), ("retry_after_ms", "retryAfterMs")):
        matcher = getattr(expected, part)
        if matcher is not UNSET and (found := differs(matcher, told.error.get(name, ABSENT), name)):
            return found
    return None


def shown(value: Any) -> str:
    """Return a value as a line of a report."""
    return json.dumps(value, ensure_ascii=False, default=repr)
