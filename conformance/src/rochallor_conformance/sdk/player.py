"""Plays one case against one SDK: the driver does what the steps say, the stub's journal says what it came to.

`_ACTS` is the table of steps. Waiting is for something that must come (a job, an answer, a request) and ends with it;
how long it may take is only a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from rochallor_conformance.cases.model import SDK, Case, Step
from rochallor_conformance.cases.placeholders import Unbound, look_up, with_bindings, with_namespace
from rochallor_conformance.contract.operations import operations
from rochallor_conformance.engine.judging import difference as engine_difference
from rochallor_conformance.engine.player import NOBODY, Failed, needs_worker
from rochallor_conformance.sdk.client import DriverClient, DriverFault
from rochallor_conformance.sdk.judging import difference, differs
from rochallor_conformance.sdk.oracles import Record, findings, secrets_in
from rochallor_conformance.sdk.stub import Stub
from rochallor_conformance.sdk.wire import Sent
from rochallor_conformance.transports.exchange import Journal
from rochallor_conformance.verdict import Difference, Verdict

CLIENT, WORKER = "client-1", "worker-1"
ROOM = 4
WORKER_OPTIONS = {"parallelism": ROOM, "pollIntervalMs": 20, "longPollMs": 0}
SECONDS = 30.0
JOB_S = 5.0
FOREVER_S = 3600.0
THE_END = "the end"
LOOK_EVERY_S = 0.02
LOOK_EVERY_MS = 50
UNSENDABLE = "unsendable"
ASYNCHRONOUS = "async-handlers"


class Unspoken(Exception):
    """The SDK cannot say what an engine's case wants to be said; that is no fault of either."""


async def play(case: Case, driver: DriverClient, stub: Stub, transport: str, namespace: str) -> Verdict:
    """Play a case on a stub and a driver that have just been reset.

    Raises:
        DriverFault: the driver did what no driver may.

    """
    playing = _Play(case, driver, stub, transport, namespace)
    found: Difference | None = None
    try:
        async with asyncio.timeout(case.limits.get("seconds", SECONDS)):
            await playing.run()
    except Failed as failed:
        playing.where, found = failed.where, failed.found
    except Unspoken as reason:
        return Verdict("skipped", [], reason=str(reason))
    except TimeoutError:
        found = Difference(f"took longer than {case.limits.get('seconds', SECONDS)} s")
    exchanges = [each.exchange() for each in await stub.sent()]
    return Verdict("failed" if found else "passed", exchanges, where=playing.where if found else "", found=found)


