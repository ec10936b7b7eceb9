# Long because: one handler of every shape, and what each of them gets.
"""Which parameter gets what: by annotation, decided at registration."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, NewType, TypedDict

import msgspec
import pytest
from workflow_sdk.handler.context import JobContext
from workflow_sdk.handler.invoke import invoke_sync
from workflow_sdk.handler.outcome import Completed, Outcome
from workflow_sdk.handler.registry import Handler, HandlerRegistry

if TYPE_CHECKING:
    from fractions import Fraction as NotThere

    import pydantic

    from .conftest import InAFreshPython
else:
    pydantic = pytest.importorskip("pydantic")


class Purpose(Enum):
    CAR = "car"
    HOUSE = "house"


@dataclass
class Loan:
    amount: int
    purpose: Purpose = Purpose.CAR
    tags: list[str] = field(default_factory=list)


class LoanDict(TypedDict):
    amount: int


class LoanStruct(msgspec.Struct, rename="camel"):
    amount: int
    due_on: date | None = None


class LoanModel(pydantic.BaseModel):
    amount: int


class Approve(msgspec.Struct, tag="approve"):
    amount: int


class Reject(msgspec.Struct, tag="reject"):
    reason: str


class JobDict(TypedDict):
    id: str
    jobType: str
    variables: dict[str, Any]


JobAlias = NewType("JobAlias", dict)  # type: ignore[type-arg]  # as people write it

Shown = dict[str, Any]
"""What the handlers return: see `shown`."""


def run(handler: Handler, **variables: Any) -> Outcome:
    """What the handler, registered and invoked, gives for these variables."""
    registry = HandlerRegistry()
    registry.register("greet", handler)
    registration = registry.find("greet")
    assert registration is not None
    return invoke_sync(registration, JobContext({"id": "1", "jobType": "greet", "variables": variables}))


def shown(*arguments: Any, **named: Any) -> Shown:
    """Return the arguments as a handler may: the types' names and the values."""
    return {"seen": [type(each).__name__ for each in (*arguments, *named.values())]}


def bare(ctx):  # type: ignore[no-untyped-def]  # as people write it
    return shown(ctx)


def as_context(ctx: JobContext) -> Shown:
    return shown(ctx)


def as_dict(anything: dict[str, Any]) -> Shown:
    return shown(anything)


def as_mapping(anything: Mapping[str, Any]) -> Shown:
    return shown(anything)


def as_any(anything: Any) -> Shown:
    return shown(anything)


def as_alias(anything: JobAlias) -> Shown:
    return shown(anything)


def as_job_dict(job: JobDict) -> Shown:
    return shown(job)


def as_hidden_dict(ctx: dict[str, NotThere]) -> Shown:
    return shown(ctx)


def defaulted(ctx, retries=3):  # type: ignore[no-untyped-def]  # as people write it
    return shown(ctx, retries)


def defaulted_first(ctx=None):  # type: ignore[no-untyped-def]  # as people write it
    return shown(ctx)


def variadic(*args, **kwargs):  # type: ignore[no-untyped-def]  # as people write it
    return shown(*args, **kwargs)


def model(loan: Loan) -> Shown:
    return shown(loan)


def typed_dict(loan: LoanDict) -> Shown:
    return shown(loan)


def struct(loan: LoanStruct) -> Shown:
    return shown(loan)


def pydantic_model(loan: LoanModel) -> Shown:
    return shown(loan)


def both(loan: Loan, ctx: JobContext) -> Shown:
    return shown(loan, ctx)


def ctx_without_annotation(ctx, loan: Loan):  # type: ignore[no-untyped-def]  # as people write it
    return shown(ctx, loan)


def by_name_only(*, loan: Loan, ctx: JobContext) -> Shown:
    return shown(loan, ctx)


def positions_only(ctx: JobContext, loan: Loan, /) -> Shown:
    return shown(ctx, loan)


def skips_a_default(ctx, retries=3, *, loan: Loan):  # type: ignore[no-untyped-def]  # as people write it
    return shown(ctx, retries, loan)


def annotated(loan: Annotated[Loan, "the application"]) -> Shown:
    return shown(loan)


def nothing() -> Shown:
    return shown()


def several(decision: Approve | Reject) -> Shown:
    return shown(decision)


class Service:
    def method(self, loan: Loan) -> Shown:
        return shown(loan)

    def __call__(self, loan: Loan) -> Shown:
        return shown(loan)

    @staticmethod
    def static(loan: Loan) -> Shown:
        return shown(loan)

    @classmethod
    def of_class(cls, loan: Loan) -> Shown:
        return shown(loan)


