"""Variables that do not fit a handler's model: the failure names the place and never the value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import msgspec
import pytest
from workflow_sdk.handler.context import JobContext
from workflow_sdk.handler.invoke import invoke_sync
from workflow_sdk.handler.outcome import Failed
from workflow_sdk.handler.registry import HandlerRegistry

if TYPE_CHECKING:
    import pydantic
else:
    pydantic = pytest.importorskip("pydantic")

SECRET = "4111-1111"


class Kind(Enum):
    ONE = "one"


@dataclass
class Part:
    amount: int

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError(f"{SECRET} is negative")


@dataclass
class Loan:
    part: Part | None = None
    parts: list[Part] = field(default_factory=list)
    by_name: dict[str, Part] = field(default_factory=dict)
    kind: Kind = Kind.ONE
    word: Literal["a", "b"] = "a"
    day: date | None = None
    price: Decimal | None = None
    name: str = ""


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    amount: int = 0


class PydanticPart(pydantic.BaseModel):
    amount: int

    @pydantic.field_validator("amount")
    @classmethod
    def positive(cls, value: int) -> int:
        if value < 0:
            raise ValueError(f"{SECRET} is negative")
        if value == 0:
            raise pydantic_core.PydanticCustomError("zero", f"{SECRET} is zero")
        return value


class PydanticLoan(pydantic.BaseModel):
    part: PydanticPart | None = None
    parts: list[PydanticPart] = []  # noqa: RUF012 - pydantic copies it
    kind: Kind = Kind.ONE
    day: date | None = None
    ident: UUID | None = None


import pydantic_core  # noqa: E402 - comes with pydantic, which may be missing

CASES: list[tuple[type, dict[str, Any], list[tuple[str, str]]]] = [
    (Part, {}, [("/amount", "is missing")]),
    (Part, {"amount": SECRET}, [("/amount", "expected int, got str")]),
    (Loan, {"part": {}}, [("/part/amount", "is missing")]),
    (Loan, {"part": {"amount": -1}}, [("/part", "is refused by a check of the type itself")]),
    (Loan, {"parts": [{"amount": 1}, {"amount": SECRET}]}, [("/parts/1/amount", "expected int, got str")]),
    (Loan, {"by_name": {SECRET: {"amount": "x"}}}, [("/by_name/.../amount", "expected int, got str")]),
    (Loan, {"kind": SECRET}, [("/kind", "is none of the allowed values")]),
    (Loan, {"kind": f"{SECRET} - at `$.{SECRET}`"}, [("/kind", "is none of the allowed values")]),
    (Loan, {"word": SECRET}, [("/word", "is none of the allowed values")]),
    (Loan, {"day": SECRET}, [("/day", "invalid RFC3339 encoded date")]),
    (Loan, {"price": SECRET}, [("/price", "invalid decimal string")]),
    (Loan, {"name": 5}, [("/name", "expected str, got int")]),
    (Closed, {"other": SECRET}, [("/other", "is not a field")]),
    (PydanticPart, {}, [("/amount", "field required")]),
    (PydanticLoan, {"parts": [{"amount": -1}]}, [("/parts/0/amount", "is refused by a check of the type itself")]),
    (PydanticLoan, {"parts": [{"amount": 0}]}, [("/parts/0/amount", "is refused by a check of the type itself")]),
    (PydanticLoan, {"kind": SECRET}, [("/kind", "input should be 'one'")]),
    (PydanticLoan, {"ident": SECRET}, [("/ident", "is not valid (uuid_parsing)")]),
    (
        PydanticLoan,
        {"part": {"amount": SECRET}, "parts": [{}]},
        [
            ("/part/amount", "input should be a valid integer, unable to parse string as an integer"),
            ("/parts/0/amount", "field required"),
        ],
    ),
]


def _handler_for(kind: type) -> Callable[..., None]:
    def handler(value: object) -> None: ...

    handler.__annotations__["value"] = kind
    return handler


def _refused(kind: type, variables: dict[str, Any]) -> Failed:
    registry = HandlerRegistry()
    registry.register("greet", _handler_for(kind))
    registration = registry.find("greet")
    assert registration is not None
    outcome = invoke_sync(registration, JobContext({"id": "1", "jobType": "greet", "variables": variables}))
    assert isinstance(outcome, Failed)
    return outcome


@pytest.mark.parametrize(("kind", "variables", "problems"), CASES, ids=[str(each[:2])[:60] for each in CASES])
def test_the_failure_names_the_place_and_never_the_value(
    kind: type, variables: dict[str, Any], problems: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    """It is not retryable, says field and path, and neither the message, its details nor the log hold the value."""
    outcome = _refused(kind, variables)
    assert (outcome.retryable, outcome.code) == (False, "invalid-input")
    details: Any = outcome.details
    assert [(each["pointer"], each["message"]) for each in details] == problems
    assert all(f"{pointer}: {message}" in outcome.message for pointer, message in problems)
    assert SECRET not in f"{outcome} {caplog.text}"


def test_a_long_list_of_problems_is_cut_in_the_sentence_only() -> None:
    """A failure reason stays readable; the details have everything."""
    outcome = _refused(PydanticLoan, {"parts": [{}] * 50})
    details: Any = outcome.details
    assert (len(details), outcome.message.count("field required")) == (50, 10)
