"""Defects of SDKs, as patches of the Python one: `PATCHES` has the name in the catalogue -> what breaks it.

A patch changes as little as the defect takes. What it replaces is private on purpose: that the tree moves shows here.
"""

import asyncio
import inspect
import logging
import os
import threading
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import count

from workflow_sdk import operation
from workflow_sdk.client import rest_answers
from workflow_sdk.client.async_base import AsyncBaseEngineClient
from workflow_sdk.client.async_grpc import AsyncGrpcEngineClient
from workflow_sdk.client.async_rest import AsyncRestEngineClient
from workflow_sdk.client.auth import Bearer
from workflow_sdk.client.base import BaseEngineClient
from workflow_sdk.client.grpc import GrpcEngineClient
from workflow_sdk.client.rest import RestEngineClient
from workflow_sdk.errors import EngineClientError
from workflow_sdk.handler.context import JobContext
from workflow_sdk.handler.outcome import Completed, Failed
from workflow_sdk.worker import desk, reporter
from workflow_sdk.worker.batches import Batches
from workflow_sdk.worker.claimed import Claimed
from workflow_sdk.worker.desk import Desk
from workflow_sdk.worker.pace import Rest
from workflow_sdk.worker.poller import Poller
from workflow_sdk.worker.reporter import Reporter
from workflow_sdk.worker.workshop import Workshop

OPTIONAL = {
    *("reason", "business_key", "keyword", "completed_by", "result", "expected_revision", "page_size", "variables"),
    *("until", "poll", "lease_seconds"),
}
NEVER_S = 1e9


def wrap(owner, name, around):
    """Replace a function by one that is given the original first."""
    original = getattr(owner, name)
    if inspect.iscoroutinefunction(around):

        async def replacement(*args, **named):
            return await around(original, *args, **named)
    else:

        def replacement(*args, **named):
            return around(original, *args, **named)

    setattr(owner, name, replacement)


def arguments(change):
    """Change the arguments of every call of a client."""

    def around(original, self, name, **args):
        return original(self, name, **change(name, args))

    for base in (BaseEngineClient, AsyncBaseEngineClient):
        wrap(base, "_do", around)


def on_error(again):
    """Call once more after an error when `again(error, attempts)` says so; it may raise another one."""
    for client in (RestEngineClient, GrpcEngineClient):
        wrap(client, "_call", partial(_repeating, again))
    for client in (AsyncRestEngineClient, AsyncGrpcEngineClient):
        wrap(client, "_call", partial(_repeating_async, again))


def _repeating(again, original, self, operation, args):
    for attempts in count(1):
        try:
            return original(self, operation, args)
        except EngineClientError as error:
            if not again(error, attempts):
                raise
    return None


async def _repeating_async(again, original, self, operation, args):
    for attempts in count(1):
        try:
            return await original(self, operation, args)
        except EngineClientError as error:
            if not again(error, attempts):
                raise
    return None


def rules(*, complete=None, fail=None, pause=None, undeliverable=None):
    """Replace the rules of when a report is sent again."""
    found = {"may_repeat_complete": complete, "may_repeat_fail": fail, "pause_before_next": pause,
             "undeliverable": undeliverable}  # fmt: skip
    for name, rule in found.items():
        if rule is not None:
            setattr(reporter, name, rule)


def without(*names):
    """Lose arguments by their names."""
    arguments(lambda _, args: {name: value for name, value in args.items() if name not in names})


def fail_after(when):
    """Report a failure after a completion that ended with such an error."""

    async def around(original, self, job, outcome):
        error = await original(self, job, outcome)
        if error is not None and isinstance(outcome, Completed) and when(error):
            await original(self, job, Failed("the completion went wrong", retryable=True))
        return error

    wrap(Reporter, "_deliver", around)


def handlers(change):
    """Change what comes of a handler: `change(outcome)`."""

    async def around(original, registration, ctx, run_sync):
        return change(await original(registration, ctx, run_sync))

    wrap(desk, "invoke", around)
    wrap(desk, "call_plain", lambda original, *arguments: change(original(*arguments)))


def handles_twice():
    async def around(original, registration, ctx, run_sync):
        await original(registration, ctx, run_sync)
        return await original(registration, ctx, run_sync)

    wrap(desk, "invoke", around)
    wrap(desk, "call_plain", lambda original, *arguments: (original(*arguments), original(*arguments))[1])


def drops_coroutine():
    async def around(original, registration, ctx, run_sync):
        if not registration.is_async:
            return await original(registration, ctx, run_sync)
        registration.call(ctx).close()
        return Completed(None)

    wrap(desk, "invoke", around)


def retries_4xx():
    rules(complete=lambda _, attempts: attempts < 4)
    on_error(lambda _, attempts: attempts < 3)


def no_drain():
    async def drained(_workshop, intake):
        await intake.end()

    Workshop._drained = drained


def claims_when_full():
    async def around(_original, self, _since):
        await asyncio.sleep(0.02)
        await self._poll(0)

    wrap(Poller, "_await_room", around)


def claims_while_draining():
    async def around(original, self, stop, intake):
        await self._desk.reported()
        await original(self, stop, intake)

    wrap(Workshop, "end", around)
    Poller._told_to_stop = property(lambda _: lambda: False, lambda *_: None)


def leaks_token():
    async def around(original, self, claimed):
        logging.getLogger("workflow_sdk").info("working on %s", claimed.job)
        return await original(self, claimed)

    wrap(Desk, "_execute", around)