def with_rate(loan: Loan, rate: float) -> Shown:
    return shown(loan, rate)


def decorated(function: Handler) -> Handler:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def adding_a_database(function: Handler) -> Handler:
    @functools.wraps(function)
    def wrapper(ctx: JobContext) -> Any:
        return function(ctx, "database")

    return wrapper


FILLED: list[tuple[Handler, list[str]]] = [
    (bare, ["JobContext"]),
    (as_context, ["JobContext"]),
    (as_dict, ["JobContext"]),
    (as_mapping, ["JobContext"]),
    (as_any, ["JobContext"]),
    (as_alias, ["JobContext"]),
    (as_job_dict, ["JobContext"]),
    (as_hidden_dict, ["JobContext"]),
    (defaulted, ["JobContext", "int"]),
    (defaulted_first, ["JobContext"]),
    (variadic, ["JobContext"]),
    (model, ["Loan"]),
    (typed_dict, ["dict"]),
    (struct, ["LoanStruct"]),
    (pydantic_model, ["LoanModel"]),
    (both, ["Loan", "JobContext"]),
    (ctx_without_annotation, ["JobContext", "Loan"]),
    (by_name_only, ["Loan", "JobContext"]),
    (positions_only, ["JobContext", "Loan"]),
    (skips_a_default, ["JobContext", "int", "Loan"]),
    (annotated, ["Loan"]),
    (nothing, []),
    (Service().method, ["Loan"]),
    (Service(), ["Loan"]),
    (Service.static, ["Loan"]),
    (Service.of_class, ["Loan"]),
    (functools.partial(with_rate, rate=0.5), ["Loan", "float"]),
    (functools.partial(Service().method), ["Loan"]),
    (decorated(model), ["Loan"]),
    (adding_a_database(shown), ["JobContext", "str"]),
]


@pytest.mark.parametrize(
    ("handler", "types"), FILLED, ids=[getattr(each[0], "__name__", str(each[0])[:30]) for each in FILLED]
)
def test_parameters_are_filled_by_annotation(handler: Handler, types: list[str]) -> None:
    """Each parameter gets what its annotation asks for, whatever it is called."""
    assert run(handler, amount=5) == Completed({"seen": types})


def test_types_of_a_running_function_are_found() -> None:
    """Models and handlers may be defined inside a function, as in a test, with annotations that are text."""

    @dataclass
    class Local:
        amount: int

    def handler(loan: Local) -> dict[str, Any]:
        return {"doubled": loan.amount * 2}

    assert run(handler, amount=4) == Completed({"doubled": 8})


def test_a_caller_with_a_type_of_the_same_name_is_not_asked() -> None:
    """Only what encloses the handler counts, not whoever happens to register it."""
    Loan = LoanStruct  # noqa: F841, N806  # pyright: ignore[reportUnusedVariable] - the trap
    assert run(model, amount=5) == Completed({"seen": ["Loan"]})


def test_values_are_converted_from_json() -> None:
    """Dates, enums and nested lists arrive as their types; unknown variables do not matter."""

    def handler(loan: Loan, struct: LoanStruct) -> dict[str, Any]:
        assert struct.due_on is not None
        return {"purpose": loan.purpose.name, "year": struct.due_on.year, "tags": loan.tags}

    outcome = run(handler, amount=1, purpose="house", dueOn="2030-02-03", tags=["a"], other=None)
    assert outcome == Completed({"purpose": "HOUSE", "year": 2030, "tags": ["a"]})


def test_a_union_is_told_apart_by_its_tag() -> None:
    """A union of tagged structs gives the one that the variables are."""
    assert run(several, type="reject", reason="x") == Completed({"seen": ["Reject"]})


@pytest.mark.parametrize(("variables", "expected"), [({}, {"was": "NoneType"}), ({"amount": 5}, {"was": "Loan"})])
def test_an_optional_model_is_none_without_variables(variables: dict[str, Any], expected: dict[str, Any]) -> None:
    """`Loan | None` is None when the job has no variables, and the model when it has."""

    def handler(loan: Loan | None) -> dict[str, Any]:
        return {"was": type(loan).__name__}

    assert run(handler, **variables) == Completed(expected)


def test_a_default_stands_in_without_variables() -> None:
    """A model with a default is not decoded from nothing."""
    fallback = Loan(7)

    def handler(loan: Loan = fallback) -> dict[str, Any]:
        return {"amount": loan.amount}

    assert (run(handler), run(handler, amount=1)) == (Completed({"amount": 7}), Completed({"amount": 1}))


