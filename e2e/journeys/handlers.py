"""What the workers of the journeys do: the loan's own handlers and two of ours, each telling the bank first.

`workflow-worker run e2e.journeys.handlers:registry` serves them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable
from typing import Any

from workflow_sdk import HandlerRegistry, JobContext

from e2e.journeys import bank
from e2e.journeys.loan import LOAN

registry = HandlerRegistry()


@registry.use
async def effect_first(call_next: Callable[[JobContext], Awaitable[Any]], ctx: JobContext) -> Any:
    """Do the effect, then the rest: a worker that dies in between has done it and has not reported it."""
    await bank.tell(ctx)
    return await call_next(ctx)


@registry.register("work")
def work(ctx: JobContext) -> dict[str, Any]:
    """Succeed."""
    return {f"{ctx.step_id}_done": 1}


@registry.register("flaky")
def flaky(ctx: JobContext) -> dict[str, Any]:
    """Fail as long as more retries are left than the variable `until` says."""
    if ctx.retries_remaining > ctx.variables["until"]:
        raise RuntimeError("not yet")
    return {f"{ctx.step_id}_done": 1}


def _loan() -> HandlerRegistry:
    spec = importlib.util.spec_from_file_location("loan_worker", LOAN / "worker.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handlers: HandlerRegistry = module.registry
    return handlers


registry.include(_loan())