class _Play:
    def __init__(self, case: Case, driver: DriverClient, stub: Stub, transport: str, namespace: str) -> None:
        self._case: Case = msgspec.convert(with_namespace(msgspec.to_builtins(case), namespace), Case)
        self._driver = driver
        self._stub = stub
        self._transport = transport
        self._bound: dict[str, Any] = {}
        self._rooms: dict[str, int] = {}
        self._stops: dict[str, int] = {}
        self._first_job = len(driver.jobs)
        self._taken = 0
        self._heard = driver.process.heard
        self.where = "given"

    async def run(self) -> None:
        await self._prepare()
        for where, step in self._case.steps:
            self.where = where
            await self._act(step)
        self.where = THE_END
        await self._end_workers()
        for oracle, sentence in findings(await self._record()):
            raise Failed(f"oracle {oracle}", Difference(sentence))

    async def _prepare(self) -> None:
        given, stub = self._case.given, self._case.stub
        journal = Journal()
        for definition in given.definitions:
            await self._stub.call("uploadDefinition", {"definition": definition}, journal)
        if given.instance is not None:
            self._bound["instance"] = (await self._stub.call("startInstance", given.instance, journal)).body
        url = self._stub.address(self._transport)
        await self._do("connect", id=CLIENT, transport=self._transport, url=url, options=stub.get("client", {}))
        for fault in stub.get("faults", []):
            await self._stub.plant(fault)

    async def _end_workers(self) -> None:
        """Let every worker end by itself, so that what it still has to say is in the journal."""
        for worker in list(self._rooms):
            if worker not in self._stops:
                self._stops[worker] = await self._driver.send("worker.stop", id=worker, mode="now")
            await self._ended(worker)

    async def _record(self) -> Record:
        return Record(
            sent=await self._stub.sent(),
            jobs=self._driver.jobs[self._first_job :],
            rooms=self._rooms,
            stderr=self._driver.process.stderr_since(self._heard),
            secrets=secrets_in(self._case.stub.get("client", {})),
        )

    async def _act(self, step: Step) -> None:
        act = next(act for name, act in _ACTS.items() if getattr(step, name) not in (None, msgspec.UNSET))
        try:
            await act(self, step)
        except Unbound as wrong:
            raise Failed(self.where, Difference(str(wrong))) from wrong

    async def call(self, step: Step) -> None:
        if step.by == "harness":
            await self._call_myself(step)
            return
        operation = operations()[step.call or ""]
        waited_ms = 0
        while True:
            told = await self._driver.ask("call", client=CLIENT, op=operation.id, args=self._args(step))
            if told.kind == UNSENDABLE and SDK not in self._case.targets:
                raise Unspoken(f"{self.where}: the SDK cannot say this: {(told.error or {})['message']}")
            found = difference(self._put(step), told)
            if found is None or step.until is None or waited_ms >= step.until.within_ms:
                break
            await self._stub.advance(LOOK_EVERY_MS / 1000)
            waited_ms += LOOK_EVERY_MS
        self._judge(found, operation.id)
        if told.result is not None:
            self._bind(step, told.result)

    async def _call_myself(self, step: Step) -> None:
        answer = await self._stub.call(step.call or "", self._args(step), Journal())
        self._judge(engine_difference(self._put(step), answer), step.call or "")
        self._bind(step, answer.body)

    async def parallel(self, step: Step) -> None:
        numbers = [
            await self._driver.send("call", client=CLIENT, op=each.call, args=self._args(each))
            for each in step.parallel or ()
        ]
        answers = [await self._driver.answer(number) for number in numbers]
        found = differs({"$unordered": step.outcomes}, [told.kind for told in answers], "outcomes")
        self._judge(found, "parallel")
        for each, told in zip(step.parallel or (), answers, strict=True):
            if told.result is not None:
                self._bind(each, told.result)

    async def advance(self, step: Step) -> None:
        await self._stub.advance(step.advance or 0)

    async def start_worker(self, step: Step) -> None:
        asked: dict[str, Any] = with_bindings(step.start_worker, self._bound)
        worker, options = asked.get("id", WORKER), {**WORKER_OPTIONS, **asked.get("options", {})}
        self._rooms[worker] = options["parallelism"]
        fields = {"client": CLIENT, "workerId": worker, "jobTypes": asked["jobTypes"], "options": options}
        await self._do("worker.start", id=worker, **fields)

    async def stop_worker(self, step: Step) -> None:
        asked = step.stop_worker or {}
        worker = asked.get("id", WORKER)
        self._stops[worker] = await self._driver.send("worker.stop", id=worker, mode=asked.get("mode", "drain"))
        if asked.get("wait", True):
            await self._ended(worker)

    async def worker_ended(self, step: Step) -> None:
        await self._ended(step.worker_ended or "")

    async def _ended(self, worker: str) -> None:
        """Wait for a worker's end. One that goes on handing out jobs that the case does not expect would not end."""
        stopped = asyncio.create_task(self._driver.answer(self._stops[worker]))
        surprise = asyncio.create_task(self._driver.job(self._first_job + self._taken, FOREVER_S))
        try:
            await asyncio.wait([stopped, surprise], return_when=asyncio.FIRST_COMPLETED)
            if not stopped.done() and (event := surprise.result()) is not None and self.where != THE_END:
                what = f"a handler was given a job that nobody expected while {worker} was to end"
                raise Failed(self.where, Difference(what, "no job", event["job"]))
            told = await stopped
        finally:
            surprise.cancel()
            stopped.cancel()
            await asyncio.gather(surprise, stopped, return_exceptions=True)
        if told.error is not None:
            raise DriverFault(f"the driver cannot stop {worker}: {told.error['message']}")

    async def job(self, step: Step) -> None:
        event = await self._driver.job(self._first_job + self._taken, JOB_S)
        if event is None:
            raise Failed(self.where, Difference(f"no handler was given a job within {JOB_S:g} s", step.job))
        self._taken += 1
        self._judge(differs(with_bindings(step.job, self._bound), event["job"], "job"), "the handler's")
        if isinstance(step.bind, str):
            self._bound[step.bind] = {**event["job"], "token": event["token"]}
        if step.reply:
            await self._do("job.reply", token=event["token"], **step.reply)

    async def reply_to(self, step: Step) -> None:
        token = look_up(self._bound, f"{step.reply_to}.token")
        await self._do("job.reply", token=token, **with_bindings(step.reply, self._bound))

    async def handled(self, step: Step) -> None:
        found = len(self._driver.jobs) - self._first_job
        self._judge(differs(step.handled, found, "count"), "handled jobs:")

    async def wire(self, step: Step) -> None:
        wanted = step.requests if step.requests is msgspec.UNSET else with_bindings(step.requests, self._bound)
        ends_at = asyncio.get_running_loop().time() + (step.until.within_ms if step.until else 0) / 1000
        while True:
            sent = [each.shown(headers="headers" in repr(wanted)) for each in await self._of(step.wire or "")]
            found = differs(step.count, len(sent), "count") if step.count is not msgspec.UNSET else None
            if found is None and wanted is not msgspec.UNSET:
                found = differs(wanted, sent, "requests")
            if found is None or asyncio.get_running_loop().time() >= ends_at:
                within = f" within {step.until.within_ms / 1000:g} s" if step.until else ""
                return self._judge(found, f"{step.wire}{within}")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _of(self, operation: str) -> list[Sent]:
        return [each for each in await self._stub.sent() if each.operation == operation]

    async def fault(self, step: Step) -> None:
        await self._stub.plant(with_bindings(step.fault, self._bound))

    async def expire_lease(self, step: Step) -> None:
        await self._stub.expire_lease(look_up(self._bound, f"{step.expire_lease}.id"))

    async def _do(self, command: str, **fields: Any) -> None:
        """Have the driver do what every driver can."""
        told = await self._driver.ask(command, **fields)
        if told.error is not None:
            raise DriverFault(f"the driver refused {command}: {told.kind}: {told.error['message']}")

    def _args(self, step: Step) -> dict[str, Any]:
        operation = operations()[step.call or ""]
        args: dict[str, Any] = with_bindings(step.args, self._bound)
        if step.on:
            args[operation.id_argument] = look_up(self._bound, f"{step.on}.id")
        if "workerId" not in args and needs_worker(operation.id):
            args["workerId"] = NOBODY if step.token == "nobody" else WORKER  # noqa: S105 - a role's name
        return args

    def _put(self, step: Step) -> Step:
        """Return the step with its expectations made of bound values."""
        changes: dict[str, Any] = {}
        if step.body is not msgspec.UNSET:
            changes["body"] = with_bindings(step.body, self._bound)
        return msgspec.structs.replace(step, **changes)

    def _judge(self, found: Difference | None, about: str) -> None:
        if found is not None:
            raise Failed(self.where, msgspec.structs.replace(found, message=f"{about} {found.message}"))

    def _bind(self, step: Step, body: Any) -> None:
        if isinstance(step.bind, str):
            self._bound[step.bind] = body
        else:
            for name, path in step.bind.items():
                self._bound[name] = look_up(body, path)


_ACTS: dict[str, Callable[[_Play, Step], Awaitable[None]]] = {
    "call": _Play.call,
    "parallel": _Play.parallel,
    "advance": _Play.advance,
    "start_worker": _Play.start_worker,
    "stop_worker": _Play.stop_worker,
    "worker_ended": _Play.worker_ended,
    "job": _Play.job,
    "reply_to": _Play.reply_to,
    "handled": _Play.handled,
    "wire": _Play.wire,
    "fault": _Play.fault,
    "expire_lease": _Play.expire_lease,
}
"""The field that a step has -> what is done."""