def _scalar(amount: int) -> None: ...
def _two_bare(ctx, database): ...  # type: ignore[no-untyped-def]  # as people write it
def _hidden(loan: NotThere) -> None: ...
def _scalar_result(_: JobContext) -> bool:
    return True


def _list_result(_: JobContext) -> list[str]:
    return []


def _union_of_pydantic(loan: LoanModel | Loan) -> None: ...
def _ambiguous(loan: Loan | LoanDict) -> None: ...


class Strange:
    pass


@dataclass
class Holds:
    strange: dict[str, Strange]


@dataclass
class Outer:
    inner: list[Holds]


def _strange(value: Holds) -> None: ...
def _deep_strange(value: Outer) -> None: ...
def _class(value: Strange) -> None: ...


REFUSED: list[tuple[Handler, str]] = [
    (_scalar, "'amount' is annotated int, which a job does not have. Annotate it JobContext"),
    (_two_bare, "'database' has no annotation"),
    (_hidden, "'NotThere' cannot be found when the program runs"),
    (_scalar_result, "returns bool; return a dict"),
    (_list_result, "returns list"),
    (_union_of_pydantic, "RootModel"),
    (_ambiguous, "'loan' cannot be decoded"),
    (_strange, "Holds.strange is a Strange, which JSON cannot fill"),
    (_deep_strange, "Holds.strange is a Strange"),
    (_class, "is annotated Strange, which a job does not have"),
]


@pytest.mark.parametrize(("handler", "sentence"), REFUSED, ids=[each[0].__name__ for each in REFUSED])
def test_what_a_job_does_not_have_is_refused_at_registration(handler: Handler, sentence: str) -> None:
    """A slip in an annotation shows when the worker starts, with a sentence that says what to write."""
    registry = HandlerRegistry()
    with pytest.raises(TypeError, match="the handler for 'greet'") as refused:
        registry.register("greet", handler)
    assert (sentence in str(refused.value), registry.job_types()) == (True, [])


def test_a_nested_type_that_cannot_be_found_is_refused() -> None:
    """A model whose field names a type of a function is refused with the way out."""

    @dataclass
    class Part:
        amount: int

    @dataclass
    class Whole:
        part: Part

    def handler(whole: Whole) -> None: ...

    with pytest.raises(TypeError, match=r"names the type 'Part'.*top level"):
        HandlerRegistry().register("greet", handler)


RESULTS: list[tuple[object, dict[str, Any] | None]] = [
    (Loan(5, Purpose.HOUSE), {"amount": 5, "purpose": "house", "tags": []}),
    (LoanStruct(5, date(2030, 2, 3)), {"amount": 5, "dueOn": "2030-02-03"}),
    (LoanModel(amount=5), {"amount": 5}),
    (
        {"loan": Loan(5), "model": LoanModel(amount=1)},
        {"loan": {"amount": 5, "purpose": "car", "tags": []}, "model": {"amount": 1}},
    ),
    ({"price": Decimal("1.10")}, {"price": "1.10"}),
    (JobContext({"id": "1"})["variables"], {}),
    (None, None),
]


@pytest.mark.parametrize(("result", "variables"), RESULTS, ids=lambda each: type(each).__name__)
def test_results_become_variables(result: object, variables: dict[str, Any] | None) -> None:
    """Models that a handler returns, alone or inside a dict, are sent as JSON."""

    def handler(_: JobContext) -> Any:
        return result

    assert run(handler) == Completed(variables)


def test_what_cannot_be_encoded_is_left_for_the_sender() -> None:
    """A dict with something that is no JSON is passed on as it is: the client says where, and a mock takes it."""
    strange = Strange()

    def handler(_: JobContext) -> dict[str, Any]:
        return {"x": strange}

    assert run(handler) == Completed({"x": strange})


def test_pydantic_is_not_imported_for_handlers_without_it(in_a_fresh_python: InAFreshPython) -> None:
    """Registering and running a handler with a dataclass loads no pydantic."""
    code = (
        "from dataclasses import make_dataclass\n"
        "from workflow_sdk.handler.registry import HandlerRegistry\n"
        "from workflow_sdk.handler.context import JobContext\n"
        "from workflow_sdk.handler.invoke import invoke_sync\n"
        "Loan = make_dataclass('Loan', [('amount', int)])\n"
        "def handler(loan: Loan): return loan\n"
        "registry = HandlerRegistry(); registry.register('greet', handler)\n"
        "outcome = invoke_sync(registry.find('greet'), JobContext({'variables': {'amount': 5}}))\n"
        "print(outcome.variables, sorted({'pydantic', 'grpc', 'confluent_kafka', 'asyncio'} & set(sys.modules)))"
    )
    assert in_a_fresh_python(code) == "{'amount': 5} []"
