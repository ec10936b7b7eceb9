"""A worker as an application developer writes it: it must be clean under every strict type checker."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

import msgspec
from workflow_sdk import HandlerRegistry, NonRetryableError, RestEngineClient, Runner
from workflow_sdk.client.async_rest import AsyncRestEngineClient
from workflow_sdk.definition import (
    Problem,
    RetryPolicy,
    Rule,
    Schema,
    Step,
    Timer,
    Workflow,
    check,
    decision,
    decision_table,
    end,
    expr,
    join,
    parallel,
    service_task,
    transformation,
    user_task,
    wait,
)
from workflow_sdk.errors import EngineClientError, RetryAfter
from workflow_sdk.handler.context import JobContext
from workflow_sdk.handler.registry import CallNext
from workflow_sdk.runner.async_runner import AsyncRunner

registry = HandlerRegistry()


@dataclass
class Loan:
    amount: int
    currency: str = "EUR"


class Score(msgspec.Struct):
    value: int


class Names(TypedDict):
    name: str


@registry.register("plain")
def plain(ctx: dict[str, Any]) -> dict[str, Any]:
    return {"greeting": f"Hello, {ctx['variables']['name']}!"}


@registry.register("score", timeout=30, max_concurrency=4, rate_limit=2.5)
def score(loan: Loan, ctx: JobContext) -> Score:
    ctx.check_cancelled()
    ctx.logger.info("scoring, attempt %d", ctx.attempt, extra={"bank": "B"})
    if loan.amount < 0:
        raise NonRetryableError("a negative amount", code="negative", details={"field": "amount"})
    deadline: datetime | None = ctx.deadline
    return Score(loan.amount if deadline is None else 0)


@registry.register("names")
async def names(variables: Names) -> Mapping[str, Any]:
    if not variables["name"]:
        raise RetryAfter(1.5, "not there yet")
    return {"shout": variables["name"].upper()}


@registry.use
async def timed(call_next: CallNext, ctx: JobContext) -> Any:
    result = await call_next(ctx)
    ctx.logger.info("done", extra={"key": ctx.idempotency_key})
    return result


class Mailer:
    def send(self, ctx: JobContext) -> None:
        ctx["variables"]["sent"] = True


sent = registry.register("send", Mailer().send)
registry.register("partial", functools.partial(score, Loan(1)))

# A decorated handler is still the function it was: its own types are kept.
direct: Score = score(Loan(5), JobContext({"id": "1"}))
more = HandlerRegistry()
more.include(registry)


def notify(then: Step) -> list[Step]:
    return [service_task("send", next_step=then, retry_policy=RetryPolicy("PT1S", max_delay="PT1M"))]


done = end("done")
workflow = Workflow(
    "loan",
    parallel("checks", ["score", "names"], join_step="met"),
    service_task("score", next_step="met", timers=[Timer("PT1H", done, interrupting=False)]),
    service_task("names", next_step="met", outputs_schema=Schema({"shout": str}, required=["shout"])),
    join("met", next_step="tier"),
    decision_table(
        "tier", [Rule({"v": "value > 1"}, {"tier": expr("value * 2")}), Rule()], hit_policy="F", next_step="double"
    ),
    transformation("double", {"amount": expr("amount * 2"), "list": [1, 2]}, next_step="ask"),
    decision("ask", {"amount > 100": "person", "true": "pause"}),
    user_task("person", next_step="pause"),
    wait("pause", next_step="send"),
    notify(done),
    done,
    next_workflow="payout",
)
problems: list[Problem] = check(registry, workflow, elsewhere={"other"})
document: dict[str, Any] = workflow.to_dict()


def main() -> None:
    stop = threading.Event()
    with RestEngineClient("http://localhost:8080") as client:
        try:
            uploaded = client.upload_definition(document)
        except EngineClientError as error:
            raise SystemExit(f"{error.code}: {error.details}") from error
        version: int = uploaded["version"]
        client.start_instance("loan", {"amount": version}, business_key="ada-1")
        result: dict[str, Any] = client.start("loan", {"amount": version}).result(timeout=30)
        waiting: Iterator[dict[str, Any]] = client.iter_instances(status="WAITING")
        for number, each in enumerate(waiting):
            client.instance(each["id"]).cancel(f"number {number}, after {result['amount']}")
        Runner(client, registry, worker_id="w1", parallelism=8).run(stop)


async def token() -> str:
    await asyncio.sleep(0)
    return "secret"


async def main_on_a_loop() -> None:
    async with AsyncRestEngineClient("https://engine.example", token=token) as client:
        handle = await client.start("loan", {"amount": 5})
        async for event in client.watch_instance(handle.id, after=1):
            revision: int = event["revision"]
            handle.id += str(revision)
        result: dict[str, Any] = await handle.result(timeout=0.5)
        names = [each["name"] async for each in client.iter_definitions(result["keyword"])]
        client.instance(names[0])
        await AsyncRunner(client, registry, worker_id="w1", long_poll_ms=0).run(asyncio.Event())
