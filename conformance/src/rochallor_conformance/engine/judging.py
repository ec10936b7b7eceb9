"""One step's answer against what the step expects: the first difference, as a sentence with both sides."""

from __future__ import annotations

from typing import Any

import msgspec

from rochallor_conformance.cases.matchers import mismatches
from rochallor_conformance.cases.model import Expected, Step
from rochallor_conformance.contract.errors import codes
from rochallor_conformance.transports.exchange import Answer
from rochallor_conformance.verdict import Difference


def difference(step: Step, answer: Answer) -> Difference | None:
    """Return how an answer differs from what a step expects, None if it does not.

    The step's matchers must have their bound values put in.
    """
    if step.status is not None and answer.exchange.status != step.status:
        said = f"answered {answer.exchange.status}, not {step.status}: {answer.message}"
        return Difference(said, step.status, answer.exchange.status)
    if step.headers and (found := _first(step.headers, answer.exchange.response_headers, "header")):
        return found
    if step.error is not None:
        return _refusal(step.error, answer)
    if not answer.is_ok and step.status is None:
        said = f"was refused with {answer.outcome}: {answer.message}"
        return Difference(said, "success", _told(answer))
    return _first(step.body, answer.body, "body") if step.body is not msgspec.UNSET else None


def _refusal(expected: Expected, answer: Answer) -> Difference | None:
    if expected.code not in codes():
        raise ValueError(f"errors.yaml has no code {expected.code!r}")
    if answer.is_ok:
        return Difference(f"succeeded and should be refused with {expected.code}", expected.code, answer.body)
    if expected.code not in answer.codes:
        said = f"was refused with {answer.outcome}, not {expected.code}: {answer.message}"
        return Difference(said, expected.code, _told(answer))
    if expected.message is not msgspec.UNSET and (found := _first(expected.message, answer.message, "message")):
        return found
    return _first(expected.details, answer.details, "details") if expected.details is not msgspec.UNSET else None


def _first(expected: Any, actual: Any, part: str) -> Difference | None:
    found = next(mismatches(expected, actual), None)
    return None if found is None else Difference(f"{part} {found}", found.expected, found.actual)


def _told(answer: Answer) -> Any:
    return {"status": answer.exchange.status, "message": answer.message, "details": answer.details}
