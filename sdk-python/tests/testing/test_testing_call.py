"""A handler is called as a worker would call it, without an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from workflow_sdk import JobContext
from workflow_sdk.errors import NonRetryableError
from workflow_sdk.testing import call


def test_a_handler_gets_its_variables_and_its_result_comes_back() -> None:
    """The context is the worker's: a dict with the job's fields."""
    assert call(lambda ctx: {"doubled": ctx["variables"]["n"] * 2}, {"n": 21}) == {"doubled": 42}


def test_fields_of_the_job_can_be_chosen() -> None:
    """What the test does not care about has a usual value."""
    seen = call(lambda ctx: (ctx["retriesRemaining"], ctx["jobType"], ctx["stepId"]), retriesRemaining=3, jobType="pay")
    assert seen == (3, "pay", "step")


def test_what_a_handler_raises_is_raised() -> None:
    """No wrapping: `pytest.raises` sees the very exception."""

    def handler(_ctx: JobContext) -> None:
        raise NonRetryableError("card refused")

    with pytest.raises(NonRetryableError, match="card refused"):
        call(handler)


async def test_an_async_handler_is_awaited() -> None:
    """`call` gives what calling the function gives."""

    async def handler(ctx: JobContext) -> dict[str, Any]:
        return {"n": ctx["variables"]["n"]}

    assert await call(handler, {"n": 1}) == {"n": 1}


def test_a_typed_handler_gets_its_model() -> None:
    """Variables are decoded as in a worker."""

    @dataclass
    class Order:
        amount: int

    def handler(order: Order) -> dict[str, Any]:
        return {"total": order.amount + 1}

    handler.__annotations__["order"] = Order
    assert call(handler, {"amount": 9}) == {"total": 10}


def test_variables_that_do_not_fit_are_refused_as_in_a_worker() -> None:
    """A wrong type is a failure that no retry mends."""

    @dataclass
    class Order:
        amount: int

    def handler(order: Order) -> dict[str, Any]:
        return {"total": order.amount}

    handler.__annotations__["order"] = Order
    with pytest.raises(NonRetryableError, match="amount"):
        call(handler, {"amount": "much"})