def errors_without_kind():
    def again(_error, _attempts):
        raise EngineClientError(500, "the call failed") from None

    on_error(again)


def twice_at_once():
    async def around(original, self, job, outcome):
        first = asyncio.ensure_future(original(self, job, outcome))
        await asyncio.wait({first}, timeout=0.1)
        if not first.done():
            await original(self, job, outcome)
        await first

    wrap(Batches, "send", around)


def slot_lost():
    failed = set()

    async def report(original, self, job, outcome):
        if isinstance(outcome, Failed):
            failed.add(job["id"])
        return await original(self, job, outcome)

    wrap(Reporter, "report", report)
    wrap(Workshop, "_done", lambda original, self, claimed: (
        None if claimed.job["id"] in failed else original(self, claimed)
    ))  # fmt: skip


def loses_null():
    def change(_, args):
        kept = {name: value for name, value in (args.get("variables") or {}).items() if value is not None}
        return {**args, "variables": kept} if args.get("variables") else args

    arguments(change)


def waits_unsaid():
    def again(error, _attempts):
        error.retry_after = None
        return False

    on_error(again)
    without("retry_after_ms")


def forgets_results():
    Reporter.held_result = lambda *_: None
    Claimed.result = None


def job_without_facts():
    desk.JobContext = lambda job, control: JobContext({**job, "stepId": "", "variables": {}}, control)


def no_report_without_result():
    async def around(original, self, job, outcome):
        if isinstance(outcome, Completed) and not outcome.variables:
            return True
        return await original(self, job, outcome)

    wrap(Reporter, "report", around)


def swallows_errors():
    def around(original, status, content):
        try:
            return original(status, content)
        except EngineClientError:
            return {}

    wrap(rest_answers, "_body", around)


def forgets_its_token():
    def bare(client, operation):
        if operation.name in {"poll_jobs", "complete_job"}:
            return client
        other = copy(client)
        other._settings = replace(client._settings, bearer=Bearer(None))
        return other

    async def around(original, self, operation, args):
        return await original(bare(self, operation), operation, args)

    for client in (RestEngineClient, GrpcEngineClient):
        wrap(client, "_call", lambda original, self, operation, args: original(bare(self, operation), operation, args))
    for client in (AsyncRestEngineClient, AsyncGrpcEngineClient):
        wrap(client, "_call", around)


def loses_items():
    wrap(BaseEngineClient, "_list", lambda original, self, name, **args: (
        [] if name.startswith("get_") else original(self, name, **args)
    ))  # fmt: skip


PATCHES = {
    "no-acknowledgement-retry": lambda: rules(complete=lambda *_: False, fail=lambda *_: False),
    "fails-job-on-409": lambda: fail_after(lambda error: getattr(error, "status_code", 0) == 409),
    "handles-twice": handles_twice,
    "drops-coroutine": drops_coroutine,
    "over-claims": lambda: wrap(Poller, "_poll", lambda original, self, free: original(self, free + 1)),
    "claims-when-full": claims_when_full,
    "claims-while-draining": claims_while_draining,
    "retries-4xx": retries_4xx,
    "retries-without-bound": lambda: rules(complete=lambda *_: True, pause=lambda *_: 0.01),
    "no-drain": no_drain,
    "leaks-token-in-log": leaks_token,
    "drops-argument": lambda: without(*OPTIONAL),
    "drops-error-code": lambda: without("error_code"),
    "drops-lease-token": lambda: without("lease_token"),
    "errors-without-kind": errors_without_kind,
    "fails-on-lost-acknowledgement": lambda: (
        rules(complete=lambda *_: False), fail_after(lambda error: getattr(error, "status_code", 0) in (0, 200, 503))),
    "forgets-its-bearer-token": forgets_its_token,
    "forgets-results": forgets_results,
    "job-without-facts": job_without_facts,
    "loses-items": loses_items,
    "loses-null": loses_null,
    "no-result-no-report": no_report_without_result,
    "poller-dies": lambda: setattr(Poller, "_after_error", lambda *_: Rest(NEVER_S, ends_with_a_slot=False)),
    "polls-without-waiting": lambda: without("wait_ms"),
    "repeats-failures": lambda: rules(fail=lambda _, attempts: attempts < 3),
    "repeats-writes": lambda: on_error(lambda _, attempts: attempts < 2),
    "reports-twice-at-once": twice_at_once,
    "retryable-always": lambda: arguments(lambda name, args: {**args, **({"retryable": True} if name == "fail_job"
                                                                        else {})}),
    "slot-lost": slot_lost,
    "swallows-errors": swallows_errors,
    "swallows-handler-errors": lambda: handlers(lambda outcome: outcome if isinstance(outcome, Completed)
                                                else Completed(None)),
    "swallows-too-large": lambda: rules(undeliverable=lambda _: False),
    "unescaped-ids": lambda: setattr(operation, "quote", lambda text, **_: text),
    "waits-unsaid": waits_unsaid,
}  # fmt: skip
TROUBLES = {
    "crashes": lambda: wrap(BaseEngineClient, "start_instance", lambda *_, **__: os._exit(7)),
    "hangs": lambda: wrap(BaseEngineClient, "start_instance", lambda *_, **__: threading.Event().wait()),
    "prints": lambda: wrap(BaseEngineClient, "start_instance", lambda *_, **__: os.write(1, b"it works!\n")),
    "lacks": lambda: delattr(BaseEngineClient, "start_instance"),
}
"""What a driver itself may do wrong in the middle of a run: word -> how."""
__all__ = ["PATCHES", "TROUBLES"]
